"""What is this? Answered from the first bytes; a file's name and extension are never asked."""

from __future__ import annotations

import re
from typing import Final

from modelyard.scanning.compression import compressor_of

HEAD: Final = 4096
"""Bytes worth showing to ``sniff``."""
COMPRESSED: Final = frozenset({"zlib", "gzip", "bz2", "xz", "lzma", "lz4"})
TEXTS: Final = frozenset({"json", "yaml", "python", "text"})

_MAGIC: Final[tuple[tuple[bytes, str], ...]] = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x93NUMPY", "npy"),
    (b"GGUF", "gguf"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
    (b"%PDF-", "pdf"),
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"FEA1", "arrow"),
    (b"SQLite format 3\x00", "sqlite"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!", "rar"),
    (b"\x7fELF", "elf"),
    (b"MZ", "pe"),
    (b"\xcf\xfa\xed\xfe", "macho"),
    (b"\xca\xfe\xba\xbe", "macho"),
    (b"#!", "script"),
    (b"{L\0\0\0\0\0\0\0\x07learner", "xgboost"),  # UBJSON: an object whose first key is "learner"
    (b'{"learner":{', "xgboost_json"),
    (b"CBM1", "catboost"),
    (b"tree\nversion=", "lightgbm"),
)
DATA: Final = frozenset({"png", "jpeg", "gif", "pdf", "parquet", "arrow", "sqlite", "empty"})
"""Formats that are data for every loader we know, so that nothing but their start has to be looked at."""
CODE: Final = frozenset({"elf", "pe", "macho", "script", "python", "pyc"})
_MOST_HEADER: Final = 100_000_000  # safetensors refuses longer headers itself
_CONTROL: Final = bytes(set(range(32)) - set(b"\t\n\r\f\v\x1b"))
_PYTHON: Final = re.compile(
    rb"^(?:import [\w.]+(?: as \w+)?\s*(?:#.*)?$|from [\w.]+ import |def \w+\(|async def |class \w+[(:]|@\w+)",
    re.MULTILINE,
)
_YAML: Final = re.compile(rb"\A(?:%YAML|---|(?:#.*\n)*[\w-]+:(?:\s|$))")


def sniff(head: bytes, size: int | None) -> str:
    """The name of the format, or ``unknown``.

    Args:
        head: The first ``HEAD`` bytes (fewer only if there are no more).
        size: Bytes in all, ``None`` if not known because they are being decompressed.
    """
    if not head:
        return "empty"
    if head[0] == 0x80 and len(head) > 1 and head[1] <= 5:
        return "pickle"
    for start, name in _MAGIC:
        if head.startswith(start):
            return name
    if head[2:4] == b"\r\n" and len(head) >= 16 and head[1] in (0x0C, 0x0D, 0x0E):
        return "pyc"  # CPython: a magic number, then CR LF
    if _is_safetensors(head, size):
        return "safetensors"
    if head[257:262] == b"ustar":
        return "tar"
    if _is_text(head):
        return _kind_of_text(head)
    return compressor_of(head) or ("onnx" if _is_onnx(head) else "unknown")


def _is_safetensors(head: bytes, size: int | None) -> bool:
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and 2 <= length <= _MOST_HEADER and (size is None or length <= size - 8)


def _is_text(head: bytes) -> bool:
    if any(byte in _CONTROL for byte in set(head)):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) == HEAD and error.start >= HEAD - 3  # a character cut by the end of the head
    return True


def _kind_of_text(head: bytes) -> str:
    if head.lstrip()[:1] in (b"{", b"["):
        return "json"
    if _PYTHON.search(head):
        return "python"
    return "yaml" if _YAML.match(head) else "text"


def _is_onnx(head: bytes) -> bool:
    """onnx.proto's ModelProto: ``ir_version`` (field 1) first, then the producer (2), domain (4) or graph (7)."""
    return len(head) > 4 and head[0] == 0x08 and 0 < head[1] < 0x20 and head[2] in (0x12, 0x22, 0x3A, 0x42)
