"""May a global be looked up? One place that reads the two lists, for the scanner and for the unpicklers alike."""

from __future__ import annotations

import functools
import hashlib
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from typing import Final

from modelyard.scanning import denylist, standard
from modelyard.scanning.allowed import (
    boosters,
    numpy,
    pandas,
    pyarrow,
    scipy,
    sklearn,
    statsmodels,
    stdlib,
    torch,
)

VERSION: Final = 3
"""Raise it when the tracer itself judges differently: old verdicts are then known to be old."""

_BLOCKS: Final = (
    stdlib.NAMES,
    numpy.NAMES,
    scipy.NAMES,
    sklearn.NAMES,
    pandas.NAMES,
    pyarrow.NAMES,
    boosters.NAMES,
    statsmodels.NAMES,
    torch.NAMES,
)


def canonical(module: str, name: str) -> tuple[str, str]:
    """The Python 3 spelling of a global that Python 2 may have written (``__builtin__.set``, ``copy_reg`` ...).

    The tracer and the unpicklers both use it and look up exactly what it returns, whatever protocol a stream claims.
    """
    if (module, name) in NAME_MAPPING:
        return NAME_MAPPING[(module, name)]
    return IMPORT_MAPPING.get(module, module), name


@functools.cache
def allowlist() -> frozenset[str]:
    """Every exact ``module.name`` that any caller may look up."""
    names = {name for block in _BLOCKS for name in listed(block)}
    return frozenset(name for name in names if not denied(name))


def listed(block: str) -> set[str]:
    """The full names in a text of ``module: name name ...`` lines."""
    names: set[str] = set()
    module = ""
    for word in block.split():
        if word.endswith(":"):
            module = word[:-1]
        else:
            names.add(f"{module}.{word}")
    return names


@functools.cache
def opened() -> frozenset[str]:
    """Exact names of the standard library that are not denied."""
    return frozenset().union(listed(standard.OPENED), listed(stdlib.NAMES))


def allowed(name: str) -> bool:
    """True if ``module.name`` is on the allowlist."""
    return name in allowlist()


@functools.lru_cache(maxsize=4096)
def denied(name: str) -> bool:
    """True if nothing may open ``module.name``: it is named on the deny list, or closed as a whole class of names."""
    return named(name) or _closed(name)


@functools.lru_cache(maxsize=4096)
def named(name: str) -> bool:
    """True if ``module.name``, or a module or class above it, is on the deny list itself.

    That is certainty enough to call a text a pickle; that it names some module of the standard library is not: a list
    of words may begin with ``cast``, which as a pickle would look into the module ``ast``.
    """
    while name:
        if name in denylist.NAMES or name in denylist.MODULES:
            return True
        name = name.rpartition(".")[0]
    return False


def _closed(name: str) -> bool:
    """True for what the standard library keeps closed, and for methods such as ``Any.__getattribute__``.

    The latter every class inherits, so a trusted package could not help handing them out; called on a function they
    give its globals, and with them everything.
    """
    module, *path = name.split(".")
    if name in opened():
        return False
    if any(part.startswith("__") and part.endswith("__") for part in path):
        return True
    return module in standard.MODULES and module not in standard.OPENED_MODULES


def matches(name: str, patterns: tuple[str, ...] | frozenset[str]) -> bool:
    """True if one of the patterns is the name, or ends in ``.*`` and is a package above it (``*`` is everything).

    Neither kind of star reaches into a library that is trusted name by name.
    """
    reachable = not is_by_name(name)
    return any(
        name == pattern or (reachable and (pattern == "*" or _is_below(name, pattern)))
        for pattern in patterns
    )


def is_by_name(name: str) -> bool:
    """True if the name belongs to a library of which patterns open nothing."""
    return name.partition(".")[0] in denylist.NAME_BY_NAME


def _is_below(name: str, pattern: str) -> bool:
    return pattern.endswith(".*") and name.startswith(pattern[:-1])


@functools.cache
def words() -> frozenset[str]:
    """Every module and every last name in the lists: what has to be remembered of a stream with a million strings."""
    listed = allowlist() | denylist.NAMES | denylist.MODULES
    return frozenset(word for name in listed for word in (name, *name.rpartition(".")[::2]))


@functools.cache
def ruleset() -> str:
    """``sha256:<hex>`` over the rules in force."""
    closed = (
        denylist.NAMES,
        denylist.MODULES,
        denylist.NAME_BY_NAME,
        standard.MODULES,
        standard.OPENED_MODULES,
    )
    lists = (allowlist(), *closed, opened())
    text = "\n".join([str(VERSION), *(" ".join(sorted(names)) for names in lists)])
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
