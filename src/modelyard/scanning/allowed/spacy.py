"""spaCy and thinc: registered functions and component factories that a pipeline's ``config.cfg`` may name.

Left out is what opens files or other models (``spacy.KBFromFile``, readers, ``spacy.copy_from_base_model``), wraps
modules of other libraries whose weights are pickles (``PyTorchWrapper``), or reads dictionaries of its own (Chinese).
"""

from __future__ import annotations

from typing import Final

NAMES: Final = """
architectures: spacy-legacy.CharacterEmbed.v1 spacy-legacy.EntityLinker.v1 spacy-legacy.HashEmbedCNN.v1
  spacy-legacy.MaxoutWindowEncoder.v1 spacy-legacy.MishWindowEncoder.v1 spacy-legacy.MultiHashEmbed.v1
  spacy-legacy.Tagger.v1 spacy-legacy.TextCatBOW.v1 spacy-legacy.TextCatCNN.v1 spacy-legacy.TextCatEnsemble.v1
  spacy-legacy.Tok2Vec.v1 spacy-legacy.TransitionBasedParser.v1 spacy.CharacterEmbed.v2 spacy.EntityLinker.v2
  spacy.HashEmbedCNN.v2 spacy.MaxoutWindowEncoder.v2 spacy.MishWindowEncoder.v2 spacy.MultiHashEmbed.v2
  spacy.PretrainCharacters.v1 spacy.PretrainVectors.v1 spacy.SpanCategorizer.v1 spacy.SpanFinder.v1
  spacy.Tagger.v2 spacy.TextCatBOW.v2 spacy.TextCatBOW.v3 spacy.TextCatCNN.v2 spacy.TextCatEnsemble.v2
  spacy.TextCatLowData.v1 spacy.TextCatParametricAttention.v1 spacy.TextCatReduce.v1 spacy.Tok2Vec.v2
  spacy.Tok2VecListener.v1 spacy.TransitionBasedParser.v2
factories: attribute_ruler beam_ner beam_parser bn.lemmatizer ca.lemmatizer doc_cleaner el.lemmatizer
  en.lemmatizer entity_linker entity_ruler es.lemmatizer fa.lemmatizer fr.lemmatizer future_entity_ruler
  ga.lemmatizer ht.lemmatizer it.lemmatizer ja.morphologizer lemmatizer merge_entities merge_noun_chunks
  merge_subtokens mk.lemmatizer morphologizer nb.lemmatizer ner nl.lemmatizer nn_labeller parser pl.lemmatizer
  ru.lemmatizer sentencizer senter span_finder span_ruler spancat spancat_singlelabel sv.lemmatizer tagger
  textcat textcat_multilabel tok2vec token_splitter trainable_lemmatizer uk.lemmatizer
initializers: glorot_normal_init.v1 glorot_uniform_init.v1 he_normal_init.v1 he_uniform_init.v1
  lecun_normal_init.v1 lecun_uniform_init.v1 normal_init.v1 uniform_init.v1 zero_init.v1
layers: CauchySimilarity.v1 ClippedLinear.v1 Dish.v1 Dropout.v1 Embed.v1 Gelu.v1 HardSigmoid.v1 HardSwish.v1
  HardSwishMobilenet.v1 HardTanh.v1 HashEmbed.v1 LSTM.v1 LayerNorm.v1 Linear.v1 Logistic.v1 Maxout.v1 Mish.v1
  MultiSoftmax.v1 ParametricAttention.v1 ParametricAttention.v2 Relu.v1 ReluK.v1 Sigmoid.v1 Softmax.v1
  Softmax.v2 SparseLinear.v1 SparseLinear.v2 Swish.v1 add.v1 bidirectional.v1 chain.v1 clone.v1 concatenate.v1
  expand_window.v1 list2array.v1 list2padded.v1 list2ragged.v1 noop.v1 padded2list.v1 premap_ids.v1
  ragged2list.v1 reduce_first.v1 reduce_last.v1 reduce_max.v1 reduce_mean.v1 reduce_sum.v1 remap_ids.v1
  remap_ids.v2 residual.v1 resizable.v1 siamese.v1 sigmoid_activation.v1 softmax_activation.v1
  spacy-legacy.StaticVectors.v1 spacy.CharEmbed.v1 spacy.FeatureExtractor.v1 spacy.LinearLogistic.v1
  spacy.PrecomputableAffine.v1 spacy.StaticVectors.v2 spacy.TransitionModel.v1 spacy.extract_ngrams.v1
  spacy.extract_spans.v1 spacy.mean_max_reducer.v1 strings2arrays.v1 tuplify.v1 uniqued.v1 with_array.v1
  with_array2d.v1 with_cpu.v1 with_flatten.v1 with_flatten.v2 with_getitem.v1 with_list.v1 with_padded.v1
  with_ragged.v1 with_reshape.v1
losses: CategoricalCrossentropy.v1 CategoricalCrossentropy.v2 CategoricalCrossentropy.v3 CosineDistance.v1
  L2Distance.v1 SequenceCategoricalCrossentropy.v1 SequenceCategoricalCrossentropy.v2
  SequenceCategoricalCrossentropy.v3
misc: spacy.CandidateBatchGenerator.v1 spacy.CandidateGenerator.v1 spacy.EmptyKB.v1 spacy.EmptyKB.v2
  spacy.first_longest_spans_filter.v1 spacy.levenshtein_compare.v1 spacy.ngram_range_suggester.v1
  spacy.ngram_suggester.v1 spacy.preset_spans_suggester.v1 spacy.prioritize_existing_ents_filter.v1
  spacy.prioritize_new_ents_filter.v1
ops: CupyOps MPSOps NumpyOps
optimizers: Adam.v1 RAdam.v1 SGD.v1
schedules: compounding.v1 constant.v1 constant_then.v1 cyclic_triangular.v1 decaying.v1 slanted_triangular.v1
  warmup_linear.v1
scorers: spacy-legacy.textcat_multilabel_scorer.v1 spacy-legacy.textcat_scorer.v1
  spacy.attribute_ruler_scorer.v1 spacy.entity_linker_scorer.v1 spacy.entity_ruler_scorer.v1
  spacy.lemmatizer_scorer.v1 spacy.morphologizer_scorer.v1 spacy.ner_scorer.v1
  spacy.overlapping_labeled_spans_scorer.v1 spacy.parser_scorer.v1 spacy.senter_scorer.v1
  spacy.span_finder_scorer.v1 spacy.spancat_scorer.v1 spacy.tagger_scorer.v1
  spacy.textcat_multilabel_scorer.v1 spacy.textcat_multilabel_scorer.v2 spacy.textcat_scorer.v1
  spacy.textcat_scorer.v2
tokenizers: spacy.Tokenizer.v1 spacy.ja.JapaneseTokenizer spacy.ko.KoreanTokenizer spacy.th.ThaiTokenizer
  spacy.vi.VietnameseTokenizer
vectors: spacy.Vectors.v1
"""
