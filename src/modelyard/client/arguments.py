"""What callers pass, checked before anything is done with it: a slip is named, and nothing has happened yet.

Python does not look at annotations. Here they are read once per method, when it is first called, and each call is held
against them; that costs some 5 microseconds, which no call to a registry notices.
"""

from __future__ import annotations

import functools
import inspect
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, ParamSpec, TypeVar

from modelyard.domain.errors import InvalidInput
from modelyard.domain.spelling import quoted
from modelyard.ports.service import UNSET

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C")
_Rules = dict[str, Callable[[Any], None]]

LONGEST: Final = 36_500.0
"""Days: a century, and safely inside what a date can hold."""

_PATTERN: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*(\.\*|\.[^\W\d]\w*)")


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """Refuse arguments that are not what the function's annotations say.

    Raises:
        InvalidInput: From each call; names the argument, what was expected and what was found.
    """

    @functools.cache
    def rules() -> tuple[_Rules, list[Callable[[Any], None]]]:
        """By name, and for what comes by position."""
        parameters = inspect.signature(function).parameters.values()
        by_name = {p.name: rule for p in parameters if (rule := _rule(p)) is not None}
        return by_name, [by_name.get(p.name, _anything) for p in parameters if p.kind in _BY_PLACE]

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        by_name, in_order = rules()
        for rule, value in zip(in_order, args, strict=False):
            rule(value)
        for name, value in kwargs.items():
            if name in by_name:
                by_name[name](value)
        return function(*args, **kwargs)

    return call


def checked_methods(cls: type[C]) -> type[C]:
    """``checked`` for every public method of a class."""
    for name, member in list(vars(cls).items()):
        if inspect.isfunction(member) and not name.startswith("_"):
            setattr(cls, name, checked(member))
    return cls


def _rule(parameter: inspect.Parameter) -> Callable[[Any], None] | None:
    """The check for one parameter; ``None`` where anything goes or where the callee reads it itself."""
    written = str(parameter.annotation)
    kind, optional = written.removesuffix(" | None"), written.endswith(" | None")
    known = next((entry for start, entry in _KINDS.items() if kind.startswith(start)), None)
    if known is None or parameter.kind is parameter.VAR_KEYWORD:
        return None
    is_right, expected = known

    def check(value: Any) -> None:
        if not (is_right(value) or value is UNSET or (optional and value is None)):
            words = f"{expected} or None" if optional else expected
            raise InvalidInput(f"{parameter.name}: expected {words}, found {found(value)}.")

    return check


def _anything(_: object) -> None:
    """The check of what is not checked."""


_BY_PLACE: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def found(value: object) -> str:
    """A value for an error message: its type, and itself where that is short."""
    if value is None or isinstance(value, bool):
        return str(value)
    return (
        f"{type(value).__name__} {quoted(value, 40)}"
        if isinstance(value, str | int | float)
        else _named(value)
    )


def _named(value: object) -> str:
    return f"a value of type {type(value).__name__}"


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_path(value: object) -> bool:
    return isinstance(value, str | os.PathLike) and isinstance(text := os.fspath(value), str) and text != ""


def _is_texts(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)


_KINDS: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "str | Path": (_is_path, "a path"),
    "str": (_is_text, "text"),
    "bool": (lambda value: isinstance(value, bool), "True or False"),
    "int": (_is_whole, "a whole number"),
    "float": (_is_number, "a finite number"),
    "datetime": (lambda value: isinstance(value, datetime), "a datetime (a date has no time of day)"),
    "Mapping": (lambda value: isinstance(value, Mapping), "a mapping such as {'key': 'value'}"),
    "Sequence[str]": (_is_texts, "a list of texts"),
    "Iterable[str]": (_is_texts, "a list of texts"),
}
"""How an annotation begins -> the check and the words for it; the first that fits counts."""


def texts(given: Iterable[Any], what: str) -> tuple[str, ...]:
    """The texts of a list, each of them a text.

    Raises:
        InvalidInput: Names what is none.
    """
    for item in (items := tuple(given)):
        if not isinstance(item, str):
            raise InvalidInput(f"{what}: expected a list of texts, found {found(item)} in it.")
    return items


def patterns(given: Iterable[Any]) -> tuple[str, ...]:
    """What a call trusts: exact names with their module, or ``package.*``.

    Raises:
        InvalidInput: A lone ``*`` or another text that is neither: trusting everything is not offered.
    """
    for pattern in (items := texts(given, "trust")):
        if not _PATTERN.fullmatch(pattern):
            raise InvalidInput(
                f"trust: expected names such as 'my_pkg.Model' or 'my_pkg.*', found {quoted(pattern)}."
            )
    return items


def paths(given: Mapping[Any, Any], what: str) -> Mapping[str, str | os.PathLike[str]]:
    """A mapping from texts to paths.

    Raises:
        InvalidInput: Names the key whose value is no path.
    """
    for key, value in given.items():
        if not (isinstance(key, str) and _is_path(value)):
            raise InvalidInput(
                f"{what}: expected texts and their paths, found {found(value)} at {quoted(key)}."
            )
    return given


def days(value: float | None, what: str) -> None:
    """Refuse a span that time cannot be moved by.

    Raises:
        InvalidInput: Negative, or above a century.
    """
    if value is not None and not 0 <= value <= LONGEST:
        raise InvalidInput(f"{what}: expected 0 to {LONGEST:g} days, found {value:g}.")


def instant(at: datetime) -> datetime:
    """The moment in UTC; without a zone it is local time.

    Raises:
        InvalidInput: So near the first or last year that it has no time in other zones.
    """
    try:
        return at.astimezone(UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise InvalidInput(
            f"at: expected a moment within years 2 to 9998, found {at.isoformat()}."
        ) from error


_PLAIN: Final = frozenset((str, int, float, bool, type(None)))


def scalars(value: Any, depth: int = 0) -> Any:
    """JSON values with NumPy's scalars turned into Python's, which is what searches and grids hand out.

    Depth ends at 100 so that a list in itself is left to those who refuse it.
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Mapping) and depth < 100:
        return {key: scalars(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple) and depth < 100:
        return [scalars(item, depth + 1) for item in value]
    is_scalar = hasattr(value, "dtype") and hasattr(value, "item") and getattr(value, "shape", None) == ()
    return value.item() if is_scalar else value
