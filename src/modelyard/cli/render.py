"""Tables and facts that fit the terminal, whatever is in them.

Every text from outside passes ``plain`` here: no cell can move the cursor, forge a line or hide. Widths are counted
in terminal columns (Unicode Standard Annex #11: wide and full-width characters take two, combining marks none).
A library for this costs 26 ms of import, about as much as the rest of the program's start; this file costs one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from modelyard.domain.text import plain

ELLIPSIS: Final = "…"
GAP: Final = 2
LABEL_WIDTH: Final = 7
"""Label, gap and a 71 character digest are exactly 80 columns, so that a digest can be copied whole."""

Paint = Callable[[str, str], str]
"""``(text, style) -> text`` with colour around it; widths are counted before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        right: Numbers stand right.
        keep: Other columns give up space first.
        cut: Where a long cell is cut: ``middle`` for names, whose ends tell, ``end`` for what is read from the start.
    """

    title: str
    right: bool = False
    keep: bool = False
    cut: str = "middle"


def width_of(text: str) -> int:
    """Terminal columns that ``text`` takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def shorten(text: str, width: int, cut: str = "middle") -> str:
    """``text`` in at most ``width`` columns: its middle, or its end, gives way to ``…``."""
    if width_of(text) <= width:
        return text
    if width <= 1:
        return ELLIPSIS[:width]
    head = width // 2 if cut == "middle" else width - 1
    tail = _first(text[::-1], width - 1 - head)[::-1]
    while tail and not _columns(tail[0]):  # a mark whose letter is gone
        tail = tail[1:]
    return _first(text, head) + ELLIPSIS + tail


def _first(text: str, width: int) -> str:
    """As many characters from the start as fit ``width`` columns."""
    used = 0
    for index, char in enumerate(text):
        used += _columns(char)
        if used > width:
            return text[:index]
    return text


def pad(text: str, width: int, *, right: bool = False, cut: str = "middle") -> str:
    """``text`` filled with spaces to ``width`` columns, shortened if it is longer."""
    cell = shorten(text, width, cut)
    space = " " * (width - width_of(cell))
    return space + cell if right else cell + space


def table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[str]],
    width: int,
    paint: Paint | None = None,
) -> list[str]:
    """Lines of a table, title row first: no line is wider than ``width`` and no row takes two lines.

    Columns that do not fit even at their narrowest are left out from the right, with a last line that says so.
    """
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [
        max([width_of(column.title), *(width_of(row[index]) for row in cells)])
        for index, column in enumerate(columns)
    ]
    shown = _fitting(columns, width)
    widths = _squeezed(widths[:shown], columns, width - GAP * (shown - 1))
    title = _line([column.title for column in columns[:shown]], widths, columns)
    lines = [paint(title, "title") if paint else title]
    lines += [_line(row[:shown], widths, columns) for row in cells]
    if shown < len(columns):
        lines.append(shorten(f"({len(columns) - shown} more columns do not fit; --json has all)", width))
    return lines


def _line(cells: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> str:
    parts = [
        pad(cell, size, right=column.right, cut=column.cut)
        for cell, size, column in zip(cells, widths, columns, strict=False)
    ]
    return (" " * GAP).join(parts).rstrip()


def _fitting(columns: Sequence[Column], width: int) -> int:
    """How many columns fit when each takes what it needs at least."""
    used = -GAP
    for index, column in enumerate(columns):
        used += GAP + _least(column)
        if used > width:
            return max(index, 1)
    return len(columns)


def _least(column: Column) -> int:
    return min(max(width_of(column.title), 4), 8)


def _squeezed(widths: list[int], columns: Sequence[Column], room: int) -> list[int]:
    """Widths that fit ``room``: the widest column gives first, those marked ``keep`` only when nothing else can."""
    result = list(widths)
    least = [min(size, _least(column)) for size, column in zip(widths, columns, strict=False)]
    for keep in (False, True):
        giving = [i for i, column in enumerate(columns[: len(result)]) if keep or not column.keep]
        while sum(result) > room:
            candidates = [i for i in giving if result[i] > least[i]]
            if not candidates:
                break
            result[max(candidates, key=result.__getitem__)] -= 1
    if sum(result) > room and result:
        result[-1] = max(1, result[-1] - (sum(result) - room))
    return result


def facts(
    pairs: Iterable[tuple[str, str]],
    width: int,
    label_width: int = LABEL_WIDTH,
    *,
    whole: Container[str] = (),
) -> list[str]:
    """``label  value`` lines; long values continue below themselves. An empty value leaves its line out.

    The values of the labels in ``whole`` stay in one piece, however long: for what is to be copied.
    """
    room = max(width - label_width - GAP, 8)
    lines = []
    for label, value in pairs:
        if not value:
            continue
        first, *rest = [plain(value)] if label in whole else wrap(plain(value), room)
        lines.append(f"{pad(label, label_width)}{' ' * GAP}{first}")
        lines += [" " * (label_width + GAP) + line for line in rest]
    return lines


def wrap(text: str, width: int) -> list[str]:
    """``text`` in lines of at most ``width`` columns, broken at spaces where there are any."""
    lines = []
    while width_of(text) > width:
        head = _first(text, width) or text[:1]
        cut = head.rfind(" ")
        if text[len(head) : len(head) + 1] == " " or cut <= 0:
            cut = len(head)
        lines.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*lines, text]
