"""safetensors: a dict of arrays behind one JSON header, written canonically so that equal arrays give equal bytes.

The format (safetensors README, "Format"): 8 bytes little-endian header length, the header, then the arrays without
gaps. We sort by name and pad the header with spaces to a multiple of 8; the library's own files are read as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from modelyard.domain.errors import InvalidInput, LoadRefused, MissingDependency, NotSupported
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import capture, files
from modelyard.flavors.numpy import arrays_of
from modelyard.ports.flavors import SaveOptions, Trust
from modelyard.scanning.arrays import scan_safetensors
from modelyard.scanning.findings import Findings, Unreadable
from modelyard.scanning.source import over

ENTRY: Final = "model.safetensors"
_CODES: Final = {
    "BOOL": "|b1", "U8": "|u1", "I8": "|i1", "I16": "<i2", "U16": "<u2", "F16": "<f2", "I32": "<i4", "U32": "<u4",
    "F32": "<f4", "I64": "<i8", "U64": "<u8", "F64": "<f8", "C64": "<c8",
}  # fmt: skip
_WORDS: Final = {code: word for word, code in _CODES.items()}


class SafetensorsFlavor:
    """A dict of arrays of numbers."""

    name = "safetensors"

    def accepts(self, model: object) -> bool:
        """True for a non-empty dict of names to arrays that the format has a word for."""
        try:
            return all(_word(array) for array in arrays_of(model).values())
        except InvalidInput:
            return False

    def save(self, model: object, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Write ``model.safetensors``; ``options.extra["metadata"]`` may hold texts to store beside the arrays.

        Raises:
            InvalidInput: It is no dict of arrays of numbers.
        """
        import numpy as np

        arrays = arrays_of(model)
        names = sorted(arrays)
        unknown = [name for name in names if not _word(arrays[name])]
        if unknown:
            raise InvalidInput(
                f"safetensors has no word for the dtype {arrays[unknown[0]].dtype} of {unknown[0]!r}"
            )
        metadata = {str(key): str(value) for key, value in dict(options.extra.get("metadata", {})).items()}
        with (directory / ENTRY).open("wb") as file:
            described = [
                (name, _word(array), array.shape, array.nbytes) for name, array in sorted(arrays.items())
            ]
            file.write(canonical_header(described, metadata))
            for name in names:
                little = arrays[name].astype(arrays[name].dtype.newbyteorder("<"), copy=False)
                np.ascontiguousarray(little).tofile(file)
        record = capture.describe(model, name=self.name, entry=ENTRY, options={})
        count = sum(int(arrays[name].size) for name in names)
        return _with_facts(record, {"num_tensors": len(names), "num_parameters": count})

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """Nothing: arrays are data."""
        return ()

    def load(self, directory: Path, record: FlavorRecord, trust: Trust) -> Any:
        """The arrays by name.

        Raises:
            LoadRefused: The header is not exactly what the format allows.
            NotSupported: A dtype that numpy does not have (bfloat16, float8).
        """
        path = files.entry_of(directory, record)
        header, start = read_header(path)
        return {
            name: _read(path, start, name, entry) for name, entry in header.items() if name != "__metadata__"
        }


def _with_facts(record: FlavorRecord, facts: dict[str, Any]) -> FlavorRecord:
    from dataclasses import replace

    return replace(record, facts={**record.facts, **facts}, framework="numpy", algorithm="")


def _word(array: Any) -> str:
    return _WORDS.get(array.dtype.newbyteorder("<").str, "")


def canonical_header(
    tensors: Iterable[tuple[str, str, Sequence[int], int]], metadata: Mapping[str, str]
) -> bytes:
    """The start of a file whose data follows in the same order, without gaps: equal tensors give equal bytes.

    Args:
        tensors: (name, the format's word for the dtype, shape, size in bytes), sorted by name.
        metadata: Texts to store beside them.
    """
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    at = 0
    for name, word, shape, size in tensors:
        header[name] = {"dtype": word, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    raw += b" " * (-len(raw) % 8)
    return len(raw).to_bytes(8, "little") + raw


def read_header(path: Path) -> tuple[dict[str, Any], int]:
    """The header, checked for holes, overlaps and lies, and where the data begins.

    Raises:
        LoadRefused: It is not exactly what the format allows.
    """
    with path.open("rb") as file:
        try:
            scan_safetensors(over(file, path.stat().st_size), Findings())
        except Unreadable as error:
            raise LoadRefused(f"{path.name} is not loaded: {error}") from error
        file.seek(0)
        length = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(length)), 8 + length


def _read(path: Path, start: int, name: str, entry: dict[str, Any]) -> Any:
    try:
        import numpy as np
    except ImportError as error:
        raise MissingDependency("safetensors needs numpy: pip install 'modelyard[safetensors]'") from error
    code = _CODES.get(entry["dtype"])
    if code is None:
        raise NotSupported(
            f"{path.name}: numpy has no {entry['dtype']} for {name!r}; download the file instead"
        )
    begin, end = entry["data_offsets"]
    count = (end - begin) // np.dtype(code).itemsize
    return np.fromfile(path, dtype=code, count=count, offset=start + begin).reshape(entry["shape"])
