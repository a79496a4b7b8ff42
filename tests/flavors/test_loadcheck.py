"""The drill: does it load in a fresh interpreter, under the same guard?"""

from __future__ import annotations

from pathlib import Path

import pytest

from corpus.honest import composed
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import loadcheck
from modelyard.flavors.joblib import JoblibFlavor
from modelyard.ports.flavors import SaveOptions, Trust


def test_a_model_that_loads_is_reported_with_time_and_packages(tmp_path: Path) -> None:
    record = JoblibFlavor().save(composed()["pipeline"](), tmp_path, SaveOptions())
    answer = loadcheck.run(tmp_path, record, Trust(pinned=record.globals))
    assert (answer["ok"], answer["error"]) == (True, "")
    assert answer["seconds"] > 0
    assert "scikit-learn" in answer["packages"]


def test_what_is_not_trusted_here_is_not_trusted_there(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (tmp_path / "m.pkl").write_bytes(b"cos\nsystem\n(Vtouch " + str(canary).encode() + b"\ntR.")
    record = FlavorRecord(name="pickle", entry="m.pkl", globals=("os.system",))
    answer = loadcheck.run(tmp_path, record, Trust(pinned={"os.system"}, allowed=("*",), own={"os.system"}))
    assert not answer["ok"]
    assert "LoadRefused" in answer["error"]
    assert not canary.exists()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return tmp_path / "site"


def probe(tmp_path: Path, package: Path, body: str, timeout: float) -> dict[str, object]:
    (package / "drill_pkg.py").write_text(
        f"class Model:\n    def __setstate__(self, state):\n        {body}\n"
    )
    (tmp_path / "m.pkl").write_bytes(b"\x80\x04cdrill_pkg\nModel\n)\x81}b.")
    record = FlavorRecord(name="pickle", entry="m.pkl", globals=("drill_pkg.Model",))
    return loadcheck.run(tmp_path, record, Trust(pinned=record.globals, own=record.globals), timeout)


def test_a_model_that_talks_while_loading_cannot_forge_the_answer(tmp_path: Path, package: Path) -> None:
    forged = """print('{"error": ""}', flush=True); raise RuntimeError('really broken')"""
    answer = probe(tmp_path, package, forged, 60)
    assert answer["ok"] is False
    assert "really broken" in str(answer["error"])


def test_a_model_that_ends_the_process_has_failed(tmp_path: Path, package: Path) -> None:
    answer = probe(tmp_path, package, "__import__('os')._exit(3)", 60)
    assert answer["error"] == "the process ended with code 3"


def test_a_model_that_never_comes_back_is_ended(tmp_path: Path, package: Path) -> None:
    answer = probe(tmp_path, package, "[None for _ in iter(int, 1)]", 1)
    assert answer["error"] == "did not load within 1 s"
