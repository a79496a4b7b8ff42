"""Contents that differ only where nobody looks get one verdict; where anybody looks, each its own."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from collections.abc import Iterator

import joblib
import numpy
import pytest

from modelyard.domain.records import ScanReport
from modelyard.scanning import scanner, twins
from modelyard.scanning.scanner import TracingScanner


class Opener:
    """What runs a command when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


@pytest.fixture(autouse=True)
def no_memory() -> Iterator[None]:
    """Each test begins and ends with nothing remembered."""
    forget()
    yield
    forget()


def forget() -> None:
    scanner._REMEMBERED.clear()
    twins._TWINS.clear()


def dumped(value: object) -> bytes:
    written = io.BytesIO()
    joblib.dump(value, written)
    return written.getvalue()


def verdict(content: bytes) -> ScanReport:
    return TracingScanner().scan(io.BytesIO(content), size=len(content))


def fresh(content: bytes) -> ScanReport:
    """The verdict of a process that has seen nothing else."""
    kept = dict(scanner._REMEMBERED), dict(twins._TWINS)
    forget()
    try:
        return verdict(content)
    finally:
        scanner._REMEMBERED.update(kept[0])
        twins._TWINS.clear()
        twins._TWINS.update(kept[1])


def model(fill: float) -> bytes:
    return dumped({"coef": numpy.full(5, fill), "names": numpy.array(["a", None], dtype=object), "tol": 1})


def test_a_pickle_in_more_pieces_than_are_kept_is_judged_and_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(twins, "_TWINS", kept := {})
    for count in (twins.MOST_SPANS, twins.MOST_SPANS + 1):
        assert verdict(b"\x80\x04" + b"C\x01a0" * count + b"C\x000" * 5000 + b"N.").verdict == "clean"
        assert len(kept) == 1


def test_content_that_differs_in_the_data_of_an_array_is_a_twin_and_is_not_followed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = verdict(model(1.5))
    monkeypatch.setattr(scanner, "trace", None)

    assert verdict(model(2.5)) == first
    assert first.verdict == "clean"


def test_every_single_changed_byte_gets_the_verdict_it_would_get_alone() -> None:
    content = model(1.5)
    verdict(content)

    for place in range(len(content)):
        changed = content[:place] + bytes([content[place] ^ 0x01]) + content[place + 1 :]
        assert verdict(changed) == fresh(changed), f"byte {place}"
        verdict(content)


def test_a_hostile_pickle_behind_the_data_of_an_array_is_seen_though_the_array_is_a_twin() -> None:
    tail = pickle.dumps(Opener(), protocol=4)
    benign = pickle.dumps("x" * (len(tail) - 15), protocol=4)
    assert len(benign) == len(tail)

    assert verdict(model(1.5) + benign).verdict == "clean"
    assert verdict(model(2.5) + tail).verdict == "unsafe"


def test_only_the_latest_of_a_size_and_few_sizes_are_kept() -> None:
    for length in range(twins.LIMIT + 5):
        verdict(dumped(numpy.zeros(length + 1)))

    assert 0 < len(twins._TWINS) <= twins.LIMIT


def test_a_verdict_is_recalled_by_the_digest_of_what_was_judged() -> None:
    content = model(1.5)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert TracingScanner().recall(digest) is None

    assert verdict(content) == TracingScanner().recall(digest)
