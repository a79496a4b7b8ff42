"""What is done to any text: comparing it loosely, showing it safely, refusing what no store can hold.

Text from users reaches terminals, logs, tables and spreadsheets. Nothing here changes what is stored:
escaping happens on the way out, in :func:`plain` and :func:`csv_safe`, and refusing on the way in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from unicodedata import normalize

from modelyard.domain.errors import InvalidInput

INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Characters that take no ink: Unicode's Default_Ignorable_Code_Point property plus the blank Braille cell.

``str.isprintable`` lets some of them through (variation selectors, Hangul fillers), so two names could look
alike.
"""

SHOWN: Final = 60
"""Characters of a refused value that an error message repeats."""

FEW: Final = 5
"""Words of a list that a record names when it is shown."""


def fold(text: str) -> str:
    """The form in which two spellings are the same: NFKC and case folding, applied until nothing changes.

    ``fold("Ｆｒａｕｄ") == fold("fraud")``. It does not see through look-alike letters of other alphabets.
    """
    if text.isascii():
        return text.lower()
    return normalize("NFKC", normalize("NFKC", normalize("NFKD", text).casefold()).casefold())


def plain(text: str) -> str:
    r"""``text`` with everything that moves a cursor, hides or reorders text shown as an escape (``\n``, ``\u202e``).

    The result is one printable line: no control characters, ANSI sequences, bidirectional or zero-width characters,
    lone surrogates or line breaks. Backslashes stay as they are: the result is for eyes, not for parsing
    back.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() and not INVISIBLE.match(c) else _escaped(c) for c in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def csv_safe(text: str) -> str:
    """:func:`plain`, and an apostrophe in front of what a spreadsheet would take for a formula.

    The leading characters are those OWASP lists for CSV injection: ``= + - @``, tab and carriage return, and
    the full-width forms of the first four. (Tab and carriage return no longer lead once ``plain`` has escaped them.)
    """
    safe = plain(text)
    return "'" + safe if safe.startswith(tuple("=+-@＝＋－＠")) else safe


def shown(value: object) -> str:
    """A refused value for an error message: escaped, in quotes, at most 60 characters of it."""
    if not isinstance(value, str):
        return f"a value of type {type(value).__name__}"
    if len(value) > SHOWN:
        return f"'{plain(value[:SHOWN])}…' ({len(value)} characters)"
    return f"'{plain(value)}'"


def brief(*parts: str) -> str:
    """A record as one printable line, ``<Kind this, that>``, whatever is in it; empty parts are left out."""
    return plain(f"<{', '.join(filter(None, parts))}>")


def few(words: Sequence[str]) -> str:
    """The first of some words, and how many there are besides: ``a, b, c, d, e and 7 more``."""
    rest = f" and {len(words) - FEW} more" if len(words) > FEW else ""
    return ", ".join(words[:FEW]) + rest


def storable_problem(text: str) -> str | None:
    """Why no database could hold ``text`` (NUL, lone surrogate), or ``None``."""
    if "\x00" in text:
        return f"a NUL character at position {text.index(chr(0))}"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"half a surrogate pair at position {error.start}"
    return None


def check_text(text: str, limit: int, what: str = "text") -> str:
    """Free text (description, reason) as it is, if it can be stored everywhere.

    Args:
        text: Any text; line breaks and tabs are welcome.
        limit: Longest length in characters.
        what: What the text is, for the error message.

    Raises:
        InvalidInput: Not text, too long, or holding a NUL or half a surrogate pair.
    """
    value: object = text
    if not isinstance(value, str):
        raise InvalidInput(f"{what}: expected text, found {shown(value)}. Pass a string.")
    if len(value) > limit:
        raise InvalidInput(f"{what}: expected at most {limit} characters, found {len(value)}. Shorten it.")
    if problem := storable_problem(value):
        raise InvalidInput(f"{what}: expected text that UTF-8 can hold, found {problem}. Remove it.")
    return value
