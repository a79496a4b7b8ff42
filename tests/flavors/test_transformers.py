"""transformers: directories of weights, and never code from them. A tiny BERT with random weights, no download."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelyard.domain.errors import InvalidInput, LoadRefused
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import detect
from modelyard.flavors.transformers import TransformersFlavor
from modelyard.ports.flavors import SaveOptions, Trust
from modelyard.testing.flavors import FlavorContract

torch = pytest.importorskip("torch", reason="torch is not installed (make test-frameworks)")
transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed (make test-frameworks)"
)
pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
transformers.utils.logging.disable_progress_bar()

TOKENS = torch.arange(6).reshape(2, 3)


def bert(cls: Any = None) -> Any:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        max_position_embeddings=8, num_labels=2,
    )  # fmt: skip
    return (cls or transformers.BertForSequenceClassification)(config).eval()


class Mine(transformers.BertForSequenceClassification):
    """A class of the user's own."""


class TestBert(FlavorContract):
    flavor = TransformersFlavor()
    data_only = True

    def model(self) -> Any:
        return bert()

    def same(self, a: Any, b: Any) -> bool:
        return type(a) is type(b) and torch.equal(a(TOKENS).logits, b(TOKENS).logits)


class TestOwnClass(TestBert):
    data_only = False
    trusted = (f"{Mine.__module__}.Mine",)

    def model(self) -> Any:
        return bert(Mine)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bert().save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


def loaded(folder: Path, record: FlavorRecord, *trust: str) -> Any:
    return detect.load(folder, record, Trust(pinned=frozenset(record.globals), allowed=trust))


def configured(folder: Path, **more: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | more))


def test_a_model_of_transformers_is_its_own_flavor() -> None:
    assert detect.flavor_for(bert()).name == "transformers"


def test_a_directory_is_known_by_its_content_and_loads_as_the_class_it_names(folder: Path) -> None:
    record = detect.flavor_of_directory(folder)
    assert (record.name, record.entry, record.algorithm) == (
        "transformers",
        ".",
        "BertForSequenceClassification",
    )
    assert record.framework_version == transformers.__version__
    model = loaded(folder, record)
    assert torch.equal(model(TOKENS).logits, bert()(TOKENS).logits)


def test_a_record_says_what_the_model_is(tmp_path: Path) -> None:
    record = detect.flavor_for(bert()).save(bert(), tmp_path, SaveOptions())
    assert record.options == {"class": "transformers.BertForSequenceClassification"}
    assert record.facts["model_type"] == "bert"
    assert record.facts["num_parameters"] == bert().num_parameters()


def test_shards_load_and_an_index_that_leaves_the_directory_does_not(tmp_path: Path) -> None:
    bert().save_pretrained(tmp_path, max_shard_size="1KB")
    index = tmp_path / "model.safetensors.index.json"
    record = detect.flavor_of_directory(tmp_path)
    assert torch.equal(loaded(tmp_path, record)(TOKENS).logits, bert()(TOKENS).logits)
    index.write_text(json.dumps({"weight_map": {"a": "../../model.safetensors"}}))
    with pytest.raises(LoadRefused, match="names no files of this directory"):
        loaded(tmp_path, record)
    assert detect.flavor_of_directory(tmp_path).name == "directory"


def test_weights_in_a_pickle_are_judged_as_one(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save(bert().state_dict(), folder / "pytorch_model.bin")
    record = detect.flavor_of_directory(folder)
    assert "torch._utils._rebuild_tensor_v2" in record.globals
    assert torch.equal(loaded(folder, record)(TOKENS).logits, bert()(TOKENS).logits)

    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "canary",)

    torch.save({"w": Evil()}, folder / "pytorch_model.bin")
    record = detect.flavor_of_directory(folder)
    with pytest.raises(LoadRefused, match="no trust opens this"):
        loaded(folder, record, *record.globals)
    assert not (tmp_path / "canary").exists()


def test_safe_weights_are_taken_where_there_are_both(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"anything")
    record = detect.flavor_of_directory(folder)
    assert record.globals == ()
    loaded(folder, record)


def test_code_from_the_directory_is_never_run(folder: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (folder / "evil.py").write_text(f"open({str(canary)!r}, 'w')\nclass Evil: pass\n")
    configured(
        folder, auto_map={"AutoModelForSequenceClassification": "evil.Evil", "AutoConfig": "evil.Evil"}
    )
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "somewhere/else"}')
    (folder / ".metadata").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert torch.equal(
        loaded(folder, detect.flavor_of_directory(folder))(TOKENS).logits, bert()(TOKENS).logits
    )
    assert not canary.exists()


def test_an_architecture_that_only_the_directory_knows_is_not_loaded(folder: Path) -> None:
    configured(folder, architectures=["EvilModel"], auto_map={"AutoModel": "evil.EvilModel"})
    with pytest.raises(ImportError, match="no model class 'EvilModel'"):
        loaded(folder, detect.flavor_of_directory(folder))
    configured(folder, architectures=["pipeline"])
    with pytest.raises(ImportError, match="no model class 'pipeline'"):
        loaded(folder, detect.flavor_of_directory(folder))


def test_weights_of_another_name_are_refused(folder: Path) -> None:
    record = detect.flavor_of_directory(folder)
    configured(folder, transformers_weights="../elsewhere.safetensors")
    with pytest.raises(LoadRefused, match="elsewhere"):
        loaded(folder, record)


def test_kernels_from_the_hub_are_refused(folder: Path) -> None:
    record = detect.flavor_of_directory(folder)
    configured(folder, text_config={"attn_implementation": "somebody/kernel"})
    with pytest.raises(LoadRefused, match="somebody/kernel"):
        loaded(folder, record)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"architectures": []}', '{"architectures": [1]}', "[" * 100_000]
)
def test_another_json_does_not_make_a_model_of_a_directory(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert detect.flavor_of_directory(tmp_path).name == "directory"
    (tmp_path / "copy").mkdir()
    with pytest.raises(InvalidInput, match="no directory that transformers wrote"):
        TransformersFlavor().save(tmp_path, tmp_path / "copy", SaveOptions())
