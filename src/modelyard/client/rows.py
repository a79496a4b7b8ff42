"""Rows of whatever models take: arrays, tables and lists, picked by position and put together again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from modelyard.domain.errors import InvalidInput


def are_many(value: Any) -> bool:
    """Whether ``value`` is a collection of names rather than one name (text is one name)."""
    return hasattr(value, "__len__") and not isinstance(value, str | bytes)


def count(table: Any) -> int:
    """Number of rows.

    Raises:
        InvalidInput: It has none to count.
    """
    try:
        return len(table)
    except TypeError as error:
        raise InvalidInput(
            f"X: expected rows (an array, a table or a list), found {type(table).__name__}"
        ) from error


def picked(table: Any, positions: list[int]) -> Any:
    """The rows at ``positions``, in that order, as the same kind of table."""
    if hasattr(table, "iloc"):
        return table.iloc[positions]
    if isinstance(table, list | tuple):
        return [table[position] for position in positions]
    return table[positions]


def scattered(table: Any, owners: Sequence[str], answer: Callable[[str, Any], Any]) -> Any:
    """Each row answered by its owner, the answers in the order of the rows.

    Args:
        table: The rows.
        owners: One per row.
        answer: Takes an owner and its rows, gives one answer per row.

    Returns:
        An array if all answers came as arrays (without any: if the table is one), else a list.
    """
    places: dict[str, list[int]] = {}
    for position, owner in enumerate(owners):
        places.setdefault(str(owner), []).append(position)
    parts = {owner: answer(owner, picked(table, positions)) for owner, positions in places.items()}
    results: list[Any] = [None] * len(owners)
    for owner, positions in places.items():
        if len(parts[owner]) != len(positions):
            raise InvalidInput(
                f"variant {owner}: expected one prediction for each of {len(positions)} rows, found {len(parts[owner])}"
            )
        for position, result in zip(positions, parts[owner], strict=True):
            results[position] = result
    return _together(results, list(parts.values()) or [table])


def _together(results: list[Any], parts: list[Any]) -> Any:
    if all(hasattr(part, "shape") for part in parts):
        import numpy as np

        return np.asarray(results)
    return results
