"""Numbers that lead a compiled reader somewhere have to lead it inside: said once for all who read trees."""

from __future__ import annotations

from typing import Any, Final

from modelyard.domain.errors import LoadRefused
from modelyard.scanning.boosters import Numbers

_WORDS: Final = {"i": "i1", "U": "u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}


class Indices:
    """Checks on one file.

    Args:
        what: Its name, for errors.
    """

    def __init__(self, what: str):
        self.what = what

    def broken(self, reason: str) -> LoadRefused:
        """The error for a file that would lead its reader astray."""
        return LoadRefused(f"{self.what} is not loaded: damaged trees, {reason}")

    def whole(self, values: Any, name: str, length: int | None = None) -> Any:
        """A list or typed array as whole numbers of 64 bits, of that length if one is given.

        Raises:
            LoadRefused: It is something else.
        """
        import numpy as np

        try:
            if isinstance(values, Numbers):
                found = np.frombuffer(values.raw, dtype=_WORDS[values.letter])
            else:
                found = np.asarray(values if len(values) else [], dtype="i8" if not len(values) else None)
            if found.dtype.kind not in "iub" or found.ndim != 1:
                raise ValueError("other things than whole numbers")
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise self.broken(f"{name} holds {error}") from error
        if length is not None and len(found) != length:
            raise self.broken(f"{name} has {len(found)} entries instead of {length}")
        return found.astype("i8")

    def length(self, values: Any) -> int:
        """How many entries a list or typed array has."""
        if isinstance(values, Numbers):
            return len(values.raw) // int(_WORDS[values.letter][-1])
        return len(values)

    def inside(self, values: Any, name: str, low: int, high: int) -> None:
        """Every value lies in ``low <= value < high``.

        Raises:
            LoadRefused: One does not.
        """
        if len(values) and not (low <= values.min() and values.max() < high):
            raise self.broken(f"{name} leads outside of {low} to {high - 1}")

    def number(self, text: Any, name: str, most: int = 1 << 31) -> int:
        """A whole number from 0, as a number or its decimal digits.

        Raises:
            LoadRefused: It is something else, or above ``most``.
        """
        digits = str(text).strip()
        if isinstance(text, bool) or not (digits.isascii() and digits.isdigit() and len(digits) < 12):
            raise self.broken(f"{name} is {digits[:40]!r}")
        if int(digits) > most:
            raise self.broken(f"{name} is {digits}")
        return int(digits)
