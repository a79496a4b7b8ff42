"""The files of boosted trees: xgboost's UBJSON, read to its end, and catboost's flat buffer."""

from __future__ import annotations

import io
import struct
from typing import Any, Final, NamedTuple

from modelyard.scanning.findings import Findings, Unreadable
from modelyard.scanning.source import Source

# UBJSON, draft 12 (ubjson.org): the widths of numbers by their letter
_WIDTHS: Final = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8, b"d": 4, b"D": 8, b"C": 1}
_WHOLE: Final = frozenset({b"i", b"U", b"I", b"l", b"L"})
_CONSTANTS: Final = {b"Z": None, b"T": True, b"F": False}
_DEEPEST: Final = 64
_MOST_VALUES: Final = 5_000_000
_LONGEST: Final = 512
"""Bytes of a text that is kept for the summary."""
_SUMMARISED: Final = 10_000
_ELSEWHERE: Final = "-"
"""The path of what lies in arrays: nothing of the summary begins with it."""
_KEPT: Final = ("version", "learner.feature_names", "learner.attributes", "learner.learner_model_param")


def scan_xgboost(source: Source, findings: Findings) -> None:
    """Judge an xgboost file: any well-formed one is data.

    Raises:
        Unreadable: It is not well formed to its last byte.
    """
    scan_ubjson(source)


def scan_ubjson(source: Source) -> dict[str, Any]:
    """Read one UBJSON value that fills the source.

    Returns:
        The few values that say what the model is, by their path: ``learner.feature_names``, ``version`` ...

    Raises:
        Unreadable: It is malformed, truncated, too deep, or something follows it.
    """
    reader = _Reader(source)
    reader.value(reader.letter(), "", 0)
    if source.read(1):
        raise Unreadable("bytes after the end of a UBJSON value")
    return reader.summary


class Numbers(NamedTuple):
    """An array of numbers of one kind, as it lies in the file (big endian)."""

    letter: str
    raw: bytes


def read_ubjson(content: bytes) -> Any:
    """The whole value: dicts, lists, texts, numbers, and ``Numbers`` for arrays that are typed.

    Raises:
        Unreadable: As ``scan_ubjson``.
    """
    reader = _Reader(Source(io.BytesIO(content), len(content)), whole=True)
    found = reader.value(reader.letter(), "", 0)
    if reader.source.read(1):
        raise Unreadable("bytes after the end of a UBJSON value")
    return found


class _Reader:
    """Walks one value; numbers in typed arrays are skipped unread, so the time is that of the structure.

    With ``whole`` it keeps everything, and gives it back.
    """

    __slots__ = ("left", "source", "summary", "whole")

    def __init__(self, source: Source, *, whole: bool = False):
        self.source = source
        self.whole = whole
        self.left = _MOST_VALUES
        self.summary: dict[str, Any] = {}

    def letter(self) -> bytes:
        """The next type marker."""
        return self.exactly(1)

    def exactly(self, count: int) -> bytes:
        data = self.source.read(count)
        if len(data) != count:
            raise Unreadable("truncated UBJSON")
        return data

    def length(self, letter: bytes) -> int:
        """A count: a whole number that is not negative."""
        if letter not in _WHOLE:
            raise Unreadable("a UBJSON length that is no whole number")
        number = int.from_bytes(self.exactly(_WIDTHS[letter]), "big", signed=letter != b"U")
        if number < 0:
            raise Unreadable("a negative UBJSON length")
        return number

    def value(self, letter: bytes, path: str, depth: int) -> Any:
        """Read a value whose marker was read; what is kept of it, or ``None``."""
        self.left -= 1
        if self.left < 0 or depth > _DEEPEST:
            raise Unreadable(f"UBJSON deeper than {_DEEPEST} levels, or of more than {_MOST_VALUES} values")
        if letter == b"{":
            return self._object(path, depth)
        if letter == b"[":
            return self._array(path, depth)
        if letter in (b"S", b"H"):
            return self._keep(path, self._text(self.length(self.letter())))
        if letter in _WIDTHS:
            return self._number(letter, path)
        if letter in _CONSTANTS:
            return _CONSTANTS[letter]
        raise Unreadable("malformed UBJSON: an unknown marker")

    def _number(self, letter: bytes, path: str) -> Any:
        raw = self.exactly(_WIDTHS[letter])
        if letter in _WHOLE:
            return self._keep(path, int.from_bytes(raw, "big", signed=letter != b"U"))
        return struct.unpack(">f" if letter == b"d" else ">d", raw)[0] if letter in b"dD" else None

    def _object(self, path: str, depth: int) -> dict[str, Any] | None:
        left, letter = self._count()
        found: dict[str, Any] = {}
        while left != 0:
            marker = self.letter()
            if left < 0 and marker == b"}":
                break
            key = self._text(self.length(marker)) or "?"
            item = self.value(letter or self.letter(), f"{path}.{key}" if path else key, depth + 1)
            if self.whole:
                if key in found:
                    raise Unreadable(f"UBJSON with two values for {key!r}")
                found[key] = item
            left -= left > 0
        return found if self.whole else None

    def _array(self, path: str, depth: int) -> Any:
        count, letter = self._count()
        keeps = self.whole or path.startswith(_KEPT)
        if letter in _WIDTHS and count >= 0 and (self.whole or not keeps):
            return self._numbers(letter, count)
        items: list[Any] = []
        while count != 0:
            marker = letter or self.letter()
            if count < 0 and marker == b"]":
                break
            item = self.value(marker, _ELSEWHERE, depth + 1)
            if keeps and (self.whole or len(items) < _SUMMARISED):
                items.append(item)
            count -= count > 0
        return self._keep(path, items) if keeps else None

    def _numbers(self, letter: bytes, count: int) -> Numbers | None:
        size = _WIDTHS[letter] * count
        if self.whole:
            if size > (self.source.size or 0):
                raise Unreadable("truncated UBJSON")
            return Numbers(letter.decode(), self.exactly(size))
        self.source.skip(size)
        return None

    def _count(self) -> tuple[int, bytes]:
        """(items, their common marker): ``-1`` where the end is marked, ``b""`` where each has its own."""
        head, letter = self.source.peek(1), b""
        if head == b"$":
            self.exactly(1)
            letter = self.letter()
            if self.source.peek(1) != b"#" or letter in _CONSTANTS:
                raise Unreadable("a typed UBJSON container without a count, or of constants")
        if self.source.peek(1) != b"#":
            return -1, b""
        self.exactly(1)
        return self.length(self.letter()), letter

    def _text(self, length: int) -> str | None:
        if length > _LONGEST:
            self.source.skip(length)
            return None
        return self.exactly(length).decode("utf-8", "backslashreplace")

    def _keep(self, path: str, value: Any) -> Any:
        if value is not None and path.startswith(_KEPT) and len(self.summary) < _SUMMARISED:
            self.summary[path] = value
        return value


def scan_catboost(source: Source, findings: Findings) -> None:
    """Judge a catboost file: ``CBM1``, the size of the core, the core (a flat buffer); further parts may follow.

    Raises:
        Unreadable: The core is longer than the file.
    """
    head = source.read(8)
    core = int.from_bytes(head[4:], "little")
    if len(head) != 8 or core < 8 or (source.size is not None and core > source.size - 8):
        raise Unreadable("a catboost file whose core is longer than the file")
