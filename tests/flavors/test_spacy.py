"""spaCy: its own components are free, others need trust by name. Blank pipelines, no download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelyard.domain.errors import LoadRefused
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import detect
from modelyard.flavors.spacy import SpacyFlavor
from modelyard.ports.flavors import SaveOptions, Trust
from modelyard.testing.flavors import FlavorContract

spacy = pytest.importorskip("spacy", reason="spacy is not installed (make test-frameworks)")
pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

TEXT = "One sentence. Another one!"


@spacy.language.Language.component("house_marker")
def marker(doc: Any) -> Any:
    doc.user_data["marked"] = True
    return doc


def pipeline(*components: str) -> Any:
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    bag = {"exclusive_classes": True, "ngram_size": 1, "no_output_layer": False, "length": 64}
    labels = nlp.add_pipe("textcat", config={"model": {"@architectures": "spacy.TextCatBOW.v3", **bag}})
    for label in ("good", "bad"):
        labels.add_label(label)
    nlp.initialize()
    for name in components:
        nlp.add_pipe(name)
    return nlp


class TestPipeline(FlavorContract):
    flavor = SpacyFlavor()
    data_only = True

    def model(self) -> Any:
        return pipeline()

    def same(self, a: Any, b: Any) -> bool:
        left, right = a(TEXT), b(TEXT)
        return left.cats == right.cats and [s.text for s in left.sents] == [s.text for s in right.sents]


class TestOwnComponent(TestPipeline):
    data_only = False
    trusted = ("spacy.registry.factories.house_marker",)

    def model(self) -> Any:
        return pipeline("house_marker")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pipeline().to_disk(tmp_path / "en")
    return tmp_path / "en"


def loaded(folder: Path, record: FlavorRecord, *trust: str) -> Any:
    return detect.load(folder, record, Trust(pinned=frozenset(record.globals), allowed=trust))


def changed(folder: Path, old: str, new: str) -> FlavorRecord:
    path = folder / "config.cfg"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return detect.flavor_of_directory(folder)


def test_a_pipeline_is_known_live_and_as_a_directory(folder: Path, tmp_path: Path) -> None:
    nlp = pipeline()
    assert detect.flavor_for(nlp).name == "spacy"
    (tmp_path / "version").mkdir()
    live = detect.flavor_for(nlp).save(nlp, tmp_path / "version", SaveOptions())
    found = detect.flavor_of_directory(folder)
    assert (live.framework, live.framework_version, live.algorithm) == ("spacy", spacy.__version__, "English")
    assert found.name == "spacy"
    assert found.facts["pipeline"] == live.facts["pipeline"] == ["sentencizer", "textcat"]
    assert loaded(folder, found)(TEXT).cats == nlp(TEXT).cats


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        (
            "before_creation = null",
            'before_creation = {"@callbacks": "evil.start.v1"}',
            "callbacks.evil.start.v1",
        ),
        ('factory = "sentencizer"', 'factory = "evil-part"', "factories.evil_part"),
        ("spacy.TextCatBOW.v3", "spacy.TorchBiLSTMEncoder.v1", "architectures.spacy.TorchBiLSTMEncoder.v1"),
        ("spacy.Tokenizer.v1", "spacy.copy_from_base_model.v1", "tokenizers.spacy.copy_from_base_model.v1"),
    ],
)
def test_functions_that_are_not_spacys_own_are_refused_by_name(
    old: str, new: str, name: str, folder: Path
) -> None:
    record = changed(folder, old, new)
    assert record.globals == (f"spacy.registry.{name}",)
    for trust in ((), ("spacy.*",)):
        with pytest.raises(LoadRefused) as refused:
            loaded(folder, record, *trust)
        assert refused.value.data["globals"] == [f"spacy.registry.{name}"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('factory = "sentencizer"', 'source = "/some/other/model"', "from another model"),
        ('factory = "sentencizer"', "factory = ${paths.train}", "computes the name"),
        ("[components]\n", '[components]\n../../x = {"factory": "tagger"}\n', "leaves the directory"),
    ],
)
def test_what_comes_from_elsewhere_is_refused_whoever_is_trusted(
    old: str, new: str, reason: str, folder: Path
) -> None:
    record = changed(folder, old, new)
    with pytest.raises(LoadRefused, match=reason):
        loaded(folder, record, *record.globals, "spacy.*")


def test_a_name_that_appears_only_when_variables_are_filled_in_is_refused(folder: Path) -> None:
    changed(folder, "train = null", 'train = {"@misc": "evil.v1"}')
    record = changed(folder, "overwrite = false", "overwrite = ${paths.train}")
    assert record.globals == ()
    with pytest.raises(LoadRefused) as refused:
        loaded(folder, record)
    assert refused.value.data["globals"] == ["spacy.registry.misc.evil.v1"]


@pytest.mark.parametrize("text", ["", "[nlp", "[training]\n", "[nlp]\nlang = 1\n[nlp]\n"])
def test_another_configuration_does_not_make_a_pipeline_of_a_directory(text: str, folder: Path) -> None:
    (folder / "config.cfg").write_text(text)
    assert detect.flavor_of_directory(folder).name == "directory"
