"""Model formats that are data, except for one door each: ONNX (external files), GGUF (templates), HDF5 (Lambda)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from modelyard.scanning.findings import Findings, Unreadable
from modelyard.scanning.source import Source
from modelyard.scanning.zips import escapes

_MAX_READ: Final = 32 << 20
_PIECE: Final = 1 << 20


# ONNX: onnx.proto. For each message, the fields in which tensors can lie, and what is inside them.
_INSIDE: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "external"},
}
_DEEPEST: Final = 64
_MOST_FIELDS: Final = 4_000_000
_LONGEST: Final = 4096
"""Bytes of a path or key: the longest that Linux opens."""
_NUMBERS: Final = re.compile(
    rb"(?:\x3d.{4}|\x40[\x80-\xff]{0,9}[\x00-\x7f]|\x4a(?:%s))*+"
    % b"|".join(b"\\x%02x.{%d}" % (length, length) for length in range(128)),
    re.DOTALL,
)
"""AttributeProto's floats, ints and short strings, which are not packed: forests have millions of each, and to pass
over them one by one would take seconds."""


def scan_onnx(source: Source, findings: Findings) -> None:
    """Judge a model graph: weights may not be read from outside the model's own folder.

    Every tensor is looked at, also those in attributes, in graphs within graphs, in functions and in training steps.

    Raises:
        Unreadable: It is not a protocol buffer to the end, or has more parts than any model.
    """
    if source.size is None:
        raise Unreadable("a compressed ONNX file")
    _Graph(source, findings).message("model", source.size, 0)


class _Graph:
    """Walks a protocol buffer by the table above, passing over everything else."""

    __slots__ = ("findings", "left", "source")

    def __init__(self, source: Source, findings: Findings):
        self.source = source
        self.findings = findings
        self.left = _MOST_FIELDS

    def message(self, kind: str, end: int, depth: int) -> None:
        """Look into one message that ends at ``end``."""
        if depth > _DEEPEST:
            raise Unreadable(f"an ONNX graph nested more than {_DEEPEST} levels deep")
        inside = _INSIDE[kind]
        for number, stop in self.fields(end, numbers=kind == "attribute"):
            child = inside.get(number)
            if child == "external":
                self.external(stop)
            elif child is not None:
                self.message(child, stop, depth + 1)
            self.source.stream.seek(stop)

    def external(self, end: int) -> None:
        """One key and value of where a tensor's bytes lie."""
        entry: dict[int, str] = {}
        for number, stop in self.fields(end):
            length = stop - self.source.tell()
            if length > _LONGEST:
                raise Unreadable(f"a path or key of more than {_LONGEST} bytes")
            entry[number] = self.source.read(length).decode("utf-8", "backslashreplace")
        location = entry.get(2, "") if entry.get(1) == "location" else ""
        if escapes(location):
            self.findings.refuse(f"reads weights from {location!r}, outside the model's folder")

    def fields(self, end: int, *, numbers: bool = False) -> Iterator[tuple[int, int]]:
        """(field number, where its value ends); the reader stands at the start of each value."""
        while (at := self.source.tell()) < end:
            if numbers:
                at = self._pass_numbers(at, end)
                if at == end:
                    return
            self.left -= 1
            if self.left < 0:
                raise Unreadable(f"an ONNX file of more than {_MOST_FIELDS} parts")
            key = _varint(self.source)
            stop = self._stop(key & 7)
            if stop > end:
                raise Unreadable("a malformed protocol buffer")
            yield key >> 3, stop

    def _pass_numbers(self, at: int, end: int) -> int:
        while at < end:
            run = _NUMBERS.match(self.source.peek(min(end - at, _PIECE)))
            if run is None or not run.end():
                break
            at += run.end()
            self.source.stream.seek(at)
        return at

    def _stop(self, wire: int) -> int:
        """Where a value of this wire type ends, or far away for one that there is not."""
        if wire == 0:
            _varint(self.source)
            return self.source.tell()
        length = _varint(self.source) if wire == 2 else {1: 8, 5: 4}.get(wire, 1 << 70)
        return self.source.tell() + length


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
