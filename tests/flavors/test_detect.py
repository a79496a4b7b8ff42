"""Which flavor, and what it says about the model."""

from __future__ import annotations

import gzip
import json
import pickle
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from corpus.honest import composed, toy
from modelyard.domain.errors import InvalidInput, LoadRefused, NotSupported
from modelyard.flavors import capture, detect
from modelyard.ports.flavors import SaveOptions, Trust


def natural(model: Any) -> str:
    return detect.flavor_for(model).name


def test_the_natural_flavor_follows_the_class(tmp_path: Path) -> None:
    from sklearn.linear_model import Ridge

    (tmp_path / "f").write_bytes(b"x")
    assert natural(Ridge()) == "joblib"
    assert natural(composed()["pipeline"]()) == "joblib"
    assert natural({"a": np.eye(2)}) == "safetensors"
    assert natural(np.eye(2)) == "numpy"
    assert natural(np.array([None])) == "pickle"
    assert natural({"a": "text"}) == "pickle"
    assert natural({"a": np.array(["text"])}) == "pickle"
    assert natural(tmp_path / "f") == "file"
    assert natural(tmp_path) == "directory"


def test_a_format_by_name_wins_and_an_unknown_one_is_refused() -> None:
    assert detect.flavor_for(np.eye(2), "pickle").name == "pickle"
    with pytest.raises(InvalidInput, match=r"'onyx'.*joblib"):
        detect.flavor_for(np.eye(2), "onyx")
    with pytest.raises(NotSupported):
        detect.by_name("onyx")


@pytest.mark.parametrize("method", [0, "zlib", "gzip", "xz", "lz4"])
def test_a_joblib_file_of_any_name_is_known_and_loads(method: Any, tmp_path: Path) -> None:
    model = composed()["pipeline"]()
    path = tmp_path / "weights.bin"
    joblib.dump(model, path, compress=(method, 3) if method else 0)
    record = detect.flavor_of_file(path)
    assert (record.name, record.framework, record.algorithm) == ("joblib", "scikit-learn", "Pipeline")
    loaded = detect.by_name(record.name).load(tmp_path, record, Trust(pinned=record.globals))
    assert (loaded.predict(toy()[0]) == model.predict(toy()[0])).all()


def test_other_files_are_judged_by_content_not_by_name(tmp_path: Path) -> None:
    np.save(tmp_path / "x.pkl.npy", np.eye(2))
    np.save(tmp_path / "o.npy", np.array([None]), allow_pickle=True)
    cases = {
        "a.txt": (pickle.dumps([1]), "pickle"),
        "b.txt": (gzip.compress(pickle.dumps([1])), "pickle"),
        "c.txt": (pickle.dumps(OrderedDict(a=1), 0), "pickle"),
        "d.pkl": (b"just text\n", "file"),
        "e.joblib": (gzip.compress(b"just text\n"), "file"),
        "f.joblib": (b"\x00\x01\x02", "file"),
        "g.bin": ((tmp_path / "x.pkl.npy").read_bytes(), "numpy"),
        "h.bin": ((tmp_path / "o.npy").read_bytes(), "file"),
        "i.bin": (b"", "file"),
    }
    for name, (data, flavor) in cases.items():
        (tmp_path / name).write_bytes(data)
        record = detect.flavor_of_file(tmp_path / name)
        assert (name, record.name, record.entry) == (name, flavor, name)
        detect.by_name(record.name).load(tmp_path, record, Trust(pinned=record.globals))


def test_a_record_says_what_the_model_is(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    rows, y, _ = toy()
    record = detect.flavor_for(model := LogisticRegression(C=2.0).fit(rows, y)).save(
        model, tmp_path, SaveOptions()
    )
    assert (record.framework, record.algorithm) == ("scikit-learn", "LogisticRegression")
    assert record.framework_version == capture.version_of("scikit-learn") != ""
    assert record.hyperparams["C"] == 2.0
    assert record.facts == {"n_features_in": 4, "classes": [0, 1], "num_parameters": 5}
    json.dumps([record.hyperparams, record.facts], allow_nan=False)


def test_parameters_of_every_kind_become_json() -> None:
    class Odd:
        def get_params(self) -> dict[str, Any]:
            return {
                "nan": float("nan"), "numpy": np.float64(2), "type": int, "function": len, "object": object(),
                "estimator": composed()["unfitted"](), "deep": [[[[[[1]]]]]], "long": list(range(1000)),
                "text": "x" * 5000,
            }  # fmt: skip

    found = capture.hyperparams(Odd())
    assert found["nan"] == "nan"
    assert found["numpy"] == 2.0
    assert (found["type"], found["function"], found["object"], found["estimator"]) == (
        "int",
        "len",
        "object",
        "Ridge",
    )
    assert len(json.dumps(found, allow_nan=False)) < 5000


def test_a_model_that_cannot_name_its_parameters_is_still_a_model() -> None:
    class Broken:
        def get_params(self) -> dict[str, Any]:
            raise RuntimeError("no")

    assert capture.hyperparams(Broken()) == {}


@pytest.mark.parametrize("name", ["joblib", "pickle"])
def test_what_cannot_be_pickled_is_refused_with_the_way_out(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="move lambdas"):
        detect.by_name(name).save({"f": lambda: 1}, tmp_path, SaveOptions())


@pytest.mark.parametrize("compress", [10, -1, "rar", ("zlib", 11), ("zip", 1), 1.5])
def test_an_unknown_compression_is_refused(compress: Any, tmp_path: Path) -> None:
    for name in ("joblib", "pickle"):
        with pytest.raises(InvalidInput, match="compress="):
            detect.by_name(name).save([1], tmp_path, SaveOptions(compress=compress))
    assert list(tmp_path.iterdir()) == []


def test_arrays_of_objects_never_load_as_arrays(tmp_path: Path) -> None:
    from modelyard.domain.records import FlavorRecord

    np.save(tmp_path / "o.npy", np.array([None]), allow_pickle=True)
    with pytest.raises(LoadRefused):
        detect.by_name("numpy").load(tmp_path, FlavorRecord(name="numpy", entry="o.npy"), Trust())


def test_safetensors_files_are_those_of_the_library(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = {"b": np.arange(6, dtype="f4").reshape(2, 3), "a": np.ones(3, dtype="i8")}
    record = detect.by_name("safetensors").save(
        arrays, tmp_path, SaveOptions(extra={"metadata": {"z": "1", "a": "2"}})
    )
    read = safetensors.load_file(tmp_path / record.entry)
    assert all(np.array_equal(read[name], arrays[name]) for name in arrays)
    safetensors.save_file(arrays, tmp_path / "theirs.safetensors", metadata={"x": "y"})
    theirs = detect.flavor_of_file(tmp_path / "theirs.safetensors")
    loaded = detect.by_name("safetensors").load(tmp_path, theirs, Trust())
    assert all(np.array_equal(loaded[name], arrays[name]) for name in arrays)


def test_naming_a_flavor_imports_no_framework() -> None:
    code = (
        "import sys; from modelyard.flavors import detect, origin, environment, loadcheck; detect.flavor_for({'a': 1});"
        "detect.by_name('skops');"
        "print([m for m in ('numpy', 'joblib', 'sklearn', 'skops', 'safetensors', 'sqlalchemy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
