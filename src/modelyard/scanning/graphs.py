"""Model formats that are data, except for one door each: ONNX (external files), GGUF (templates), HDF5 (Lambda)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from modelyard.scanning.findings import Findings, Unreadable
from modelyard.scanning.source import Source
from modelyard.scanning.zips import escapes

_MAX_READ: Final = 32 << 20
_PIECE: Final = 1 << 20


# ONNX: onnx.proto, field numbers of ModelProto.graph, GraphProto.initializer and TensorProto.external_data
_GRAPH, _INITIALIZER, _EXTERNAL_DATA = 7, 5, 13


def scan_onnx(source: Source, findings: Findings) -> None:
    """Judge a model graph: weights may not be read from outside the model's own folder.

    Raises:
        Unreadable: It is not a protocol buffer to the end.
    """
    if source.size is None:
        raise Unreadable("a compressed ONNX file")
    for number, end in _fields(source, source.size):
        if number == _GRAPH:
            for inner, inner_end in _fields(source, end):
                if inner == _INITIALIZER:
                    _scan_tensor(source, inner_end, findings)
                source.stream.seek(inner_end)
        source.stream.seek(end)


def _scan_tensor(source: Source, end: int, findings: Findings) -> None:
    for number, part_end in _fields(source, end):
        if number == _EXTERNAL_DATA:
            entry = dict(_strings(source, part_end))
            location = entry.get(2, "") if entry.get(1) == "location" else ""
            if escapes(location):
                findings.refuse(f"reads weights from {location!r}, outside the model's folder")
        source.stream.seek(part_end)


def _strings(source: Source, end: int) -> Iterator[tuple[int, str]]:
    for number, part_end in _fields(source, end):
        data = source.read(min(part_end - source.tell(), 4096))
        yield number, data.decode("utf-8", "backslashreplace")
        source.stream.seek(part_end)


def _fields(source: Source, end: int) -> Iterator[tuple[int, int]]:
    """(field number, where its value ends); the reader stands at the start of each value."""
    while source.tell() < end:
        key = _varint(source)
        wire = key & 7
        if wire == 0:
            _varint(source)
            stop = source.tell()
        else:
            lengths = {1: 8, 5: 4}
            length = _varint(source) if wire == 2 else lengths.get(wire, -1)
            stop = source.tell() + length
            if length < 0 or stop > end:
                raise Unreadable("a malformed protocol buffer")
        yield key >> 3, stop


def _varint(source: Source) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = source.read(1)
        if not byte:
            break
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise Unreadable("a malformed protocol buffer")


# GGUF: ggml's docs/gguf.md, value types by number
_SIZES: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9
_MAX_KEYS: Final = 100_000
_TEMPLATE_DOORS: Final = ("__", "import", "popen", "eval", "exec", "attr(")


def scan_gguf(source: Source, findings: Findings) -> None:
    """Judge the metadata of a GGUF file: chat templates are programs for a template engine.

    Raises:
        Unreadable: The header is malformed.
    """
    source.skip(4)
    version, tensors, keys = _whole(source, 4), _whole(source, 8), _whole(source, 8)
    if version not in (2, 3) or keys > _MAX_KEYS or tensors > 1 << 32:
        raise Unreadable("a GGUF file of another version, or with absurd counts")
    for _ in range(keys):
        key = _gguf_string(source)
        value = _gguf_value(source, _whole(source, 4), 0)
        template = "chat_template" in key and isinstance(value, str)
        if template and any(door in value for door in _TEMPLATE_DOORS):
            findings.refuse(f"{key} reaches for more than a chat template needs")


def _gguf_value(source: Source, kind: int, depth: int) -> Any:
    if kind == _STRING:
        return _gguf_string(source)
    if kind == _ARRAY and depth < 4:
        inner, count = _whole(source, 4), _whole(source, 8)
        if inner in _SIZES:
            source.skip(_SIZES[inner] * count)
        else:
            for _ in range(count):
                _gguf_value(source, inner, depth + 1)
    elif kind in _SIZES:
        source.skip(_SIZES[kind])
    else:
        raise Unreadable("a GGUF value of an unknown kind")
    return None


def _gguf_string(source: Source) -> str:
    length = _whole(source, 8)
    if length > _PIECE:
        source.skip(length)
        raise Unreadable("a GGUF string above 1 MiB")
    return source.read(length).decode("utf-8", "backslashreplace")


def _whole(source: Source, width: int) -> int:
    data = source.read(width)
    if len(data) != width:
        raise Unreadable("truncated GGUF header")
    return int.from_bytes(data, "little")


def scan_hdf5(source: Source, findings: Findings) -> None:
    """Judge an HDF5 file: Keras keeps its layers as JSON in an attribute, and a ``Lambda`` there is Python code.

    Raises:
        Unreadable: It is too large to be read through.
    """
    before, seen = b"", 0
    while piece := source.read(_PIECE):
        seen += len(piece)
        if b'"Lambda"' in before + piece:
            findings.refuse("holds a Keras Lambda layer, which is Python code")
        if seen > _MAX_READ:
            raise Unreadable("an HDF5 file above 32 MiB, whose layers were not all looked at")
        before = piece[-16:]


def scan_keras_config(raw: bytes, findings: Findings) -> None:
    """Judge the ``config.json`` of a ``.keras`` archive: only Keras' own classes, and no ``Lambda``."""

    def visit(pairs: list[tuple[str, Any]]) -> None:
        found = {key: value for key, value in pairs if isinstance(value, str)}
        if found.get("class_name") in ("Lambda", "__lambda__"):
            findings.refuse("holds a Keras Lambda layer, which is Python code")
        module = found.get("module", "keras")
        if module.partition(".")[0] not in ("keras", "builtins"):
            findings.doubt(f"needs classes of {module}")

    try:
        json.loads(raw, object_pairs_hook=visit)
    except (ValueError, RecursionError):
        findings.doubt("config.json is not JSON")
