"""Formats other than pickles: what each is called, and what of it is believed."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.hostile import _gguf, _onnx, _tar, _zip
from modelyard.domain.records import ScanReport
from modelyard.scanning.scanner import TracingScanner


def scan(data: bytes) -> ScanReport:
    return TracingScanner().scan(io.BytesIO(data), size=len(data))


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def tensors(header: Any, body: bytes = b"\0" * 8, length: int | None = None) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + body


ONE = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}


@pytest.mark.parametrize(
    ("data", "format_", "kind"),
    [
        (b"", "empty", "data"),
        (b"a,b\n1,2\n", "text", "data"),
        ("Grüße\n".encode() * 1000, "text", "data"),
        (b'{"a": [1, 2]}', "json", "data"),
        (b"name: x\nvalue: 1\n", "yaml", "data"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "png", "data"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 50, "jpeg", "data"),
        (b"PAR1" + b"\0" * 50, "parquet", "data"),
        (tensors(ONE), "safetensors", "data"),
        (npy(np.arange(5)), "npy", "data"),
        (npy(np.array([("a", 1.0)], dtype=[("x", "U3"), ("y", "f8")])), "npy", "data"),
        (npy(np.array(["x", None])), "npy", "code-capable"),
        (_zip({"a.npy": npy(np.eye(2)), "b.npy": npy(np.ones(3))}), "npz", "data"),
        (_zip({"a.npy": npy(np.eye(2))}, zipfile.ZIP_DEFLATED), "npz", "data"),
        (_zip({"readme.txt": b"text", "data/x.csv": b"1,2\n"}), "zip", "data"),
        (_tar({"readme.txt": b"text"}), "tar", "data"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "text", "data"),
        (gzip.compress(_tar({"x.csv": b"1,2\n"}), mtime=0), "tar", "data"),
        (_onnx("weights.bin"), "onnx", "data"),
        (_gguf("{% for m in messages %}{{ m.content }}{% endfor %}"), "gguf", "data"),
    ],
)
def test_known_data_is_clean_and_called_by_its_name(data: bytes, format_: str, kind: str) -> None:
    report = scan(data)
    assert (report.verdict, report.format, report.kind, report.reasons) == ("clean", format_, kind, ())


@pytest.mark.parametrize(
    ("data", "format_", "kind"),
    [
        (bytes(range(1, 200)) * 3, "unknown", "unknown"),
        (b"\x7fELF" + b"\0" * 50, "elf", "code"),
        (b"#!/bin/sh\nrm -rf /\n", "script", "code"),
        (b"import os\n\ndef main():\n    pass\n", "python", "code"),
        (b"\x28\xb5\x2f\xfd" + b"\0" * 20, "zstd", "unknown"),
        (_zip({"train.py": b"import os\nos.system('x')\n"}), "zip", "data"),
        (gzip.compress(b"text", mtime=0)[:-6], "text", "data"),
    ],
)
def test_code_and_what_nobody_knows_is_never_clean(data: bytes, format_: str, kind: str) -> None:
    report = scan(data)
    assert (report.verdict, report.format, report.kind) == ("unknown", format_, kind)


@pytest.mark.parametrize(
    "data",
    [
        tensors(ONE, b"\0" * 7),
        tensors(ONE, b"\0" * 9),
        tensors({"a": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}, b"\0" * 12),
        tensors({"a": ONE["a"], "b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}),
        tensors({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}),
        tensors({"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}}),
        tensors({"a": {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}}),
        tensors({"a": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}}),
        tensors({"a": {"shape": [2]}}),
        tensors({"a": [1]}),
        tensors(b'{"a": 1, "a": 2}'),
        tensors(b"{not json at all"),
        tensors(b"{" * 5000),
        tensors(ONE, length=2**63),
        tensors(ONE, length=50_000_000),
    ],
)
def test_A54_a_safetensors_header_that_lies_is_not_clean(data: bytes) -> None:
    assert scan(data).verdict == "unknown"


@pytest.mark.parametrize("location", ["../x", "/etc/passwd", "a/../../x", "C:\\x", "..\\x"])
def test_A54_onnx_weights_outside_the_folder_are_unsafe(location: str) -> None:
    assert scan(_onnx(location)).verdict == "unsafe"


@pytest.mark.parametrize("cut", range(5, 45, 5))
def test_A54_a_gguf_header_cut_short_is_not_clean(cut: int) -> None:
    assert scan(_gguf("{{ x }}")[:cut]).verdict == "unknown"


@pytest.mark.parametrize(
    "data",
    [
        npy(np.arange(5))[:-1],
        npy(np.arange(5)) + b"x",
        npy(np.arange(5)).replace(b"(5,)", b"(9,)"),
        b"\x93NUMPY\x01\x00\xff\xff{",
        b"\x93NUMPY\x09\x00" + npy(np.arange(5))[8:],
    ],
)
def test_an_npy_file_whose_header_lies_is_not_clean(data: bytes) -> None:
    assert scan(data).verdict == "unknown"


@given(cut=st.integers(1, 400), at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_damaged_archives_never_make_the_scanner_fail(cut: int, at: int, byte: int) -> None:
    for whole in (_zip({"a.npy": npy(np.eye(2)), "b.txt": b"x"}), _tar({"a": b"text", "b": npy(np.eye(2))})):
        data = bytearray(whole)
        data[at % len(data)] = byte
        assert scan(bytes(data)).verdict in ("clean", "unknown", "unsafe")
        assert scan(bytes(whole[:-cut])).verdict in ("clean", "unknown", "unsafe")


def test_bytes_around_an_archive_are_not_clean() -> None:
    archive = _zip({"a.txt": b"text"})
    assert scan(archive + b"more").verdict == "unknown"
    assert scan(b"PK\x03\x04" + b"\0" * 30 + archive).verdict == "unknown"


def test_a_skops_archive_is_judged_by_the_classes_it_names(tmp_path: Any) -> None:
    skops_io = pytest.importorskip("skops.io")
    from sklearn.linear_model import Ridge

    data = skops_io.dumps(Ridge().fit([[0.0], [1.0]], [0, 1]))
    assert (scan(data).verdict, scan(data).format) == ("clean", "skops")
    evil = _zip({"schema.json": b'{"__class__": "system", "__module__": "os", "content": []}'})
    assert scan(evil).verdict == "unsafe"
    assert scan(_zip({"schema.json": b"{broken"})).verdict == "unknown"


def test_the_ruleset_names_the_rules_in_force() -> None:
    assert TracingScanner().ruleset.startswith("sha256:")
    assert scan(b"x").ruleset == TracingScanner().ruleset


def test_hostile_names_are_printable_in_reasons() -> None:
    report = scan(b"\x80\x04c\x1b[31mevil\nna\xc3\xafve\n.")
    assert all(text.isprintable() for text in (*report.reasons, *report.globals))
