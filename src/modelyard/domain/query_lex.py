"""Cutting a query into tokens, and pointing at the place where one is wrong."""

from __future__ import annotations

import re
from typing import Final, NoReturn
from unicodedata import normalize

from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import InvalidInput, InvalidQuery
from modelyard.domain.names import check_key
from modelyard.domain.text import INVISIBLE, shown, storable_problem

TEXT_LENGTH: Final = 10_000
"""Longest query in characters."""

_TOKEN: Final = re.compile(
    r"""(?P<blank>\s++)
      | (?P<quoted>'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+")
      | (?P<op>!=|<=|>=|[=<>~])
      | (?P<mark>[(),])
      | (?P<word>(?:[^\s()=!<>~,'"`]|`(?:[^`]|``)*+`)++)
    """,
    re.VERBOSE | re.DOTALL,
)
_PART: Final = re.compile(r"`((?:[^`]|``)*+)`|([^.`]++)")
_ESCAPE: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}

BEFORE, AFTER = 40, 30
"""Characters of the query that an error shows on either side of the fault."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query.

    Attributes:
        kind: ``word``, ``quoted``, ``op``, ``mark`` or ``end``.
        text: As written.
        position: Index of its first character.
    """

    kind: str
    text: str
    position: int

    def is_word(self, *words: str) -> bool:
        """Whether this is one of the (lower-case) keywords, in any case."""
        return self.kind == "word" and self.text.lower() in words


def fail(text: str, position: int, problem: str) -> NoReturn:
    """Raise ``InvalidQuery`` with the place marked by a caret on a line of its own."""
    start = max(0, position - BEFORE)
    snippet = "".join(_one_wide(c) for c in text[start : position + AFTER])
    raise InvalidQuery(
        f"query, position {position}: {problem}.\n  {snippet}\n  {' ' * (position - start)}^",
        data={"position": position},
    )


def _one_wide(char: str) -> str:
    """Escapes would shift the caret, so what cannot be shown becomes one replacement character."""
    return char if char.isprintable() and not INVISIBLE.match(char) else "\N{REPLACEMENT CHARACTER}"


def tokens(text: str) -> list[Token]:
    """All tokens of a query, closed by one of kind ``end``.

    Raises:
        InvalidQuery: Not text, over 10,000 characters, not storable, or a quote that is never closed.
    """
    value: object = text
    if not isinstance(value, str):
        raise InvalidQuery(f"query: expected text, found {shown(value)}.", data={"position": 0})
    if len(value) > TEXT_LENGTH:
        found = f"expected at most {TEXT_LENGTH} characters, found {len(value)}"
        raise InvalidQuery(f"query: {found}. Ask for less at once.", data={"position": TEXT_LENGTH})
    if problem := storable_problem(value):
        raise InvalidQuery(
            f"query: expected text that UTF-8 can hold, found {problem}.", data={"position": 0}
        )
    return [*_cut(value), Token("end", "", len(value))]


def _cut(text: str) -> list[Token]:
    cut: list[Token] = []
    position = 0
    while position < len(text):
        if not (found := _TOKEN.match(text, position)):
            fail(text, position, _stray(text[position]))
        if found.lastgroup != "blank":
            cut.append(Token(str(found.lastgroup), found[0], position))
        position = found.end()
    return cut


def _stray(char: str) -> str:
    if char == "!":
        return "'!' means nothing alone; write != or not"
    return f"the quotation opened by {char} is never closed"


def unquote(text: str, token: Token) -> str:
    r"""What a quoted token says. Escapes: ``\\``, ``\'``, ``\"``, ``\n``, ``\t``, ``\r`` and ``\uXXXX``."""

    def replace(found: re.Match[str]) -> str:
        code = found[1]
        if code in _ESCAPED:
            return _ESCAPED[code]
        if len(code) == 5:
            return chr(int(code[1:], 16))
        fail(
            text,
            token.position + 1 + found.start(),
            f"unknown escape {shown(found[0])}; write \\\\ for a backslash",
        )

    said = _ESCAPE.sub(replace, token.text[1:-1])
    if problem := storable_problem(said):
        fail(text, token.position, f"found {problem}")
    return said


def split_field(text: str, token: Token) -> tuple[str, tuple[str, ...]]:
    """Root and further parts of a dotted name whose odd parts are in back-quotes (doubled to mean
    themselves).

    Parts come in NFC, as names are stored.
    """
    parts: list[str] = []
    position = 0
    while True:
        found = _PART.match(token.text, position)
        if not found:
            fail(text, token.position + position, "expected a name before and after each dot")
        parts.append(_part(text, token.position + position, found))
        position = found.end()
        if position == len(token.text):
            return parts[0], tuple(parts[1:])
        if token.text[position] != ".":
            fail(text, token.position + position, "expected a dot between the parts of a name")
        position += 1


def _part(text: str, position: int, found: re.Match[str]) -> str:
    written = found[2] if found[1] is None else found[1].replace("``", "`")
    try:
        return check_key(normalize("NFC", written), "name in a query")
    except InvalidInput as error:
        fail(text, position, error.detail.rstrip("."))
