"""Honest models: each is clean and loads under the guard with nothing trusted but what was recorded."""

from __future__ import annotations

import io
import pickle
import warnings
from pathlib import Path
from typing import Any

import joblib
import pytest

from corpus.honest import COMMON, composed, estimators, objects
from modelyard.domain.records import ScanReport
from modelyard.flavors import guard
from modelyard.ports.flavors import Trust
from modelyard.scanning.scanner import TracingScanner


def scan(data: bytes) -> ScanReport:
    return TracingScanner().scan(io.BytesIO(data), size=len(data))


def check(model: Any, folder: Path) -> list[str]:
    """What went wrong for one model, by joblib and by pickle."""
    file = io.BytesIO()
    joblib.dump(model, file)
    wrong = []
    for form, data, load in (
        ("joblib", file.getvalue(), guard.load_joblib),
        ("pickle", pickle.dumps(model, 5), guard.load_pickle),
    ):
        report = scan(data)
        if report.verdict != "clean":
            wrong.append(f"{form}: {report.reasons}")
            continue
        path = folder / "model"
        path.write_bytes(data)
        loaded = load(path, Trust(pinned=frozenset(report.globals)))
        if type(loaded) is not type(model):
            wrong.append(f"{form}: loaded as {type(loaded)}")
    return wrong


@pytest.mark.parametrize(
    ("only", "least"), [(COMMON, 55), pytest.param(None, 150, marks=pytest.mark.long)], ids=["common", "all"]
)
def test_estimators_are_clean_and_load(only: frozenset[str] | None, least: int, tmp_path: Path) -> None:
    wrong, count = {}, 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, model in estimators(only):
            count += 1
            if problems := check(model, tmp_path):
                wrong[name] = problems
    assert not wrong
    assert count >= least


@pytest.mark.parametrize("label", sorted(composed()))
def test_composed_models_are_clean_and_load(label: str, tmp_path: Path) -> None:
    assert check(composed()[label](), tmp_path) == []


@pytest.mark.parametrize("label", sorted(objects()))
def test_arrays_frames_and_plain_data_are_clean_and_load(label: str, tmp_path: Path) -> None:
    assert check(objects()[label], tmp_path) == []


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("label", ["pipeline", "random_state"])
def test_every_protocol_is_understood(label: str, protocol: int, tmp_path: Path) -> None:
    model = composed()[label]()
    file = io.BytesIO()
    joblib.dump(model, file, protocol=protocol)
    assert scan(file.getvalue()).verdict == "clean"
    assert scan(pickle.dumps(model, protocol)).verdict == "clean"


@pytest.mark.parametrize("method", ["zlib", "gzip", "bz2", "xz", "lzma", "lz4"])
def test_every_compressor_of_joblib_is_opened(method: str, tmp_path: Path) -> None:
    model = composed()["stacking"]()
    path = tmp_path / "model.joblib"
    joblib.dump(model, path, compress=(method, 3))
    report = scan(path.read_bytes())
    assert (report.verdict, report.format, report.kind) == ("clean", "joblib", "code-capable")
    assert "sklearn.ensemble._stacking.StackingRegressor" in report.globals
    loaded = guard.load_joblib(path, Trust(pinned=frozenset(report.globals)))
    assert type(loaded) is type(model)
