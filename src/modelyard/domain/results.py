"""Per-example results: what a version said about each single example, as a file that travels with it.

A file ``results.jsonl`` or ``results.parquet`` holds the results on the data that the metrics were measured on. With
several data sets there is one file for each, ``results/<place>.jsonl``, where the place is written as in a metric's
qualifier: ``results/test.jsonl`` belongs to ``accuracy[test]``, ``results/iris/test.parquet`` to
``accuracy[iris/test]``.

One row (one line) is one example. ``example_id``, text or a whole number, names it, once per file. Every other
column of numbers or booleans is what one metric is the mean of, and is named like that metric: ``log_loss``,
``accuracy``. ``correct`` stands for ``accuracy``, ``absolute_error`` for ``mae``, ``squared_error`` for ``mse``.
Columns of anything else, such as labels and predictions, are left to people.
"""

from __future__ import annotations

import json
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import InvalidInput
from modelyard.domain.evidence import PairedOutcomes, PairedScores
from modelyard.domain.metrics import check_name
from modelyard.domain.records import FileEntry
from modelyard.domain.spelling import quoted

ID: Final = "example_id"
SUFFIXES: Final = (".jsonl", ".parquet")
MOST_EXAMPLES: Final = 1_000_000
MOST_BYTES: Final = 256 * 2**20
MOST_COLUMNS: Final = 100
MOST_NUMBERS: Final = 5_000_000
"""Rows times columns. They are 8 bytes each, and some microseconds until they are sorted, checked and tested: a small
file of a constant column can unfold into as many as it likes."""
LONGEST_ID: Final = 200  # characters
LARGEST: Final = 1e100  # squares and sums of this size stay finite

SHORTHANDS: Final[Mapping[str, str]] = {
    "correct": "accuracy",
    "absolute_error": "mae",
    "squared_error": "mse",
}
"""Column -> the metric that is its mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """One file of per-example results.

    Attributes:
        ids: Names of the examples, in the file's order, each once.
        columns: Metric -> one finite number per example.
    """

    ids: tuple[str, ...]
    columns: Mapping[str, Sequence[float]]

    def mean(self, column: str) -> float:
        """The metric that the column is about."""
        return math.fsum(self.columns[column]) / len(self.ids)

    def deviation(self, column: str) -> float | None:
        """Standard deviation over the examples; ``None`` for a single one."""
        values, mean = self.columns[column], self.mean(column)
        if len(values) < 2:
            return None
        return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


# --- finding the files --------------------------------------------------------------------------------------


def by_place(files: Iterable[FileEntry]) -> dict[str, FileEntry]:
    """The files of per-example results by place; ``""`` is ``results.jsonl`` itself.

    Where both forms exist for one place, JSON lines count: they can be read everywhere.
    """
    found: dict[str, FileEntry] = {}
    for entry in sorted(files, key=lambda entry: entry.path, reverse=True):
        place = place_of(entry.path)
        if place is not None and entry.role == "artifact":
            found[place] = entry
    return found


def place_of(path: str) -> str | None:
    """What data a file holds the results on; ``None`` if it is no file of per-example results."""
    suffix = next((suffix for suffix in SUFFIXES if path.endswith(suffix)), None)
    if suffix is None:
        return None
    stem = path.removesuffix(suffix)
    if stem == "results":
        return ""
    return stem.removeprefix("results/") if stem.startswith("results/") else None


# --- reading ------------------------------------------------------------------------------------------------


def parse_lines(data: bytes) -> Results:
    """Results from JSON lines, one object per line; empty lines do not count.

    Raises:
        InvalidInput: It names the line and what is wrong with it.
    """
    ids: list[Any] = []
    columns: dict[str, array[float]] = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        row = _row(line, number)
        if not ids:
            columns = {name: array("d") for name, value in row.items() if name != ID and _measured(value)}
        _append(columns, row, number)
        ids.append(row[ID])
        check_count(len(ids), len(columns))
    return checked(ids, columns)


def _row(line: bytes, number: int) -> dict[str, Any]:
    try:
        text = line.decode("utf-8-sig")  # of bytes, `loads` would guess
        row = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"line {number}: expected a JSON object with finite numbers ({error})") from error
    if not isinstance(row, dict) or ID not in row:
        raise InvalidInput(f"line {number}: expected a JSON object with {ID!r}, found {quoted(row)}")
    return row


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError("found a key twice in one object")
    return row


def _no_constant(text: str) -> float:
    raise ValueError(f"found {text}")


def _measured(value: Any) -> bool:
    return isinstance(value, bool | int | float)


def _append(columns: Mapping[str, array[float]], row: Mapping[str, Any], number: int) -> None:
    for name, values in columns.items():
        value = row.get(name)
        if not _measured(value):
            raise InvalidInput(
                f"line {number}, {quoted(name)}: expected a number or a boolean as in the first line, "
                f"found {quoted(value)}"
            )
        try:
            values.append(float(value))  # type: ignore[arg-type]  # `_measured` says so
        except OverflowError as error:
            raise InvalidInput(f"line {number}, {quoted(name)}: the number is too large") from error


def checked(ids: Sequence[Any], columns: Mapping[str, Sequence[float]]) -> Results:
    """Results whose rules hold; ``columns`` are named as in the file.

    Raises:
        InvalidInput: No examples, too many, or one twice; no columns of numbers, too many, or two for one
            metric; a number that is not finite or beyond `LARGEST`.
    """
    check_count(len(ids), len(columns))
    names = tuple(map(_id, ids))
    if not names:
        raise InvalidInput("expected at least one example, found none")
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise InvalidInput(f"{ID} {quoted(twice)} stands there twice: every example counts once")
    check_columns(len(columns))
    return Results(ids=names, columns=_metrics(columns, names))


def check_count(examples: int, columns: int) -> None:
    """Raise ``InvalidInput`` if a file holds more examples, or more numbers, than are read."""
    if examples > MOST_EXAMPLES:
        raise InvalidInput(f"expected at most {MOST_EXAMPLES:,} examples, found more")
    if examples * columns > MOST_NUMBERS:
        raise InvalidInput(
            f"expected at most {MOST_NUMBERS:,} numbers (examples times columns), found more in {columns} columns; "
            "leave out the columns that no metric is the mean of, or examples"
        )


def check_columns(count: int) -> None:
    """Raise ``InvalidInput`` unless a file measures something, and not too much."""
    if not 0 < count <= MOST_COLUMNS:
        raise InvalidInput(
            f"expected 1 to {MOST_COLUMNS} columns of numbers or booleans beside {ID!r}, found {count}"
        )


def _id(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or not 0 < len(str(value)) <= LONGEST_ID:
        raise InvalidInput(
            f"{ID}: expected a whole number or 1 to {LONGEST_ID} characters, found {quoted(value)}"
        )
    return str(value)


def _metrics(columns: Mapping[str, Sequence[float]], ids: tuple[str, ...]) -> dict[str, Sequence[float]]:
    found: dict[str, Sequence[float]] = {}
    for column, values in columns.items():
        metric = SHORTHANDS.get(column, column)
        check_name(metric)
        if metric in found:
            raise InvalidInput(f"two columns stand for the metric {quoted(metric)}; leave one out")
        odd = next((i for i, value in enumerate(values) if not abs(value) <= LARGEST), None)
        if odd is not None:
            raise InvalidInput(
                f"{ID} {quoted(ids[odd])}, {quoted(column)}: expected a number within ±{LARGEST:g}, "
                f"found {values[odd]}"
            )
        found[metric] = values
    return found


# --- pairing ------------------------------------------------------------------------------------------------


def unpairable(a: Results, b: Results) -> str:
    """Why the two files cannot be paired, example by example; empty if they can."""
    ours, theirs = set(a.ids), set(b.ids)
    if ours == theirs:
        return ""
    return (
        f"they are about different examples ({len(ours - theirs)} only of a, {len(theirs - ours)} only of b, "
        f"{len(ours & theirs)} of both)"
    )


def in_order(side: Results) -> Results:
    """The same results by name of the example, so that an answer does not depend on how a file was written."""
    order = sorted(range(len(side.ids)), key=side.ids.__getitem__)
    return Results(
        ids=tuple(side.ids[place] for place in order),
        columns={name: array("d", (values[i] for i in order)) for name, values in side.columns.items()},
    )


def paired(a: Results, b: Results, column: str) -> PairedOutcomes | PairedScores:
    """One column of both files as evidence; the files must be about the same examples, `in_order`."""
    left, right = a.columns[column], b.columns[column]
    if all(value in (0, 1) for value in left) and all(value in (0, 1) for value in right):
        only_b = sum(y > x for x, y in zip(left, right, strict=True))
        only_a = sum(x > y for x, y in zip(left, right, strict=True))
        return PairedOutcomes(only_a=only_a, only_b=only_b, n=len(a.ids))
    return PairedScores(differences=array("d", (y - x for x, y in zip(left, right, strict=True))))
