"""What a version was made with, held against another environment.

A declared environment is a fact that somebody recorded: it may be empty, and it may hold anything. Comparing it never
fails.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from modelyard.domain.dataclass import dataclass
from modelyard.domain.records import JSON
from modelyard.domain.text import plain

SEVERE: Final = ("major", "missing")
"""Levels of a difference that loading warns of, or refuses where the model's policy says so."""

INTERPRETER: Final = ("python", "implementation", "platform")
_PLATFORM: Final = INTERPRETER.index("platform")
_RELEASE = re.compile(r"v?(?:(\d+)!)?(\d+)(?:\.(\d+))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One thing that is not as declared.

    Attributes:
        subject: ``python``, ``implementation``, ``platform`` or a package.
        declared: The version (or name) that was recorded.
        found: What is there instead; empty if it is not installed.
        level: ``missing``, ``major`` (the first number differs, for ``0.x`` the second), ``minor``, or ``other`` for
            what has no order, such as a platform.
    """

    subject: str
    declared: str
    found: str
    level: str

    def __str__(self) -> str:
        return plain(f"{self.subject}: made with {self.declared}, here {self.found or 'not installed'}")


def is_known(declared: Mapping[str, JSON]) -> bool:
    """Whether an environment is recorded at all: its interpreter is."""
    return bool(text_of(declared, "python"))


def packages(declared: Mapping[str, JSON], key: str = "packages") -> dict[str, str]:
    """Recorded packages and their versions, whatever was recorded, as texts."""
    found = declared.get(key)
    return {str(name): str(version) for name, version in found.items()} if isinstance(found, Mapping) else {}


def changes(before: Mapping[str, JSON], after: Mapping[str, JSON]) -> tuple[str, ...]:
    """What ``after`` was made with instead of ``before``, one line each; nothing if either is not recorded."""
    if not (is_known(before) and is_known(after)):
        return ()
    return tuple(
        plain(f"{found.subject}: {found.found or 'nothing'} instead of {found.declared}")
        for found in differences(before, after)
    )


def differences(declared: Mapping[str, JSON], here: Mapping[str, JSON]) -> tuple[Mismatch, ...]:
    """How ``here`` differs from what was declared: interpreter first, then packages by name.

    Packages that only ``here`` has do not count, nor does anything that was not declared.
    """
    named = [(key, text_of(declared, key), text_of(here, key)) for key in INTERPRETER]
    there = packages(here)
    named += [(name, version, there.get(name, "")) for name, version in sorted(packages(declared).items())]
    return tuple(
        Mismatch(
            subject=subject, declared=was, found=found, level=_level(was, found, ordered=index != _PLATFORM)
        )
        for index, (subject, was, found) in enumerate(named)
        if was and was != found
    )


def _level(declared: str, found: str, *, ordered: bool) -> str:
    if not ordered:
        return "other"
    if not found:
        return "missing"
    return "minor" if _compatible_part(declared) == _compatible_part(found) is not None else "major"


def _compatible_part(version: str) -> tuple[int, ...] | None:
    """What may not change without breaking: epoch and first number, for ``0.x`` the second too (SemVer 2.0.0 rule 4).

    ``None`` for what is no version number; two such are never compatible.
    """
    found = _RELEASE.match(version)
    if found is None or len(version) > 200:
        return None
    epoch, major, minor = (int(part or 0) for part in found.groups())
    return (epoch, major) if major else (epoch, major, minor)


def text_of(declared: Mapping[str, JSON], key: str) -> str:
    value = declared.get(key)
    return value if isinstance(value, str) else ""
