"""``dataclass`` as in the standard library, but a class's methods are written when they are first needed.

The standard decorator compiles up to six methods for each class, 0.3 ms of every start of the program. The program
defines some 260 such classes and makes instances of a few dozen in one run, so a start takes 60 ms less. Of many it
makes one only, such as of each section of the settings: so the first instance is put together field by field, and the
constructor is written for the second. The price: the second instance, the first comparison and the first ``repr`` of
each class take 0.1 ms, once, and until then ``inspect.signature`` does not know the fields. To type checkers this is
the standard decorator, and what comes out behaves as if it were; its instances have slots.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NoReturn

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(
        *, slots: Literal[True], frozen: bool = False, kw_only: bool = False
    ) -> Callable[[type], type]:
        """Decorate a class; see ``dataclasses.dataclass`` for the arguments. What the class itself defines stays."""

        def decorate(cls: type) -> type:
            bare = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(cls)
            _check(bare)
            for name, method in _written_later(bare).items():
                if name != "__hash__" or frozen:
                    _define(bare, name, method)
            if frozen:
                for name in _FROZEN:
                    _define(bare, name, _Frozen.__dict__[name])
            else:
                _define(bare, "__hash__", None)
            return bare

        return decorate


def _check(cls: Any) -> None:
    """Refuse what the constructor below cannot do, which the standard one can.

    Raises:
        TypeError: A field's name is taken here, is an ``InitVar``, is left out of the constructor without a default,
            or has none behind one that has.
    """
    is_optional = False
    for each in vars(cls)["__dataclass_fields__"].values():
        has_default = each.default is not MISSING or each.default_factory is not MISSING
        if each.name == "self" or each.name.startswith(_TAKEN):
            raise TypeError(f"{cls.__qualname__}: a field cannot be called {each.name!r} here")
        if isinstance(each.type, dataclasses.InitVar) or "InitVar" in str(each.type):
            raise TypeError(f"{cls.__qualname__}.{each.name}: InitVar is not supported here")
        if not each.init and not has_default:
            raise TypeError(f"{cls.__qualname__}.{each.name} is no argument and has no default")
        if each.init and not each.kw_only:
            if is_optional and not has_default:
                raise TypeError(
                    f"{cls.__qualname__}.{each.name} has no default, and stands behind one that has"
                )
            is_optional = has_default


def _define(cls: type, name: str, method: object) -> None:
    """Give a class a method that it does not define; Python puts a ``__hash__`` of None beside an own ``__eq__``."""
    if cls.__dict__.get(name) is None:
        setattr(cls, name, method)


def _written_later(cls: type) -> dict[str, Callable[..., Any]]:
    """Methods that put the written ones into their places when they are called; the constructor, the second time.

    They share what they refer to: each object that is made for 260 classes brings Python's collector of garbage nearer,
    which takes up to 50 ms where large libraries are loaded.
    """
    is_first = True

    def init(self: object, /, *args: Any, **kwargs: Any) -> None:
        nonlocal is_first
        is_by_hand, is_first = is_first and not args, False
        if not (is_by_hand and _put_together(cls, self, kwargs)):
            _in_place(cls, "__init__", init)(self, *args, **kwargs)

    def shown(self: object) -> Any:
        return _in_place(cls, "__repr__", shown)(self)

    def equal(self: object, other: object) -> Any:
        return _in_place(cls, "__eq__", equal)(self, other)

    def hashed(self: object) -> Any:
        return _in_place(cls, "__hash__", hashed)(self)

    return {"__init__": init, "__repr__": shown, "__eq__": equal, "__hash__": hashed}


def _in_place(cls: type, name: str, first: Callable[..., Any]) -> Callable[..., Any]:
    """The written method, which stands in place of the first one from now on, if nobody has wrapped that."""
    method: Callable[..., Any] = _written(cls, name)
    if cls.__dict__.get(name) is first:
        setattr(cls, name, method)
    return method


@lru_cache(maxsize=64)
def _written(cls: type, name: str) -> Any:
    """Kept for those who have wrapped a method, and call the first one every time."""
    method = _WRITERS[name](cls)
    method.__qualname__ = f"{cls.__qualname__}.{name}"
    return method


def _put_together(cls: Any, instance: Any, values: dict[str, Any]) -> bool:
    """Fill one instance of a class; if the names do not fit, do nothing: the written constructor says why."""
    known = [each for each in fields(cls) if each.init]
    needed = {each.name for each in known if each.default is MISSING and each.default_factory is MISSING}
    if not needed <= values.keys() <= {each.name for each in known}:
        return False
    for each in fields(cls):
        value = values[each.name] if each.name in values else _default(each)
        object.__setattr__(instance, each.name, value)
    if hasattr(cls, "__post_init__"):
        instance.__post_init__()
    return True


def _default(each: Field[Any]) -> Any:
    """What a field holds that was not given."""
    return each.default if each.default_factory is MISSING else each.default_factory()


def _constructor(cls: Any) -> Any:
    """``__init__`` that takes the fields and puts them straight into their slots, then calls ``__post_init__`` if any.

    Not the standard library's own: it would write the two methods that refuse assignments as well, at twice the price,
    and assign by ``object.__setattr__``, which takes twice as long for each field of each instance.
    """
    given = [each for each in fields(cls) if each.init]
    arguments = [_argument(each) for each in given if not each.kw_only]
    if by_name := [_argument(each) for each in given if each.kw_only]:
        arguments += ["*", *by_name]
    lines = [f" _put_{each.name}(self, {_value(each)})" for each in fields(cls)]
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    known: dict[str, Any] = {"_missing": MISSING}
    for each in fields(cls):
        known[f"_put_{each.name}"] = getattr(cls, each.name).__set__
        known[f"_default_{each.name}"], known[f"_make_{each.name}"] = each.default, each.default_factory
    text = "\n".join([f"def __init__(self, {', '.join(arguments)}):", *(lines or [" pass"])])
    exec(text, known)  # noqa: S102 - nothing but names of fields, as they stand in our own source
    return known["__init__"]


def _argument(each: Field[Any]) -> str:
    """A field among the constructor's arguments."""
    if each.default is not MISSING:
        return f"{each.name}=_default_{each.name}"
    return each.name if each.default_factory is MISSING else f"{each.name}=_missing"


def _value(each: Field[Any]) -> str:
    """What the constructor assigns to a field."""
    if each.default_factory is MISSING:
        return each.name if each.init else f"_default_{each.name}"
    made = f"_make_{each.name}()"
    return f"{made} if {each.name} is _missing else {each.name}" if each.init else made


def _standard(name: str, **wanted: bool) -> Callable[[type], Any]:
    """What writes the method that the standard library gives a class of the same name and fields."""

    arguments = {"init": False, "repr": False, "eq": False, **wanted}

    def write(cls: Any) -> Any:
        body: dict[str, Any] = {each.name: each for each in fields(cls)}
        body["__annotations__"] = {each.name: each.type for each in fields(cls)}
        twin = type(cls.__name__, (), {**body, "__doc__": cls.__doc__})
        return getattr(dataclasses.dataclass(**arguments)(twin), name)

    return write


_TAKEN = ("_put_", "_default_", "_make_", "_missing")
"""What the written constructor calls its own."""

_WRITERS: dict[str, Callable[[type], Any]] = {
    "__init__": _constructor,
    "__repr__": _standard("__repr__", repr=True),
    "__eq__": _standard("__eq__", eq=True),
    "__hash__": _standard("__hash__", unsafe_hash=True),
}


class _Frozen:
    """What every frozen class shares."""

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __getstate__(self) -> list[Any]:
        return [getattr(self, each.name) for each in _fields(self)]

    def __setstate__(self, state: list[Any]) -> None:
        for each, value in zip(_fields(self), state, strict=True):
            object.__setattr__(self, each.name, value)


def _fields(instance: Any) -> tuple[Field[Any], ...]:
    return fields(instance)


_FROZEN = ("__setattr__", "__delattr__", "__getstate__", "__setstate__")
