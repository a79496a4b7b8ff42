"""What a setting may hold, and how its text becomes a value: the same rules for file and environment."""

from __future__ import annotations

import re
from collections.abc import Callable

from modelyard.domain.dataclass import dataclass

_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

# Patterns stay text and are compiled at first use: four compilations would cost every start a millisecond.
# Decimal only: YAML 1.1 would read 010 as eight and 1:30 as ninety. 15 digits keep int() cheap.
_WHOLE = r"[+-]?(0|[1-9][0-9]{0,14})"
_NUMBER = (
    r"[+-]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][+-]?[0-9]+)?"
    r"|0[xob][0-9a-fA-F_]+|[+-]?\.(inf|nan)"
)
_PATTERN = r"[^\W\d]\w*(\.[^\W\d]\w*)*(\.\*|\.[^\W\d]\w*)"
_SIZE = r"([0-9]{1,15})[ ]?(?:([KMGT])(i?)B?|B)?"
_URL = r"[A-Za-z][A-Za-z0-9+.-]*://.+"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One type of setting.

    Attributes:
        label: The word for it in the reference table.
        expects: Completes the sentence "expected ...".
        read: Text to value; ``ValueError`` if the text is not one of these.
        text: Any text is fine, so an unquoted YAML number or boolean is probably a mistake and is refused.
        bare: Only an unquoted YAML word will do: ``5`` is a number, ``"5"`` is a text.
        private: May carry a password, so no message and no ``repr`` quotes it.
        many: A list of such values; in the environment they are separated by commas.
    """

    label: str
    expects: str
    read: Callable[[str], object]
    text: bool = False
    bare: bool = False
    private: bool = False
    many: bool = False


def looks_bare(text: str) -> bool:
    """True if YAML would take the unquoted ``text`` for a number or a boolean."""
    return text.lower() in _WORDS or re.fullmatch(_NUMBER, text) is not None


def choice(*options: str) -> Kind:
    """One of the words, in any case; the value is the word as written in ``options``."""
    known = {option.casefold(): option for option in options}

    def read(text: str) -> str:
        if text.casefold() not in known:
            raise ValueError(text)
        return known[text.casefold()]

    return Kind(label=" \\| ".join(f"`{option}`" for option in options), expects=_either(options), read=read)


def whole(low: int, high: int) -> Kind:
    """A decimal whole number from ``low`` to ``high``, both included."""

    def read(text: str) -> int:
        if not re.fullmatch(_WHOLE, text) or not low <= int(text) <= high:
            raise ValueError(text)
        return int(text)

    return Kind(label="whole number", expects=f"a whole number from {low} to {high}", read=read, bare=True)


def _either(options: tuple[str, ...]) -> str:
    return options[0] if len(options) == 1 else f"{', '.join(options[:-1])} or {options[-1]}"


def _read_text(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError(text)
    return text


def _read_size(text: str) -> int:
    found = re.fullmatch(_SIZE, text, re.ASCII | re.IGNORECASE)
    if found is None:
        raise ValueError(text)
    unit: int = (1024 if found[3] else 1000) ** " KMGT".index((found[2] or " ").upper())
    return int(found[1]) * unit


def _read_switch(text: str) -> bool:
    if text.lower() not in _WORDS:
        raise ValueError(text)
    return _WORDS[text.lower()]


def _read_compression(text: str) -> bool | int:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if not re.fullmatch("[0-9]", text):
        raise ValueError(text)
    return int(text)


def _read_pattern(text: str) -> str:
    if not re.fullmatch(_PATTERN, text):
        raise ValueError(text)
    return text


def _read_url(text: str) -> str:
    if not re.fullmatch(_URL, _read_text(text)):
        raise ValueError(text)
    return text


TEXT = Kind(label="text", expects="text that is not empty", read=_read_text, text=True)
TEXTS = Kind(label="list of texts", expects="a list of texts", read=_read_text, text=True, many=True)
URL = Kind(label="URL", expects="a URL such as scheme://host/name", read=_read_url, text=True, private=True)
ADDRESS = Kind(label="URL or folder", expects="a URL or folder", read=_read_text, text=True, private=True)
SIZE = Kind(label="size", expects="a number of bytes such as 20GiB, 500MB or 1000000", read=_read_size)
SWITCH = Kind(label="true or false", expects="true or false", read=_read_switch, bare=True)
COMPRESSION = Kind(
    label="true, false or 0-9",
    expects="true, false or a level from 0 to 9",
    read=_read_compression,
    bare=True,
)
# A lone "*" is refused on purpose: trusting everything must not be a keystroke away from trusting something.
PATTERNS = Kind(
    label="list of patterns",
    expects="a list such as [my_pkg.Model, my_pkg.*]",
    read=_read_pattern,
    text=True,
    many=True,
)
