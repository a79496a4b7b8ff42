"""Models of deep-learning frameworks through a whole registry: registered, judged, loaded by maker and by others."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")

from modelyard import LoadRefused, ModelRegistry

torch = pytest.importorskip("torch", reason="torch is not installed (make test-frameworks)")
pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelRegistry:
    monkeypatch.setenv("MODELYARD_CONFIG_DIR", str(tmp_path / "maker"))
    return ModelRegistry(tmp_path / "registry")


def somebody_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODELYARD_CONFIG_DIR", str(tmp_path / "other"))


def network() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())


ROWS = torch.ones(2, 3)


def verdicts(registry: ModelRegistry, ref: str) -> set[str]:
    return {report.verdict for report in registry.get_model(ref).scans.values()}


def test_a_module_is_weights_for_everybody(registry: ModelRegistry, tmp_path: Path, monkeypatch: Any) -> None:
    registry.register_model(network(), "net")
    somebody_else(monkeypatch, tmp_path)
    other = network()
    other.load_state_dict(registry.load_model("net"))
    assert torch.equal(other(ROWS), network()(ROWS))
    version = registry.get_model("net")
    assert (version.framework, version.algorithm) == ("torch", "Sequential")
    assert version.environment["packages"]["torch"] == importlib.metadata.version("torch")
    assert verdicts(registry, "net") == {"clean"}


@pytest.mark.parametrize(
    "kind", ["torch_pickle", "torchscript", "torch_export", "keras", "spacy", "transformers"]
)
def test_code_loads_for_its_maker_and_needs_trust_from_others(
    kind: str, registry: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    made = MAKERS[kind]()
    wanted = "torch_pickle" if kind == "torch_pickle" else None
    registry.register_model(made, "net", serialization_format=wanted)
    assert registry.get_model("net").flavor.name == kind
    registry.load_model("net")
    somebody_else(monkeypatch, tmp_path)
    with pytest.raises(LoadRefused) as refused:
        registry.load_model("net")
    registry.load_model("net", trust=refused.value.data["globals"])


def _keras() -> Any:
    keras = pytest.importorskip("keras", reason="keras is not installed (make test-frameworks)")
    return keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x * 2)])


def _spacy() -> Any:
    spacy = pytest.importorskip("spacy", reason="spacy is not installed (make test-frameworks)")
    if not spacy.language.Language.has_factory("yard_marker"):
        spacy.language.Language.component("yard_marker", func=lambda doc: doc)
    nlp = spacy.blank("en")
    nlp.add_pipe("yard_marker")
    return nlp


def _transformers() -> Any:
    transformers = pytest.importorskip(
        "transformers", reason="transformers is not installed (make test-frameworks)"
    )
    Path("own_bert.py").write_text("import transformers\nclass OwnBert(transformers.BertModel):\n    pass\n")
    from own_bert import OwnBert

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    return OwnBert(transformers.BertConfig(vocab_size=20, **sizes))


MAKERS = {
    "torch_pickle": network,
    "torchscript": lambda: torch.jit.script(network()),
    "torch_export": lambda: torch.export.export(network(), (ROWS,)),
    "keras": _keras,
    "spacy": _spacy,
    "transformers": _transformers,
}


def test_a_directory_of_transformers_loads_and_downloads(registry: ModelRegistry, tmp_path: Path) -> None:
    transformers = pytest.importorskip(
        "transformers", reason="transformers is not installed (make test-frameworks)"
    )
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    model = transformers.BertModel(transformers.BertConfig(vocab_size=20, **sizes)).eval()
    model.save_pretrained(tmp_path / "bert")
    registry.register_model(tmp_path / "bert", "bert")
    assert verdicts(registry, "bert") == {"clean"}
    tokens = torch.tensor([[1, 2]])
    assert torch.equal(registry.load_model("bert")(tokens)[0], model(tokens)[0])
    assert (registry.download("bert", tmp_path / "copy") / "config.json").is_file()


def test_a_version_rolled_back_to_is_proved_by_loading_it(registry: ModelRegistry) -> None:
    for label in ("1.0.0", "2.0.0"):
        registry.register_model(network(), "net", label)
        registry.promote_model(f"net:{label}", "production")
    assert registry.rollback_model("net", reason="a test").candidate.version == "1.0.0"


def test_an_mlflow_model_may_import_its_own_code_later(registry: ModelRegistry, tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed (make test-frameworks)")
    folder = tmp_path / "model"
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "yard_loader.py").write_text(
        "class Model:\n    def predict(self, data):\n        import yard_later\n        return yard_later.ANSWER\n"
        "def _load_pyfunc(path):\n    return Model()\n"
    )
    (folder / "code" / "yard_later.py").write_text("ANSWER = 42\n")
    (folder / "MLmodel").write_text(
        "flavors:\n  python_function:\n    loader_module: yard_loader\n    code: code\nmlflow_version: 3.0.0\n"
    )
    registry.register_model(folder, "own")
    with pytest.raises(LoadRefused, match=r"yard_loader\._load_pyfunc"):
        registry.load_model("own")
    assert registry.load_model("own", trust=["yard_loader._load_pyfunc"]).predict([1]) == 42
