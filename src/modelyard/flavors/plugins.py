"""Flavors of other packages: found by entry point, loaded when one is needed, never able to break a registration."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from modelyard.domain.errors import ModelyardWarning, NotSupported
from modelyard.ports.flavors import Flavor

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "modelyard.flavors"
"""Entry-point group: each names a class without arguments that has a flavor's methods; its name is the flavor's."""

METHODS: Final = ("accepts", "save", "audit", "load")


def named(name: str, *, taken: Iterable[str]) -> Flavor | None:
    """The installed flavor of that name, or ``None``. Loads this one plug-in.

    Args:
        name: As in ``FlavorRecord.name``.
        taken: Names of built-in flavors, which no plug-in takes over.

    Raises:
        NotSupported: It is installed but broken.
    """
    point = _points(tuple(sorted(taken))).get(name)
    if point is None:
        return None
    flavor = _flavor(point)
    if flavor is None:
        raise NotSupported(
            f"flavor {name!r} comes from {_origin(point)}, which is broken (a warning says how); repair or update it"
        )
    return flavor


def accepting(model: object, *, taken: Iterable[str]) -> Flavor | None:
    """The first installed flavor, by name, that takes the object; loads all of them.

    Asked only for objects that no built-in flavor takes for its own.
    """
    for _, point in sorted(_points(tuple(sorted(taken))).items()):
        flavor = _flavor(point)
        if flavor is not None and _accepts(flavor, point, model):
            return flavor
    return None


def names(*, taken: Iterable[str]) -> list[str]:
    """Names of installed flavors; loads none."""
    return sorted(_points(tuple(sorted(taken))))


@cache
def _points(taken: tuple[str, ...]) -> dict[str, EntryPoint]:
    import importlib.metadata

    found: dict[str, EntryPoint] = {}
    for point in importlib.metadata.entry_points(group=GROUP):
        if point.name in taken or point.name in found:
            _warn(point, "its name is taken, and it is ignored")
        else:
            found[point.name] = point
    return found


@cache
def _flavor(point: EntryPoint) -> Flavor | None:
    try:
        flavor: Any = point.load()()
    except Exception as error:  # whatever is wrong with it is its own affair
        _warn(point, f"it cannot be loaded ({type(error).__name__}: {error})")
        return None
    lacking = [method for method in METHODS if not callable(getattr(flavor, method, None))]
    own = getattr(flavor, "name", None)
    if lacking or own != point.name:
        _warn(point, f"it has no {', '.join(lacking)}" if lacking else f"it calls itself {own!r}")
        return None
    return cast(Flavor, flavor)


def _accepts(flavor: Flavor, point: EntryPoint, model: object) -> bool:
    try:
        return bool(flavor.accepts(model))
    except Exception as error:  # as above
        _warn(point, f"its accepts() failed ({type(error).__name__}: {error})")
        return False


def _origin(point: EntryPoint) -> str:
    package = getattr(point.dist, "name", None) if point.dist else None
    return f"the package {package!r}" if package else f"{point.value!r}"


def _warn(point: EntryPoint, what: str) -> None:
    text = f"flavor plug-in {point.name!r} of {_origin(point)} is not used: {what}"
    warnings.warn(text, ModelyardWarning, stacklevel=2)
