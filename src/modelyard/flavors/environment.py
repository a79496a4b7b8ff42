"""Where a model was made: interpreter, platform and the installed packages that its classes come from."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import cache
from typing import Any

from modelyard.flavors.capture import DISTRIBUTIONS, version_of


def capture(globals_: Iterable[str] = (), model: object | None = None) -> dict[str, Any]:
    """Facts about this process, as JSON.

    Args:
        globals_: ``module.name`` of what the model is made of.
        model: The live object, for flavors that record no globals.

    Returns:
        ``python``, ``implementation``, ``platform``, ``host``, ``user`` and ``packages`` (distribution -> version).
    """
    modules = {name.partition(".")[0] for name in globals_}
    if model is not None:
        modules |= {cls.__module__.partition(".")[0] for cls in type(model).__mro__}
    return {**_process(), "packages": packages(modules)}


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
