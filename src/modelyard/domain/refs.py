"""References to versions: one grammar for every method, command and endpoint that takes a version.

    01j9zx4m8n2p6q7r5s3t1v0w9y      the version with that id
    fraud                           the newest version that is not archived
    fraud:1.4.0                     the version with that label
    fraud:^1   fraud:>=1.2,<2       the highest label in that range
    fraud#7                         number 7
    fraud@champion                  what the alias points at, or the holder of that stage
    fraud@champion~1                what it pointed at one move earlier
    fraud@champion{2026-03-01T12:00Z}     what it pointed at then
    sha256:<64 hex digits>          the version with that digest
    models:/fraud/3   models:/fraud/Production   models:/fraud@champion     MLflow's spellings

How a ref is split: a model's name never holds ``:``, ``#`` or ``@``, and labels, ranges and pointers never
hold a second one before their own text ends, so the *first* of the three ends the name. Two words in front of
a colon are taken: ``models:/`` (no label begins with ``/``) and ``sha256:``. A model really called ``sha256``
writes its labels ``sha256:=1.0``; ``:=`` means "exactly this label" for any model. So each name with each
label has a ref, and ``parse(str(ref)) == ref``.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final
from unicodedata import normalize

from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import InvalidInput, InvalidRef
from modelyard.domain.names import STAGES, check_digest, check_label, check_model_name, is_id
from modelyard.domain.text import fold, shown, storable_problem
from modelyard.domain.times import read_time, write_time

REF_LENGTH: Final = 1000

GRAMMAR: Final = (
    "a model (fraud), a label (fraud:1.4.0), a range (fraud:^1), a number (fraud#7), a pointer "
    "(fraud@champion, fraud@production, fraud@champion~1, fraud@champion{2026-03-01T12:00Z}), a model_id, "
    "a digest (sha256:...) or MLflow's models:/fraud/3"
)

_SPLIT: Final = re.compile(r"[:#@]")
_NUMBER: Final = re.compile(r"0*([1-9][0-9]{0,17})", re.ASCII)
_POINTER: Final = re.compile(
    r"(?P<name>[A-Za-z][A-Za-z0-9._-]{0,127})(~(?P<back>[0-9]+)|\{(?P<at>[^{}]+)\})?", re.ASCII
)
_VERSION: Final = r"v?[0-9]+(\.([0-9]+|[xX*])){0,2}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
_RANGE: Final = re.compile(rf"(\^|~|[<>]=?|!=){_VERSION}(,(\^|~|[<>]=?|[!=]=)?{_VERSION}){{0,9}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Ref:
    """A parsed reference; ``str`` writes it in the shortest form that parses back to an equal one.

    Attributes:
        kind: ``id``, ``latest``, ``label``, ``range``, ``number``, ``pointer`` or ``digest``.
        model: The model's name in NFC as given (not folded); empty for ``id`` and ``digest``.
        value: Lower-case id, label as written, range without blanks, pointer (a stage in lower case), or digest.
        number: The number, for ``number``.
        back: How many moves earlier, for ``pointer``.
        at: The instant asked about in UTC, for ``pointer``; never together with ``back``.
    """

    kind: str
    model: str = ""
    value: str = ""
    number: int | None = None
    back: int = 0
    at: datetime | None = None

    @property
    def is_stage(self) -> bool:
        """Whether this is a pointer whose name is a stage's."""
        return self.kind == "pointer" and self.value in STAGES

    def __str__(self) -> str:
        match self.kind:
            case "latest":
                return self.model
            case "number":
                return f"{self.model}#{self.number}"
            case "label":
                return f"{self.model}:{'=' if _is_digest_word(self.model) else ''}{self.value}"
            case "range":
                return f"{self.model}:{self.value}"
            case "pointer":
                return f"{self.model}@{self.value}{self._suffix()}"
            case _:
                return self.value

    def _suffix(self) -> str:
        if self.at is not None:
            return f"{{{write_time(self.at)}}}"
        return f"~{self.back}" if self.back else ""


def parse(text: str) -> Ref:
    """Read a reference.

    Raises:
        InvalidRef: ``text`` does not follow the grammar; the message says where it departs and shows the
        grammar.
    """
    clean = _checked(text)
    try:
        return _parse(clean)
    except InvalidRef:
        raise
    except InvalidInput as error:
        raise _bad(clean, error.detail) from None


def _checked(text: str) -> str:
    value: object = text
    if not isinstance(value, str) or not value:
        raise _bad(value, "expected text that is not empty.")
    if len(value) > REF_LENGTH:
        raise _bad(value, f"expected at most {REF_LENGTH} characters, found {len(value)}.")
    if problem := storable_problem(value):
        raise _bad(value, f"found {problem}.")
    return normalize("NFC", value)


def _parse(text: str) -> Ref:
    if text.startswith("models:/"):
        return _parse_mlflow(text, text.removeprefix("models:/"))
    if is_id(text):
        return Ref("id", value=text.lower())
    if not (found := _SPLIT.search(text)):
        return Ref("latest", check_model_name(text))
    model, rest = text[: found.start()], text[found.end() :]
    match found[0]:
        case "#":
            return _numbered(text, model, rest)
        case "@":
            return _pointed(text, model, rest)
        case _:
            return _labelled(text, model, rest)


def _labelled(text: str, model: str, rest: str) -> Ref:
    if rest.startswith("="):
        return Ref("label", check_model_name(model), check_label(rest[1:]))
    if rest.startswith(("^", "~", "<", ">", "!")):
        return Ref("range", check_model_name(model), _checked_range(text, rest))
    if _is_digest_word(model):
        return Ref("digest", value=check_digest(text))
    return Ref("label", check_model_name(model), check_label(rest))


def _is_digest_word(model: str) -> bool:
    return fold(model) == "sha256"


def _checked_range(text: str, rest: str) -> str:
    compact = re.sub(r" *(,|[<>=!~^]+) *", r"\1", rest)
    if not _RANGE.fullmatch(compact):
        raise _bad(text, f"expected a range such as ^1, ~1.4 or >=1.2,<2, found {shown(rest)}.")
    return compact


def _numbered(text: str, model: str, rest: str) -> Ref:
    if not (found := _NUMBER.fullmatch(rest)):
        raise _bad(
            text, f"expected a whole number from 1, of at most 18 digits, after '#', found {shown(rest)}."
        )
    return Ref("number", check_model_name(model), number=int(found[1]))


def _pointed(text: str, model: str, rest: str) -> Ref:
    if not (found := _POINTER.fullmatch(rest)):
        raise _bad(
            text, f"expected an alias or a stage after '@', then ~1 or {{a time}}, found {shown(rest)}."
        )
    name, back, at = found["name"], int(found["back"] or 0), _instant(text, found["at"])
    if name.lower() == "latest":
        return _latest(text, model, back, at)
    pointer = name.lower() if name.lower() in STAGES else name
    return Ref("pointer", check_model_name(model), pointer, back=back, at=at)


def _latest(text: str, model: str, back: int, at: datetime | None) -> Ref:
    if back or at:
        raise _bad(
            text, "latest is computed, never moved, so it has no earlier holder; name an alias or a stage."
        )
    return Ref("latest", check_model_name(model))


def _instant(text: str, written: str | None) -> datetime | None:
    if written is None:
        return None
    if (moment := read_time(written)) is None:
        raise _bad(text, f"expected a time such as 2026-03-01T12:00Z in braces, found {shown(written)}.")
    return moment


def _parse_mlflow(text: str, rest: str) -> Ref:
    """``models:/name/3``, ``/latest``, ``/Stage``, ``@alias`` and ``models:/<model_id>``: the last ``/``
    splits.
    """
    if is_id(rest):
        return Ref("id", value=rest.lower())
    if "@" in rest:
        model, _, pointer = rest.partition("@")
        return _pointed(text, model, pointer)
    model, slash, last = rest.rpartition("/")
    if slash and last.lower() in STAGES | {"latest"}:
        return _pointed(text, model, last)
    if slash and last.isdecimal():
        return _numbered(text, model, last)
    raise _bad(text, "expected models:/name/ and then a number, latest or a stage, or models:/name@alias.")


def _bad(value: object, problem: str) -> InvalidRef:
    return InvalidRef(f"reference {shown(value)}: {problem} A reference is {GRAMMAR}.")
