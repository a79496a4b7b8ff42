"""A file or folder under the flavor that the caller names: believed where it can be, checked where it must be."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from modelyard.domain.errors import InvalidInput
from modelyard.flavors import detect


@pytest.fixture
def array(tmp_path: Path) -> Path:
    np.save(tmp_path / "a.npy", np.eye(2))
    return tmp_path / "a.npy"


def test_content_decides_where_nothing_is_said(array: Path) -> None:
    assert detect.flavor_of_path(array).name == "numpy"
    assert detect.flavor_of_path(array, "numpy").name == "numpy"
    assert detect.flavor_of_path(array.parent).name == "directory"


def test_anything_may_be_kept_as_it_is(array: Path) -> None:
    assert detect.flavor_of_path(array, "file").name == "file"
    assert detect.flavor_of_path(array.parent, "directory").entry == "."


@pytest.mark.parametrize("wanted", ["onnx", "joblib", "xgboost", "directory"])
def test_what_the_content_contradicts_is_refused(wanted: str, array: Path) -> None:
    with pytest.raises(InvalidInput, match=rf"{wanted!r}.*is of format 'numpy'"):
        detect.flavor_of_path(array, wanted)


def test_a_pickle_may_be_read_as_joblib_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(pickle.dumps(np.eye(2)))
    found = detect.flavor_of_path(path, "joblib")
    assert (found.name, found.entry) == ("joblib", "model.bin")
    assert "numpy.ndarray" in found.globals


def test_a_name_that_nobody_has_is_refused(array: Path) -> None:
    with pytest.raises(InvalidInput, match="'onyx'"):
        detect.flavor_of_path(array, "onyx")
