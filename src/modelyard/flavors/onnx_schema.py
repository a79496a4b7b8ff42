"""Inputs and outputs of an ONNX graph, read from its bytes: onnx itself is not needed, and weights are jumped over.

Field numbers are those of ``onnx.proto`` (ModelProto, GraphProto, ValueInfoProto, TypeProto).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final

from modelyard.domain.signature import DEEPEST, FREE, Field, Signature

_GRAPH: Final = 7
_INITIALIZER, _INPUT, _OUTPUT = 5, 11, 12
_TENSOR_NAME: Final = 8
_TENSOR, _SEQUENCE, _MAP, _SPARSE, _OPTIONAL = 1, 4, 5, 8, 9

ELEMENTS: Final = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    8: "string",
    9: "boolean",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
}
"""``TensorProto.DataType``; those of 8 bits and fewer that have no type here are ``any``."""

_LARGEST: Final = 1 << 20
"""Bytes of one input's description that are read: names and axes never come near."""


class _Odd(Exception):
    """Not a protocol buffer."""


def read_file(path: Path) -> Signature | None:
    """The signature of an ONNX file; ``None`` if it is none, or says nothing of inputs and outputs."""
    with path.open("rb") as file:
        try:
            graph = next(
                (end for number, _, end in _fields(file, path.stat().st_size) if number == _GRAPH), None
            )
            return None if graph is None else _graph(file, graph)
        except _Odd:
            return None


def read_live(model: Any) -> Signature | None:
    """The signature of a ``ModelProto``."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return _signature(
        [value.SerializeToString() for value in model.graph.input if value.name not in weights],
        [value.SerializeToString() for value in model.graph.output],
    )


def _graph(file: BinaryIO, end: int) -> Signature | None:
    inputs: list[bytes] = []
    outputs: list[bytes] = []
    weights: set[bytes] = set()
    for number, _, stop in _fields(file, end):
        if number == _INITIALIZER:
            weights |= {_bytes(file, part) for field, _, part in _fields(file, stop) if field == _TENSOR_NAME}
        elif number in (_INPUT, _OUTPUT):
            (inputs if number == _INPUT else outputs).append(_bytes(file, stop))
    return _signature([one for one in inputs if _parts(one).get(1) not in weights], outputs)


def _signature(inputs: list[bytes], outputs: list[bytes]) -> Signature | None:
    if not (inputs or outputs):
        return None
    return Signature(inputs=tuple(map(_value_info, inputs)), outputs=tuple(map(_value_info, outputs)))


# --- types --------------------------------------------------------------------------------------------------


def _value_info(data: bytes) -> Field:
    parts = _parts(data)
    return replace(_type(parts.get(2, b"")), name=_text(parts.get(1, b"")))


def _type(data: bytes, depth: int = 0) -> Field:
    """A ``TypeProto``: a tensor, or sequences, maps and options of one."""
    kind, body = next(iter(_parts(data).items()), (0, b""))
    if not isinstance(body, bytes) or depth > DEEPEST - 2:
        return Field(type="any")
    parts = _parts(body)
    if kind in (_TENSOR, _SPARSE):
        return Field(type=ELEMENTS.get(_whole(parts.get(1)), "any"), shape=_shape(parts))
    if kind == _SEQUENCE:
        inner = _type(parts.get(1, b""), depth + 1)
        return replace(inner, shape=(FREE, *(inner.shape or ())))
    if kind == _MAP:
        return Field(type="map", fields=(_type(parts.get(2, b""), depth + 1),))
    if kind == _OPTIONAL:
        return replace(_type(parts.get(1, b""), depth + 1), optional=True)
    return Field(type="any")


def _shape(parts: dict[int, Any]) -> tuple[int, ...] | None:
    """Axes with a name instead of a length are free."""
    if 2 not in parts:
        return None
    dimensions = [_parts(data) for number, data in _each(parts[2]) if number == 1]
    return tuple(_length(found.get(1)) for found in dimensions)


def _length(found: Any) -> int:
    return found if isinstance(found, int) and 0 <= found < 1 << 53 else FREE


def _whole(found: Any) -> int:
    return found if isinstance(found, int) else 0


def _text(found: Any) -> str:
    return found.decode("utf-8", "backslashreplace") if isinstance(found, bytes) else ""


# --- the wire format (protobuf.dev, "Encoding") -------------------------------------------------------------


def _parts(data: Any) -> dict[int, Any]:
    """Field number -> its first value: bytes, or a whole number."""
    found: dict[int, Any] = {}
    for number, value in _each(data):
        found.setdefault(number, value)
    return found


def _each(data: Any) -> Iterator[tuple[int, Any]]:
    from io import BytesIO

    if not isinstance(data, bytes):
        raise _Odd
    stream = BytesIO(data)
    for number, value, end in _fields(stream, len(data)):
        yield number, data[stream.tell() : end] if value is None else value


def _fields(file: BinaryIO, end: int) -> Iterator[tuple[int, int | None, int]]:
    """(number, whole value if it is one, where the field ends); the reader stands at its start, and need not stay."""
    while file.tell() < end:
        key = _varint(file)
        wire, value = key & 7, None
        if wire == 0:
            value = _varint(file)
            stop = file.tell()
        else:
            length = _varint(file) if wire == 2 else {1: 8, 5: 4}.get(wire, -1)
            stop = file.tell() + length
            if length < 0 or stop > end:
                raise _Odd
        yield key >> 3, value, stop
        file.seek(stop)


def _bytes(file: BinaryIO, end: int) -> bytes:
    length = end - file.tell()
    if length > _LARGEST:
        raise _Odd
    return file.read(length)


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            break
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise _Odd
