"""Where a model was made: interpreter, platform, the installed packages that its classes come from and their needs."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from modelyard.domain.environment import packages as recorded
from modelyard.domain.records import FlavorRecord
from modelyard.flavors.capture import DISTRIBUTIONS, installed, version_of

_REQUIREMENT: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)[^;]*(;.*)?", re.DOTALL)
_EXTRA: Final = re.compile(r"\bextra\s*(==|in)")
_PLAIN: Final = ("file", "directory")
"""Flavors that need no library, and whose names must not be taken for one."""


def capture(flavor: FlavorRecord | None = None, model: object | None = None) -> dict[str, Any]:
    """Facts about this process, as JSON.

    Args:
        flavor: What the model is made of, and with which library it was written.
        model: The live object, for flavors that record no globals.

    Returns:
        ``python``, ``implementation``, ``platform``, ``host``, ``user``, and distribution -> version twice:
        ``packages`` that the model's modules belong to, and ``dependencies``, what those require in turn.
    """
    modules = {name.partition(".")[0] for name in flavor.globals} if flavor else set()
    if model is not None:
        modules |= {cls.__module__.partition(".")[0] for cls in type(model).__mro__}
    found = packages(modules)
    named = (flavor.name, flavor.framework) if flavor else ()
    found |= {name: version for name in named if name not in _PLAIN and (version := version_of(name))}
    return {**_process(), "packages": dict(sorted(found.items())), "dependencies": dependencies(found)}


def here(declared: Mapping[str, Any]) -> dict[str, Any]:
    """This process in the terms of a recorded environment: the same packages, in the versions installed here."""
    found = {name: version for name in recorded(declared) if (version := _installed_version(name))}
    return {**_process(), "packages": found}


def dependencies(roots: Iterable[str]) -> dict[str, str]:
    """Installed version of everything that these distributions require, and that requires, without extras.

    What a requirement's marker leaves out here is not installed, and so not in the answer.
    """
    return dict(_dependencies(frozenset(roots)))


@cache
def _dependencies(roots: frozenset[str]) -> dict[str, str]:
    """Kept, as what is installed is: every model of a kind has the same roots."""
    known = {_key(name) for name in roots}
    waiting, found = list(roots), dict[str, str]()
    while waiting:
        for name in _required(waiting.pop()):
            if name not in known:
                known.add(name)
                found[name] = version_of(name)
                waiting.append(name)
    return dict(sorted(found.items()))


@cache
def _required(distribution: str) -> tuple[str, ...]:
    """Keys of installed distributions that one requires (its metadata's ``Requires-Dist``), extras left out."""
    found = (_REQUIREMENT.match(line) for line in installed(distribution)[1])
    names = (_key(match[1]) for match in found if match and not (match[2] and _EXTRA.search(match[2])))
    return tuple(name for name in names if version_of(name))


def _key(name: str) -> str:
    """A distribution's name as names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed_version(name: str) -> str:
    """As ``version_of``, for names that may be anything."""
    return version_of(name) if name.isascii() and name.isprintable() else ""


def packages(modules: Iterable[str]) -> dict[str, str]:
    """Installed version of each distribution that these top-level modules belong to."""
    found: dict[str, str] = {}
    for module in sorted(set(modules)):
        distribution = _distribution(module)
        if distribution:
            found[distribution] = version_of(distribution)
    return found


@cache
def _process() -> dict[str, str]:
    return {
        "python": ".".join(str(part) for part in sys.version_info[:3]),
        "implementation": sys.implementation.name,
        "platform": f"{sys.platform}-{os.uname().machine}" if hasattr(os, "uname") else sys.platform,
        "host": os.uname().nodename if hasattr(os, "uname") else "",
        "user": _user(),
    }


def _user() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return os.environ.get("USER") or os.environ.get("USERNAME") or ""


@cache
def _distribution(module: str) -> str:
    if module in sys.stdlib_module_names or module == "__main__" or not module:
        return ""
    guess = DISTRIBUTIONS.get(module, module)
    if version_of(guess):
        return guess
    return next(iter(_installed().get(module, ())), "")


@cache
def _installed() -> dict[str, list[str]]:
    """Every installed module's distributions: 20 to 200 ms, so asked at most once, and only for uncommon modules."""
    import importlib.metadata

    return dict(importlib.metadata.packages_distributions())
