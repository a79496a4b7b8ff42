"""Reading moments that people write: ISO 8601 dates and times, and spans back from now such as ``-7d``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_ISO: Final = re.compile(
    r"(19|[2-9][0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?",
    re.ASCII,
)
_SPAN: Final = re.compile(r"-([0-9]{1,6})([smhdw])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_time(text: str) -> datetime | None:
    """A date or time from 1900 to 9999 as an aware UTC datetime; ``None`` if ``text`` is neither.

    A date means its first moment; a time without a zone is UTC.
    """
    if not _ISO.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def is_span(text: str) -> bool:
    """Whether ``text`` counts back from now: ``-90s``, ``-15m``, ``-12h``, ``-7d``, ``-2w``."""
    return _SPAN.fullmatch(text) is not None


def read_span(text: str, now: datetime) -> datetime | None:
    """The moment that ``text`` (see :func:`is_span`) names, or ``None`` if it is no span or lies before year
    1.
    """
    if not (found := _SPAN.fullmatch(text)):
        return None
    try:
        return now.astimezone(UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])})
    except OverflowError:
        return None


def write_time(moment: datetime) -> str:
    """ISO 8601 in UTC with ``Z`` and no more digits than needed; :func:`read_time` reads it back
    unchanged.
    """
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
