"""A setting as a field of a record: its default, and the row of the reference table that goes with it."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from modelyard.domain.dataclass import dataclass
from modelyard.settings.kinds import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is said about a setting beside its name and default.

    Attributes:
        kind: What it may hold.
        help: One sentence for people.
        active: Whether the running build does anything with it.
        built: If not empty, the only values that are active.
        secret: Never shown, printed or quoted in an error.
    """

    kind: Kind
    help: str
    active: bool = False
    built: tuple[str, ...] = ()
    secret: bool = False


def setting(
    default: object,
    kind: Kind,
    text: str,
    *,
    active: bool = False,
    built: tuple[str, ...] = (),
    secret: bool = False,
) -> Any:
    """A field with its row. Secrets and URLs, which may carry a password, stay out of ``repr``."""
    row = Row(kind=kind, help=text, active=active, built=built, secret=secret)
    return field(default=default, metadata={"row": row}, repr=not (secret or kind.private))


def section(kind: type) -> Any:
    """A field that holds a record of further settings."""
    return field(default_factory=kind, metadata={"section": kind})
