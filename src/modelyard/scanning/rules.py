"""May a global be looked up? One place that reads the two lists, for the scanner and for the unpicklers alike."""

from __future__ import annotations

import functools
import hashlib
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from typing import Final

from modelyard.scanning import denylist
from modelyard.scanning.allowed import boosters, numpy, pandas, scipy, sklearn, stdlib, torch

VERSION: Final = 1
"""Raise it when the tracer itself judges differently: old verdicts are then known to be old."""

_BLOCKS: Final = (
    stdlib.NAMES,
    numpy.NAMES,
    scipy.NAMES,
    sklearn.NAMES,
    pandas.NAMES,
    boosters.NAMES,
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
    names: set[str] = set()
    for block in _BLOCKS:
        module = ""
        for word in block.split():
            if word.endswith(":"):
                module = word[:-1]
            else:
                names.add(f"{module}.{word}")
    return frozenset(name for name in names if not denied(name))


def allowed(name: str) -> bool:
    """True if ``module.name`` is on the allowlist."""
    return name in allowlist()


@functools.lru_cache(maxsize=4096)
def denied(name: str) -> bool:
    """True if ``module.name``, or a module or class above it, is on the deny list."""
    while name:
        if name in denylist.NAMES or name in denylist.MODULES:
            return True
        name = name.rpartition(".")[0]
    return False


def matches(name: str, patterns: tuple[str, ...] | frozenset[str]) -> bool:
    """True if one of the patterns is the name, or ends in ``.*`` and is a package above it (``*`` is everything)."""
    return any(
        name == pattern or pattern == "*" or (pattern.endswith(".*") and name.startswith(pattern[:-1]))
        for pattern in patterns
    )


@functools.cache
def words() -> frozenset[str]:
    """Every module and every last name in the lists: what has to be remembered of a stream with a million strings."""
    listed = allowlist() | denylist.NAMES | denylist.MODULES
    return frozenset(word for name in listed for word in (name, *name.rpartition(".")[::2]))


@functools.cache
def ruleset() -> str:
    """``sha256:<hex>`` over the rules in force."""
    text = "\n".join([str(VERSION), *sorted(allowlist()), *sorted(denylist.NAMES), *sorted(denylist.MODULES)])
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
