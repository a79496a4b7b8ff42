"""Frozen, slotted, keyword-only dataclasses that cost little to define.

``@dataclass(frozen=True, slots=True)`` compiles six methods for each class, 0.6 ms of every start of the
program; the settings have some twenty-five classes. Here the methods are written once and shared. The price:
building an instance takes some microseconds instead of one, for a tree that is built once.
``dataclasses.fields``, ``replace`` and ``asdict`` work as usual; type checkers see a frozen dataclass.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from typing import Any, NoReturn, TypeVar, dataclass_transform

_T = TypeVar("_T")


class Record:
    """What a dataclass would generate: construction by keyword, equality, hash, ``repr``, pickling."""

    __slots__ = ()

    def __init__(self, **values: Any) -> None:
        for each in _fields(self):
            value = values.pop(each.name) if each.name in values else _default(each)
            object.__setattr__(self, each.name, value)
        if values:
            raise TypeError(f"{type(self).__name__}() has no field named {min(values)!r}")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        return self._compared() == other._compared() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._compared())

    def __repr__(self) -> str:
        shown = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in _fields(self) if each.repr)
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), {each.name: getattr(self, each.name) for each in _fields(self)})

    def _compared(self) -> tuple[object, ...]:
        return tuple(getattr(self, each.name) for each in _fields(self) if each.compare)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def record(cls: type[_T]) -> type[_T]:
    """Make a subclass of ``Record`` a dataclass with slots."""
    return dataclass(init=False, repr=False, eq=False, slots=True, match_args=False)(cls)


def _fields(instance: Any) -> tuple[Field[Any], ...]:
    return fields(instance)


def _default(each: Field[Any]) -> Any:
    if each.default is not MISSING:
        return each.default
    if each.default_factory is not MISSING:
        return each.default_factory()
    raise TypeError(f"the field {each.name!r} needs a value")


def _rebuilt(cls: type[Record], values: dict[str, Any]) -> Record:
    return cls(**values)
