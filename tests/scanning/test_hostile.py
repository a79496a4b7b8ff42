"""The hostile corpus against the scanner: nothing runs, nothing hostile is clean, and the corpus can really hurt."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from corpus import fire
from corpus.hostile import Payload, payloads
from modelyard.domain.records import ScanReport
from modelyard.scanning.scanner import TracingScanner

LABELS = sorted(payload.name for payload in payloads(Path("/nowhere")))
PACKED = [
    label
    for label in LABELS
    if label.startswith(("packed_", "zip", "tar", "gzip_", "as_", "npy_", "npz_", "joblib_"))
    or label in ("truncated", "breaks_after", "second_stream", "torch_zip")
]


@pytest.fixture
def corpus(tmp_path: Path) -> dict[str, Payload]:
    return {payload.name: payload for payload in payloads(tmp_path)}


def scan(data: bytes) -> ScanReport:
    return TracingScanner().scan(io.BytesIO(data), size=len(data))


def test_the_corpus_has_more_than_forty_payloads() -> None:
    assert len(LABELS) > 40


@pytest.mark.parametrize("label", LABELS)
def test_A52_scanning_runs_nothing_and_never_says_clean(label: str, corpus: dict[str, Payload]) -> None:
    payload = corpus[label]
    report = scan(payload.data)
    assert not payload.canary.exists()
    assert report.verdict == ("unsafe" if payload.denied else "unknown"), report
    assert report.reasons
    assert report.ruleset == TracingScanner().ruleset


@pytest.mark.parametrize("label", PACKED)
def test_A53_packing_cutting_or_renaming_hides_no_pickle(label: str, corpus: dict[str, Payload]) -> None:
    report = scan(corpus[label].data)
    assert report.verdict != "clean"
    assert report.kind in ("code-capable", "data", "unknown")


@pytest.mark.parametrize("label", [label for label in LABELS if label.startswith("packed_")])
def test_A53_a_hostile_pickle_cut_anywhere_is_never_clean(label: str, corpus: dict[str, Payload]) -> None:
    data = corpus[label].data
    for size in range(16, len(data), 7):
        assert scan(data[:size]).verdict != "clean", size


def test_the_corpus_fires_where_nothing_guards(tmp_path: Path) -> None:
    """Without this, a corpus that fires nowhere would let every guard pass."""
    canaries, files = tmp_path / "canaries", tmp_path / "files"
    canaries.mkdir()
    files.mkdir()
    found = payloads(canaries)
    for payload in found:
        if payload.runs:
            (files / payload.name).write_bytes(payload.data)
    subprocess.run(
        [sys.executable, fire.__file__, str(files)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    expected = {payload.name for payload in found if payload.runs}
    fired = {payload.name for payload in found if payload.canary.exists()}
    assert expected <= fired, sorted(expected - fired)
