"""Array files: ``.npy`` (numpy/lib/format.py, versions 1 to 3) and safetensors (its README, format section)."""

from __future__ import annotations

import ast
import json
import math
import re
from typing import Any, Final

from modelyard.scanning.findings import Findings, Unreadable
from modelyard.scanning.source import Source
from modelyard.scanning.tracer import Tracer

_MAX_NPY_HEADER: Final = 1 << 20
_MAX_JSON_HEADER: Final = 16 << 20
_DESCR: Final = re.compile(r"[<>|=]?([a-zA-Z])([0-9]{1,9})(?:\[[0-9a-zA-Z]{1,12}\])?")
_BITS: Final = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip


def scan_npy(source: Source, findings: Findings) -> None:
    """Judge one ``.npy``; Python objects in it are stored as a pickle.

    Raises:
        Unreadable: The header is malformed.
    """
    start = source.read(8)
    wide = len(start) == 8 and start[6] in (2, 3)
    if len(start) != 8 or start[6] not in (1, 2, 3):
        raise Unreadable("an .npy file of another version")
    length = int.from_bytes(source.read(4 if wide else 2), "little")
    if length > _MAX_NPY_HEADER:
        raise Unreadable("an .npy file with an oversized header")
    shape, descr = _npy_header(source.read(length))
    if _has_object(descr):
        Tracer(source, findings, arrays=False).run()
        return
    plain = source.size is not None and isinstance(descr, str)
    if plain and _remaining(source) != math.prod(shape) * _item_bytes(descr):
        raise Unreadable("an .npy file that is shorter or longer than its shape says")


def _remaining(source: Source) -> int:
    return (source.size or 0) - source.tell()


def _item_bytes(descr: str) -> int:
    match = _DESCR.fullmatch(descr)
    if match is None:
        raise Unreadable("an .npy file of an unknown element type")
    return int(match[2]) * (4 if match[1] == "U" else 1)


def _npy_header(raw: bytes) -> tuple[tuple[int, ...], Any]:
    try:
        header = ast.literal_eval(raw.decode("utf-8"))
        shape, descr = header["shape"], header["descr"]
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError) as error:
        raise Unreadable("an .npy file with a malformed header") from error
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise Unreadable("an .npy file with a malformed shape")
    return shape, descr


def _has_object(descr: Any) -> bool:
    if isinstance(descr, str):
        return descr.lstrip("<>|=")[:1] == "O"
    if isinstance(descr, list | tuple):
        return any(_has_object(part) for part in descr if isinstance(part, str | list | tuple))
    return True


def scan_safetensors(source: Source, findings: Findings) -> None:
    """Judge a safetensors file by its header alone: no hole, no overlap, no lie about sizes.

    Nothing in one can be looked up, so ``findings`` stay as they are.

    Raises:
        Unreadable: It is not exactly what the format allows.
    """
    length = int.from_bytes(source.read(8), "little")
    if length > _MAX_JSON_HEADER:
        raise Unreadable("a safetensors header above 16 MiB")
    raw = source.read(length)
    if len(raw) != length:
        raise Unreadable("truncated safetensors header")
    try:
        header = json.loads(raw, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise Unreadable("a safetensors header that is not JSON") from error
    spans = sorted(_span(name, entry) for name, entry in header.items() if name != "__metadata__")
    at = 0
    for begin, end in spans:
        if begin != at:
            raise Unreadable("safetensors data with a hole or an overlap")
        at = end
    if source.size is not None and 8 + length + at != source.size:
        raise Unreadable("a safetensors file that is shorter or longer than its header says")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _span(name: str, entry: Any) -> tuple[int, int]:
    try:
        bits = _BITS[entry["dtype"]]
        begin, end = entry["data_offsets"]
        shape = entry["shape"]
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"safetensors tensor {name[:80]!r} is described wrongly") from error
    numbers = [begin, end, *shape]
    if (
        not all(type(n) is int and n >= 0 for n in numbers)
        or (math.prod(shape) * bits + 7) // 8 != end - begin
    ):
        raise Unreadable(f"safetensors tensor {name[:80]!r} lies about its size")
    return begin, end
