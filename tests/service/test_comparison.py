"""Comparing with the per-example results that travel with two versions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelyard.adapters.statistics import ScipyStatistics
from modelyard.domain import results
from modelyard.domain.records import Actor, FileEntry
from modelyard.ports import service as ask
from modelyard.service.local import LocalService
from modelyard.wire.codec import decode, encode

RIGHT = [index < 60 for index in range(100)]
BETTER = [index < 80 for index in range(100)]


@pytest.fixture
def tested(service: LocalService) -> LocalService:
    """The same registry with somebody who can test."""
    service.statistics = ScipyStatistics()
    return service.as_actor(Actor(name="ann"))


def register(service: LocalService, files: dict[str, bytes], **facts: Any) -> str:
    entries = []
    for path, data in files.items():
        info = service.put_blob([data])
        entries.append(FileEntry(path=path, size=info.size, digest=info.digest, role="artifact"))
    request = ask.CreateVersion(name="fraud", files=tuple(entries), **facts)
    return service.create_version(request).model_id


def lines(correct: list[bool]) -> bytes:
    rows = ({"example_id": index, "correct": value} for index, value in enumerate(correct))
    return b"\n".join(json.dumps(row).encode() for row in rows)


def parquet(correct: list[bool]) -> bytes:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"example_id": list(range(len(correct))), "correct": correct}), sink)
    return bytes(sink.getvalue())


def test_results_of_both_versions_are_compared_in_pairs_whatever_their_form(tested: LocalService) -> None:
    a = register(tested, {"results/test.jsonl": lines(RIGHT)})
    b = register(tested, {"results/test.parquet": parquet(BETTER)})
    found = tested.compare(a, b)
    (row,) = found.metrics
    assert (row.name, row.test, row.n) == ("accuracy[test]", "McNemar exact", (100, 100))
    assert (found.winner, found.notes) == (b, ())
    assert decode(type(found), encode(found)) == found


def test_results_that_one_side_lacks_are_noted(tested: LocalService) -> None:
    a = register(tested, {"results.jsonl": lines(RIGHT), "results/x.jsonl": lines(RIGHT)})
    b = register(tested, {"results.jsonl": lines(BETTER), "results/y.jsonl": lines(RIGHT)})
    found = tested.compare(a, b)
    assert found.winner == b
    assert found.notes == (
        "per-example results of x not used: fraud:0.1.1 has none",
        "per-example results of y not used: fraud:0.1.0 has none",
    )


@pytest.mark.parametrize(
    ("path", "bad", "said"),
    [
        ("results.jsonl", b'{"example_id": 1, "loss": NaN}', "results.jsonl of fraud:0.1.1: line 1"),
        ("results.parquet", b"PAR1", "results.parquet of fraud:0.1.1: not a readable parquet file"),
    ],
)
def test_results_that_cannot_be_read_are_noted_and_the_rest_is_compared(
    tested: LocalService, path: str, bad: bytes, said: str
) -> None:
    a = register(tested, {"results.jsonl": lines(RIGHT)}, metrics={"accuracy": 0.6})
    b = register(tested, {path: bad}, metrics={"accuracy": 0.8})
    found = tested.compare(a, b)
    assert (found.winner, found.confidence_kind) == (b, "heuristic")
    assert found.notes[0].startswith(f"per-example results not used: {said}")


def test_results_too_large_to_be_read_are_noted(
    tested: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "MOST_BYTES", 1000)
    a, b = (register(tested, {"results.jsonl": lines(side)}) for side in (RIGHT, BETTER))
    (note,) = tested.compare(a, b).notes
    assert "expected at most 1,000 bytes, found" in note


def test_results_whose_bytes_are_gone_are_noted(tested: LocalService) -> None:
    a, b = (register(tested, {"results.jsonl": lines(side)}) for side in (RIGHT, BETTER))
    tested.blobs.delete(tested.get_version(b).files[0].digest)
    (note,) = tested.compare(a, b).notes
    assert note.startswith("per-example results not used: ")


def test_a_service_without_statistics_compares_bare_numbers_and_says_so(service: LocalService) -> None:
    a = register(service, {"results.jsonl": lines(RIGHT)}, metrics={"accuracy": 0.6})
    b = register(service, {"results.jsonl": lines(BETTER)}, metrics={"accuracy": 0.8})
    c = register(service, {"results.parquet": b"PAR1"}, metrics={"accuracy": 0.8})
    found = service.compare(a, b)
    assert (found.winner, found.confidence_kind) == (b, "heuristic")
    assert found.notes == ("no statistics are at hand here",)
    assert "parquet files cannot be read here" in service.compare(a, c).notes[0]


def test_a_version_compared_with_itself_has_no_winner(tested: LocalService) -> None:
    a = register(tested, {"results.jsonl": lines(RIGHT)})
    found = tested.compare(a, a)
    assert (found.winner, found.metrics[0].p_value) == (None, 1.0)
