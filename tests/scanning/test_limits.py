"""A10: whatever comes in, little memory goes out. Sizes are kept small enough for every run; limits are absolute."""

from __future__ import annotations

import io
import json
import pickle
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from modelyard.domain.records import ScanReport
from modelyard.scanning import compression, tracer
from modelyard.scanning.scanner import TracingScanner

MEGABYTE = 1 << 20


def scan_file(path: Path) -> ScanReport:
    with path.open("rb") as file:
        return TracingScanner().scan(file, size=path.stat().st_size)


@pytest.fixture
def growth() -> Iterator[list[float]]:
    """Collects the peak of traced memory, in MB, once the test is over; fails above 100."""
    tracemalloc.start()
    yield []
    peak = tracemalloc.get_traced_memory()[1] / MEGABYTE
    tracemalloc.stop()
    assert peak < 100


def bomb(path: Path, start: bytes, size: int) -> None:
    """``start`` and ``size`` zeros, as gzip."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    with path.open("wb") as file:
        file.write(packer.compress(start))
        for _ in range(size // (16 * MEGABYTE)):
            file.write(packer.compress(bytes(16 * MEGABYTE)))
        file.write(packer.flush())


def test_A10_a_gzip_bomb_is_not_inflated(tmp_path: Path, growth: list[float]) -> None:
    bomb(tmp_path / "x", b"", 512 * MEGABYTE)
    report = scan_file(tmp_path / "x")
    assert report.verdict == "unknown"


def test_A10_a_gzip_bomb_behind_a_pickle_stops_at_the_limit(
    tmp_path: Path, growth: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "ALWAYS", 64 * MEGABYTE)
    bomb(tmp_path / "x", b"\x80\x04\x8e" + struct.pack("<Q", 10 << 30), 512 * MEGABYTE)
    report = scan_file(tmp_path / "x")
    assert report.verdict == "unknown"
    assert any("grows beyond" in reason for reason in report.reasons)


def test_A10_too_many_archive_entries_are_not_listed(tmp_path: Path, growth: list[float]) -> None:
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(entry) * 1_000_000, 0, 0)
    (tmp_path / "x").write_bytes(b"PK\x03\x04" + entry * 1_000_000 + end)
    assert scan_file(tmp_path / "x").verdict == "unknown"


def test_A10_overlapping_archive_entries_are_not_clean(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x", "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.txt"), "text")
        archive.writestr(zipfile.ZipInfo("a.txt2"), "text")
    data = bytearray((tmp_path / "x").read_bytes())
    second = data.rindex(b"PK\x01\x02")
    data[second + 42 : second + 46] = bytes(4)
    (tmp_path / "x").write_bytes(data)
    assert scan_file(tmp_path / "x").verdict == "unknown"


def test_A10_archives_nested_too_deeply_are_not_clean(tmp_path: Path) -> None:
    data = b"text"
    for depth in range(8):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(zipfile.ZipInfo(f"{depth}"), data)
        data = file.getvalue()
    (tmp_path / "x").write_bytes(data)
    assert scan_file(tmp_path / "x").verdict == "unknown"


@pytest.mark.parametrize(
    ("start", "part"),
    [
        (b"\x80\x04", b"\x8c\x06abc###\x940"),
        (b"\x80\x04(", b"\x8c\x06abc###"),
        (b"\x80\x04)", b"\x85\x85\x85\x85"),
        (
            b"\x80\x04",
            b"ca______________________________________________________________________________________________________________________________________________________###\nb\n0",
        ),
        (b"\x80\x04", b"cnumpy\ndtype\n\x8c\x02f8\x85R\x94}\x940\x8c\x01xK\x01s0"),
        (b"\x80\x04", b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81\x94}\x94(\x8c\x05shapeK\x01u00"),
    ],
)
def test_A10_a_pickle_of_endless_values_stays_small(
    start: bytes, part: bytes, tmp_path: Path, growth: list[float]
) -> None:
    with (tmp_path / "x").open("wb") as file:
        file.write(start)
        for at in range(220_000):
            file.write(part.replace(b"###", b"%03d" % (at % 1000)))
        file.write(b"N.")
    assert scan_file(tmp_path / "x").verdict in ("clean", "unknown")


class Counting(io.FileIO):
    """A file that knows how much of it was read."""

    total = 0

    def readinto(self, buffer: Any, /) -> int:
        count = super().readinto(buffer) or 0
        self.total += count
        return count


@pytest.mark.parametrize("form", ["joblib", "pickle", "safetensors", "npy"])
def test_the_bytes_of_large_arrays_are_skipped_not_read(form: str, tmp_path: Path) -> None:
    path = tmp_path / "big"
    array = np.ones(8 * MEGABYTE // 8)
    with path.open("wb") as file:
        if form == "joblib":
            joblib.dump({"a": array, "z": [array, 1]}, file)
        elif form == "pickle":
            pickle.dump({"a": array, "z": 1}, file, protocol=5)
        elif form == "npy":
            np.save(file, array)
        else:
            header = json.dumps(
                {"a": {"dtype": "F64", "shape": [array.size], "data_offsets": [0, array.nbytes]}}
            )
            file.write(struct.pack("<Q", len(header)) + header.encode() + array.tobytes())
    with Counting(path) as raw:
        report = TracingScanner().scan(raw, size=path.stat().st_size)
        assert (report.verdict, report.format) == ("clean", form)
        assert raw.total < MEGABYTE


def test_a_pickle_of_more_operations_than_allowed_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pickle.dumps(list(range(5000)))
    findings_limit = 100
    monkeypatch.setattr(tracer.Tracer.run, "__defaults__", (findings_limit,))
    report = TracingScanner().scan(io.BytesIO(data), size=len(data))
    assert report.verdict == "unknown"
