"""The rules for every name a caller may choose, and nothing a caller may not.

Each ``check_*`` returns the name in the form in which it is kept (NFC where it may leave ASCII) or raises,
saying which name, what was expected, what was found and what to do. What was found is shown escaped and
shortened: an error message must not be the way in for what it refuses.

Model names are for people and are never used as file paths or in URLs; that is what slugs are for.
"""

from __future__ import annotations

import re
from typing import Final
from unicodedata import category, name, normalize

from modelyard.domain.errors import InvalidInput, InvalidName
from modelyard.domain.paths import check_path as check_path
from modelyard.domain.paths import check_paths as check_paths
from modelyard.domain.records import ModelStage
from modelyard.domain.slugs import is_slug_of as is_slug_of
from modelyard.domain.slugs import make_slug as make_slug
from modelyard.domain.text import INVISIBLE, check_text, csv_safe, fold, plain, shown, storable_problem

__all__ = [
    "STAGES",
    "check_alias",
    "check_digest",
    "check_key",
    "check_label",
    "check_metric_name",
    "check_model_name",
    "check_path",
    "check_paths",
    "check_text",
    "csv_safe",
    "fold",
    "is_id",
    "is_slug_of",
    "make_slug",
    "plain",
]

NAME_LENGTH: Final = 200
KEY_LENGTH: Final = 250
STAGES: Final = frozenset(stage.value for stage in ModelStage)

_NAME_MARKS: Final = frozenset(" ._-()+&,'")
_ID: Final = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}", re.IGNORECASE | re.ASCII)
_ALIAS: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,127}")
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


def is_id(text: str) -> bool:
    """Whether ``text`` has the shape of a version's id: a ULID, 26 base-32 characters in either case."""
    return _ID.fullmatch(text) is not None


def check_model_name(text: str) -> str:
    """A model's name in NFC: 1 to 200 letters, marks, digits, inner spaces and ``. _ - ( ) + & , '``.

    One ``namespace/`` of the same form may stand before it.

    Raises:
        InvalidName: It has another character, another length, a space or dot at an end, or the shape of an
        id.
    """
    clean = _nfc(text, "model name", 2 * NAME_LENGTH + 1)
    parts = clean.split("/")
    if len(parts) > 2:
        raise _bad(
            "model name",
            clean,
            "at most one '/', after a namespace",
            f"{len(parts) - 1}",
            "Use '-' inside names",
        )
    for part in parts:
        _check_name_part(clean, part)
    if is_id(clean):
        raise _bad(
            "model name",
            clean,
            "no name of 26 base-32 characters",
            "the shape of a version's id",
            "Add a word",
        )
    return clean


def namespace_of(name: str) -> str:
    """What stands before the slash of a name, or of a key; empty without one."""
    return name.rpartition("/")[0]


def _check_name_part(whole: str, part: str) -> None:
    if not 1 <= len(part) <= NAME_LENGTH:
        raise _bad(
            "model name",
            whole,
            f"1 to {NAME_LENGTH} characters in each part",
            str(len(part)),
            "Change its length",
        )
    for char in part:
        if not _allowed_in_name(char):
            expected = "letters, digits, inner spaces and . _ - ( ) + & , '"
            raise _bad("model name", whole, expected, _character(char), "Leave that character out")
    if part[0] in " ." or part[-1] in " .":
        raise _bad("model name", whole, "no space or dot at either end", repr(plain(part[:40])), "Trim it")


def _allowed_in_name(char: str) -> bool:
    if char.isascii():
        return char.isalnum() or char in _NAME_MARKS
    return (category(char)[0] in "LM" or category(char) == "Nd") and not INVISIBLE.match(char)


def check_alias(text: str) -> str:
    """An alias: ``[A-Za-z][A-Za-z0-9._-]{0,127}``, and no word that already means something else.

    The same word has to work as a Hugging Face revision, an OCI tag and a file name, which is why commit-like
    and tag-like words are taken.

    Raises:
        InvalidName: Another form; ``latest``, ``main``, a stage, ``v`` with digits, seven or more hex digits,
        or a
            beginning ``sha256-`` or ``stage-`` (all in any case).
    """
    if not (isinstance(text, str) and _ALIAS.fullmatch(text)):
        expected = "a letter, then up to 127 letters, digits, '.', '_' or '-'"
        raise _bad("alias", text, expected, "something else", "Use a word such as champion or prod-eu")
    if reserved := _reserved_alias(text.lower()):
        raise _bad(
            "alias", text, "a word with no other meaning", reserved, "Use a word such as champion or prod-eu"
        )
    return text


def _reserved_alias(lower: str) -> str | None:
    if lower == "latest":
        return "latest, which is always computed"
    if lower == "main":
        return "main, which is the default revision"
    if lower in STAGES:
        return "the name of a stage (the holder of a stage needs no alias)"
    if re.fullmatch(r"v[0-9]+", lower):
        return "the form of a version number"
    if re.fullmatch(r"[0-9a-f]{7,}", lower):
        return "the form of a commit id"
    if lower.startswith(("sha256-", "stage-")):
        return "a reserved beginning"
    return None


def check_label(text: str) -> str:
    """A version's label as written: ``[A-Za-z0-9][A-Za-z0-9._+-]{0,127}``, for example ``1.4.0`` or
    ``alpha-1``.

    Raises:
        InvalidName: Anything else.
    """
    if not (isinstance(text, str) and _LABEL.fullmatch(text)):
        expected = "a letter or digit, then up to 127 letters, digits, '.', '_', '+' or '-'"
        raise _bad("version label", text, expected, "something else", "Use for example 1.4.0 or alpha-1")
    return text


def check_key(text: str, what: str = "key") -> str:
    """The name of a tag, attribute, check or parameter, in NFC: 1 to 250 printable characters.

    Raises:
        InvalidName: Empty, longer, or with control, bidirectional or other unprintable characters.
    """
    if type(text) is str and text.isascii() and text.isprintable() and 1 <= len(text) <= KEY_LENGTH:
        return text  # nearly always, and a version has thirty of them
    clean = _nfc(text, what, KEY_LENGTH)
    if not 1 <= len(clean) <= KEY_LENGTH:
        raise _bad(what, clean, f"1 to {KEY_LENGTH} characters", str(len(clean)), "Change its length")
    for char in clean:
        if not char.isprintable():
            raise _bad(what, clean, "printable characters", _character(char), "Leave that character out")
    return clean


def check_metric_name(text: str) -> str:
    """A metric's name in NFC: as :func:`check_key`, without ``[`` and ``]``, which qualify a metric in a
    gate.

    Raises:
        InvalidName: Anything else.
    """
    clean = check_key(text, "metric name")
    if "[" in clean or "]" in clean:
        raise _bad(
            "metric name",
            clean,
            "no square brackets",
            "one",
            "Give data set and split as arguments of their own",
        )
    return clean


def check_digest(text: str) -> str:
    """A digest: ``sha256:`` and 64 lower-case hex digits, nothing else.

    Raises:
        InvalidInput: Any other text, or no text.
    """
    if not (isinstance(text, str) and _DIGEST.fullmatch(text)):
        raise InvalidInput(
            f"digest: expected 'sha256:' and 64 lower-case hex digits, found {shown(text)}. Copy it whole."
        )
    return text


def _nfc(text: str, what: str, limit: int) -> str:
    """``text`` in NFC, refused early when it is no text or so long that normalising it would cost
    something.
    """
    value: object = text
    if not isinstance(value, str):
        raise _bad(what, value, "text", type(value).__name__, "Pass a string")
    if len(value) > 4 * limit:
        raise _bad(what, value, f"at most {limit} characters", str(len(value)), "Shorten it")
    if problem := storable_problem(value):
        raise _bad(what, value, "text that UTF-8 can hold", problem, "Remove it")
    return normalize("NFC", value)


def _character(char: str) -> str:
    return f"U+{ord(char):04X} {name(char, 'with no name')}"


def _bad(what: str, value: object, expected: str, found: str, advice: str) -> InvalidName:
    return InvalidName(
        f"{what} {shown(value)}: expected {expected}, found {found}. {advice}.", data={"found": found}
    )
