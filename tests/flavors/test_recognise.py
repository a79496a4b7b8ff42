"""Directories and files of deep-learning frameworks are known without the frameworks, made here by hand."""

from __future__ import annotations

import importlib.util
import json
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from corpus.hostile import _zip
from modelyard.domain.errors import InvalidInput, LoadRefused, MissingDependency
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import detect
from modelyard.ports.flavors import SaveOptions, Trust

CONFIG = {"architectures": ["BertModel"], "model_type": "bert", "transformers_version": "5.0.0"}
HEADER = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
TENSORS = struct.pack("<Q", len(HEADER)) + HEADER + b"\0" * 4
PIPELINE = '[nlp]\nlang = "en"\npipeline = ["mine"]\n\n[components]\n\n[components.mine]\nfactory = "mine"\n'


def bert(folder: Path, weights: str = "model.safetensors") -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / weights).write_bytes(TENSORS)
    return folder


def spacy(folder: Path, config: str = PIPELINE, meta: str = '{"lang": "en", "pipeline": ["mine"]}') -> Path:
    folder.mkdir()
    (folder / "config.cfg").write_text(config)
    (folder / "meta.json").write_text(meta)
    return folder


def test_a_directory_of_transformers_is_known_by_its_configuration_and_weights(tmp_path: Path) -> None:
    record = detect.flavor_of_directory(bert(tmp_path / "a"))
    assert (record.name, record.framework, record.framework_version) == (
        "transformers",
        "transformers",
        "5.0.0",
    )
    assert (record.algorithm, record.globals, record.facts) == ("BertModel", (), {"model_type": "bert"})
    assert detect.flavor_of_directory(bert(tmp_path / "b", "tf_model.h5")).name == "directory"


def test_pickled_weights_are_named(tmp_path: Path) -> None:
    folder = bert(tmp_path / "a", "pytorch_model.bin")
    files = {"x/data.pkl": b"cmy_pkg\nNet\n)\x81.", "x/version": b"3\n"}
    (folder / "pytorch_model.bin").write_bytes(_zip(files))
    assert detect.flavor_of_directory(folder).globals == ("my_pkg.Net",)


def test_a_pipeline_of_spacy_is_known_and_names_what_is_not_its_own(tmp_path: Path) -> None:
    record = detect.flavor_of_directory(spacy(tmp_path / "a"))
    assert (record.name, record.framework, record.facts["pipeline"]) == ("spacy", "spacy", ["mine"])
    assert record.globals == ("spacy.registry.factories.mine",)
    with pytest.raises(LoadRefused, match=r"spacy\.registry\.factories\.mine"):
        detect.load(tmp_path / "a", record, Trust(pinned=frozenset(record.globals)))


@pytest.mark.parametrize("meta", ["", "[]", '{"lang": 1}', "[" * 100_000])
def test_a_directory_with_another_meta_is_no_pipeline(meta: str, tmp_path: Path) -> None:
    assert detect.flavor_of_directory(spacy(tmp_path / "a", meta=meta)).name == "directory"


@pytest.mark.parametrize(
    "names", [{"a": 1}, {"a": "../x.safetensors"}, {"a": "missing.safetensors"}, [], None]
)
def test_an_index_that_names_other_files_is_not_followed(names: object, tmp_path: Path) -> None:
    folder = bert(tmp_path / "a", "part.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    assert detect.flavor_of_directory(folder).name == "directory"


def test_files_are_known_by_their_content(tmp_path: Path) -> None:
    state = pickle.dumps({"epoch": 1}, 2)
    keras = {"config.json": b"{}", "metadata.json": b"{}", "model.weights.h5": b"\x89HDF\r\n\x1a\n"}
    made = {
        "torch_pickle": {"x/data.pkl": state},
        "torchscript": {"x/data.pkl": state, "x/constants.pkl": b")."},
        "torch_export": {"x/archive_format": b"pt2", "x/models/model.json": b"{}"},
        "keras": keras,
    }
    for name, files in made.items():
        (tmp_path / "weights.bin").write_bytes(_zip(files))
        assert detect.flavor_of_file(tmp_path / "weights.bin").name == name


@pytest.mark.parametrize(
    ("name", "library"),
    [("torch", "torch"), ("keras", "keras"), ("transformers", "transformers"), ("spacy", "spacy")],
)
def test_what_is_not_installed_is_named_with_its_extra(name: str, library: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(library) is not None:
        pytest.skip(f"{library} is installed here")
    (tmp_path / "model.safetensors").write_bytes(TENSORS)
    (tmp_path / "config.cfg").write_text("[nlp]\n")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "model.keras").write_bytes(
        _zip({"config.json": b"{}", "model.weights.h5": b"\x89HDF\r\n\x1a\n"})
    )
    entry = {"torch": "model.safetensors", "keras": "model.keras"}.get(name, ".")
    with pytest.raises(MissingDependency, match=rf"modelyard\[{name}\]"):
        detect.load(tmp_path, FlavorRecord(name=name, entry=entry), Trust())


@pytest.mark.parametrize("name", ["torch", "torchscript", "torch_export", "keras", "transformers", "spacy"])
def test_another_object_is_refused_by_name_or_for_want_of_the_library(name: str, tmp_path: Path) -> None:
    with pytest.raises((InvalidInput, MissingDependency), match=r"expected|modelyard\["):
        detect.by_name(name).save([1], tmp_path, SaveOptions())


def test_asking_whose_an_object_is_imports_no_framework() -> None:
    code = (
        "import sys; from modelyard.flavors import detect; detect.flavor_for({'a': 1}); detect.flavor_for([1]);"
        "names = ('torch', 'keras', 'transformers', 'spacy', 'mlflow', 'numpy', 'yaml');"
        "print([name for name in names if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
