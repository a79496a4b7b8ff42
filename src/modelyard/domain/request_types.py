"""Types of what a request brings: a fact of the wrong type, or too large a one, must stop at the door.

Annotations bind nobody at run time. Once committed, a fact of another type than its record declares can be hashed and
stored, but never read back from an export.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from modelyard.domain.canonical import canonical
from modelyard.domain.errors import InvalidInput
from modelyard.domain.spelling import quoted

FACT_LIMIT: Final = 1_000_000
"""Bytes that a fact such as ``attributes`` has as JSON: it is read and hashed whole; what is larger is a file."""


def check_mapping(what: str, value: Any) -> None:
    """Raise unless ``value`` is a mapping with text keys.

    Raises:
        InvalidInput: It names ``what``, the key if one is at fault, and what was found.
    """
    if not isinstance(value, Mapping):
        raise InvalidInput(
            f"{what}: expected a mapping such as {{'key': 'value'}}, found {_found(value)}; "
            "put a single value under a key"
        )
    for key in value:
        if not isinstance(key, str):
            raise InvalidInput(f"{what}: expected text as keys, found {_found(key)}; write the key as text")


def check_optional_mapping(what: str, value: Any) -> None:
    """As ``check_mapping``; ``None`` stands for "not known"."""
    if value is not None:
        check_mapping(what, value)


def check_text_fact(what: str, value: Any) -> None:
    """Raise unless ``value`` is text.

    Raises:
        InvalidInput: It names ``what`` and what was found.
    """
    if not isinstance(value, str):
        raise InvalidInput(
            f"{what}: expected text, found {_found(value)}; leave it out if there is nothing to say"
        )


def check_optional_text(what: str, value: Any) -> None:
    """As ``check_text_fact``; ``None`` stands for "leave it as it is"."""
    if value is not None:
        check_text_fact(what, value)


def check_tag_values(tags: Any, *, removing: bool) -> None:
    """Raise unless ``tags`` maps text to text.

    Args:
        tags: As given.
        removing: ``True`` where a ``None`` removes a tag. At registration there is nothing to remove: the caller
            drops such tags (``given_tags``) or refuses them here.

    Raises:
        InvalidInput: It names the tag and what was found.
    """
    check_mapping("tags", tags)
    for key, value in tags.items():
        if not isinstance(value, str) and not (removing and value is None):
            raise InvalidInput(
                f"tag {key!r}: expected text, found {_found(value)}; numbers and structures go into attributes"
            )


def given_tags(tags: Mapping[str, str | None]) -> dict[str, str]:
    """The tags that have a value: what a registration stores when some are given as ``None``."""
    return {key: value for key, value in tags.items() if value is not None}


def check_json(value: Any, what: str) -> bytes:
    """The canonical form of what is stored as JSON, which must have one, to be hashed into the event chain.

    Raises:
        InvalidInput: It has none, or one of more than ``FACT_LIMIT`` bytes.
    """
    try:
        text = canonical(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{what} may hold JSON values only: {error}") from error
    if len(text) > FACT_LIMIT:
        raise InvalidInput(
            f"{what}: expected at most {FACT_LIMIT} bytes as JSON, found {len(text)}. Attach it as a file instead."
        )
    return text


def _found(value: Any) -> str:
    return f"{quoted(value)} ({type(value).__name__})"
