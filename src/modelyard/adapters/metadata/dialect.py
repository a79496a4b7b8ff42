"""Where databases differ: one record of answers per kind of database.

Statements are written once, as SQLite spells them, with parameters called ``:name``. What another database spells
otherwise is respelled when a statement is first run (``sessions``); what it means otherwise is asked for here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

from modelyard.adapters.metadata.terms import Term, version_terms
from modelyard.domain.records import ModelVersion

Run: TypeAlias = Callable[[str, Mapping[str, Any]], Any]
"""Runs one statement with its parameters; answers a DBAPI cursor."""

OTHER_TABLES: Final = (
    "this database was not set up (open it with `migrate()` first), "
    "or a newer modelyard changed it (update this one)"
)
"""What is told of a table or column that is not there."""

_PIECES: Final = 24
"""Three-letter pieces of a word that are looked up; the word itself is compared afterwards."""


class Way(Enum):
    """How a statement is meant to be answered, for databases whose planner would choose another way."""

    COUNT = "take entries of one index until there are enough"
    PICK = "take the few rows that indexes name, look each up, sort them"
    WALK = "follow an index that is in the order asked for, judge row by row, stop when the page is full"
    FREE = "as the planner likes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What the shared code asks of one kind of database.

    Attributes:
        name: For people: ``PostgreSQL``.
        terms: The searchable values of a version, as rows of ``version_terms`` hold them.
        field: A searchable value's name, as it is stored.
        number: A number as ``version_terms.num`` holds it, to be compared exactly.
        literal: A number as it is compared with any other column.
        zero: SQL of the number that stands where there is none, in orders.
        text: SQL that compares a stored text: alias of ``version_terms``, operator, name of the parameter.
        folded_column: SQL of a version's text in the form of ``fold``: name of the value, column.
        folded_term: The same for a text of ``version_terms``, given its alias.
        word_ids: Writes a SELECT of version ids (column ``id``) whose text may hold a word: folded word, function
            that takes a value and gives its parameter's name.
        returning: What has to stand behind an INSERT to learn the row's number.
        number_of: The number of the row that a cursor inserted.
        advice: What is said to the planner before a statement that is to be answered in one way or another, in a
            transaction of its own; nothing where it finds the way by itself.
        texts_by_time: Whether the index of texts lists the versions with one text by their time of creation.
        fence: What stands at the end of a subquery that is to be asked row by row, and never joined.
        advance: Takes so many positions of the event log and the turn to commit with it, and gives the last position
            before them; ``None`` where there is one writer at a time and positions come by themselves.
        ahead: Whether a commit's statements go to the server without waiting for the answers to those before them.
    """

    name: str
    terms: Callable[[ModelVersion], dict[tuple[str, int], Term]]
    field: Callable[[str], str]
    number: Callable[[Any], Any]
    literal: Callable[[Any], Any]
    zero: str
    text: Callable[[str, str, str], str]
    folded_column: Callable[[str, str], str]
    folded_term: Callable[[str], str]
    word_ids: Callable[[str, Callable[[Any], str]], str]
    returning: str
    number_of: Callable[[Any], int]
    advice: Mapping[Way, str]
    texts_by_time: bool
    fence: str
    advance: Callable[[Run, int], int] | None
    ahead: bool = False


def same(value: Any) -> Any:
    """What needs no change."""
    return value


def plain_text(alias: str, op: str, name: str) -> str:
    """A comparison that an index over whole texts answers."""
    return f"{alias}.text {op} {name}"


def last_row(cursor: Any) -> int:
    """As the DBAPI tells it."""
    return int(cursor.lastrowid)


def _pieces(word: str, add: Callable[[Any], str]) -> str:
    """Pieces that cover the word, anywhere in the text: what is found has to be judged again.

    Every third and the last one: those in between hardly pick fewer rows, and each common one costs its whole list.
    """
    places = (*range(0, len(word) - 2, 3), len(word) - 3)
    pieces = sorted({word[place : place + 3] for place in places})[:_PIECES]
    match = " AND ".join('"' + piece.replace('"', '""') + '"' for piece in pieces)
    return f"SELECT rowid AS id FROM version_words WHERE version_words MATCH {add(match)}"  # noqa: S608


SQLITE: Final = Dialect(
    name="SQLite",
    terms=version_terms,
    field=same,
    number=same,
    literal=same,
    zero="0",
    text=plain_text,
    folded_column=lambda _, column: f"fold({column})",
    folded_term=lambda alias: f"fold({alias}.text)",
    word_ids=_pieces,
    returning="",
    number_of=last_row,
    advice={},
    texts_by_time=True,
    fence="",
    advance=None,
)
"""``fold`` is ours, made known to every connection."""
