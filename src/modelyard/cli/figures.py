"""Numbers and times as people read them; ``--json`` has them exact."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_SPANS: Final = (
    (60.0, 1.0, "s"),
    (3600.0, 60.0, "min"),
    (86400.0, 3600.0, "h"),
    (86400.0 * 60, 86400.0, "d"),
)


def size(count: int | float) -> str:
    """Bytes in powers of 1024 with three digits at most: ``0 B``, ``1.5 KiB``, ``204 MiB``."""
    amount = float(count)
    for unit in _UNITS:
        if amount < 1000 or unit == _UNITS[-1]:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 99.95 else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError("the last unit takes everything")


def number(value: Any) -> str:
    """A measured number with six significant digits; whole numbers as they are; ``-`` for none."""
    if value is None:
        return "-"
    if isinstance(value, bool | int):
        return str(value)
    return f"{value:.6g}"


def change(value: float | None) -> str:
    """A difference with its sign and four significant digits; ``-`` for none."""
    return "-" if value is None else f"{value:+.4g}"


def span(bounds: tuple[float, float] | None) -> str:
    """An interval with three significant digits: ``-0.02 to +0.013``; ``-`` for none."""
    return "-" if bounds is None else f"{bounds[0]:+.3g} to {bounds[1]:+.3g}"


def chance(value: float | None) -> str:
    """A p-value: three decimals, ``<0.001`` below; ``-`` for none."""
    if value is None:
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def local(moment: datetime) -> str:
    """Date and time in the zone of whoever reads: ``2026-03-01 12:00:07``."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def ago(moment: datetime | None, now: datetime) -> str:
    """``3 min ago`` up to two months, then the date; ``in 5 s`` for clocks that disagree; ``-`` for none."""
    if moment is None:
        return "-"
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 1:
        return "now"
    for limit, unit, word in _SPANS:
        if abs(seconds) < limit:
            count = f"{int(abs(seconds) / unit)} {word}"
            return f"{count} ago" if seconds > 0 else f"in {count}"
    return moment.astimezone().strftime("%Y-%m-%d")


def when(moment: datetime | None, now: datetime) -> str:
    """The local time with its distance: ``2026-03-01 12:00:07 (3 min ago)``."""
    if moment is None:
        return "-"
    distance = ago(moment, now)
    return f"{local(moment)} ({distance})" if " " in distance or distance == "now" else local(moment)


def plural(count: int, word: str) -> str:
    """``1 version``, ``2 versions``, ``2 entries``."""
    if count == 1:
        return f"1 {word}"
    if word.endswith("ry"):
        return f"{count:,} {word[:-1]}ies"
    return f"{count:,} {word}{'es' if word.endswith('s') else 's'}"
