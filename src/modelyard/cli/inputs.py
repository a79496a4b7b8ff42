"""Values of options that are more than a word: JSON given inline or as a file, pairs, moments."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from modelyard.domain.errors import InvalidInput

LIMIT: Final = 64 * 2**20
"""Bytes of a JSON file that is read: far more than any metadata, far less than memory."""

DAY: Final = 86_400
"""Seconds."""

_PAST: Final = re.compile(
    r"-?(?P<count>[0-9]{1,6})\s*(?P<unit>s|m|h|d|w|sec|min|hour|day|week)[a-z]*(\s+ago)?", re.ASCII
)


def json_object(given: str) -> dict[str, Any]:
    """What an option takes that wants a JSON object: text that begins with ``{``, a file, or ``-``.

    Raises:
        click.BadParameter: It is something else; click adds the option's name.
    """
    try:
        found = read_json(given)
    except InvalidInput as error:
        raise click.BadParameter(error.detail) from error
    if not isinstance(found, dict):
        raise click.BadParameter(f'expected a JSON object such as {{"accuracy": 0.9}}, found {_kind(found)}')
    return found


def seconds(given: str) -> float:
    """Seconds to wait, from 0.1 to a day.

    Raises:
        click.BadParameter: It is something else, NaN for example, which a range would let through.
    """
    try:
        found = float(given)
    except ValueError:
        found = -1.0
    if not 0.1 <= found <= DAY:
        raise click.BadParameter(f"expected 0.1 to {DAY} seconds, found {given!r}")
    return found


def read_json(given: str) -> Any:
    """JSON from an option: inline, from standard input (``-``) or from a file.

    Raises:
        InvalidInput: The file cannot be read, or what was read is no JSON, is nested too deeply, or has a key twice.
    """
    if given.lstrip().startswith(("{", "[")):
        return parse_json(given, "the given JSON")
    if given == "-":
        return parse_json(sys.stdin.read(LIMIT), "standard input")
    return read_json_file(Path(given))


def read_json_file(path: Path, wanted: str = "JSON such as '{\"accuracy\": 0.9}' or a file of it") -> Any:
    """The JSON value in a file of at most 64 MiB.

    Args:
        path: The file.
        wanted: What to give instead, for the message about a file that cannot be read.

    Raises:
        InvalidInput: As :func:`read_json`.
    """
    return parse_json(read_text(path, wanted), f"'{path}'")


def read_text(path: Path, wanted: str) -> str:
    """The text of a file of at most 64 MiB.

    Raises:
        InvalidInput: It is larger, cannot be read, or is no UTF-8; says to give ``wanted`` instead.
    """
    try:
        if path.stat().st_size > LIMIT:
            raise InvalidInput(f"'{path}': expected at most {LIMIT >> 20} MiB of JSON. Split the file.")
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"'{path}': expected UTF-8 text, found other bytes at {error.start}.") from error
    except OSError as error:
        raise InvalidInput(f"'{path}' cannot be read: {error.strerror}. Give {wanted}.") from error


def parse_json(text: str, where: str) -> Any:
    """``json.loads`` that refuses a key given twice and explains itself.

    Raises:
        InvalidInput: With line and column.
    """
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"{where}: expected JSON, found a mistake at line {error.lineno}, column {error.colno}: {error.msg}."
        ) from error
    except RecursionError:
        raise InvalidInput(f"{where}: expected JSON, found brackets nested hundreds deep.") from None
    except ValueError as error:
        raise InvalidInput(f"{where}: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r:.80} stands twice in one object; keep one.")
    return result


def _kind(value: Any) -> str:
    return {list: "a list", str: "text", bool: "a boolean", type(None): "null"}.get(type(value), "a number")


def pairs(given: Iterable[str], what: str, *, typed: bool = False) -> dict[str, Any]:
    """``key=value`` words and JSON objects as one mapping; a later one wins.

    Args:
        given: Words such as ``team=risk`` or ``{"team": "risk"}``.
        what: Name of the option, for messages.
        typed: Read values as JSON where they are JSON: ``depth=3`` is then a number.

    Raises:
        InvalidInput: A word without ``=``.
    """
    result: dict[str, Any] = {}
    for word in given:
        if word.lstrip().startswith("{"):
            result |= read_json(word)
            continue
        key, equals, value = word.partition("=")
        if not (equals and key):
            raise InvalidInput(f"{what}: expected key=value or a JSON object, found '{word:.60}'.")
        result[key] = _typed(value) if typed else value
    return result


def links(given: Iterable[str]) -> list[tuple[str, str]]:
    """``kind=target`` words as lineage links.

    Raises:
        InvalidInput: A word without ``=``.
    """
    found = [word.partition("=") for word in given]
    for kind, equals, target in found:
        if not (kind and equals and target):
            raise InvalidInput(f"--lineage: expected kind=target, found '{kind + equals:.60}'.")
    return [(kind, target) for kind, _, target in found]


def _typed(text: str) -> Any:
    try:
        return parse_json(text, "value")
    except InvalidInput:
        return text


def compression(text: str | None) -> int | bool | None:
    """``--compress``: a level 0 to 9, or yes or no.

    Raises:
        InvalidInput: Something else.
    """
    if text is None:
        return None
    known: dict[str, int | bool] = {
        "true": True,
        "yes": True,
        "on": True,
        "false": False,
        "no": False,
        "off": False,
    }
    if text.lower() in known:
        return known[text.lower()]
    if text in list("0123456789"):
        return int(text)
    raise InvalidInput(f"--compress: expected a level 0 to 9, true or false, found '{text:.40}'.")


def moment(text: str, now: datetime) -> datetime:
    """A moment as people write it: ISO 8601 (local time where no zone is given), ``now``, or ``5 min ago``.

    Raises:
        InvalidInput: Something else.
    """
    from modelyard.domain.times import read_span

    word = text.strip()
    if word.lower() == "now":
        return now
    if found := _PAST.fullmatch(word.lower()):
        span = read_span(f"-{found['count']}{found['unit'][0]}", now)
        if span is not None:
            return span
    try:
        # Python's own reader takes any number of digits; nobody means a moment of 41 characters.
        return datetime.fromisoformat(word if len(word) <= 40 else "").astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise InvalidInput(
            f"time: expected for example 2026-03-01, 2026-03-01T12:00, 2026-03-01T12:00Z, '10 min ago' or now, "
            f"found '{text:.60}'."
        ) from None
