"""Labels: which are semantic versions, which is the newest, which comes next.

A label is either a semantic version (SemVer 2.0.0, with a leading ``v`` allowed) or free text such as
``alpha-1``. Releases outrank pre-releases, and both outrank free labels, which are ordered by number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from modelyard.domain.errors import InvalidInput, InvalidRef
from modelyard.domain.spelling import hint, quoted

if TYPE_CHECKING:
    from semver import Version

Level: TypeAlias = Literal["major", "minor", "patch"]

LEVELS: Final = ("major", "minor", "patch")
FIRST: Final = "0.1.0"

_FREE, _PRERELEASE, _RELEASE = "0", "1", "2"
_PARTIAL = re.compile(
    r"v?(?P<major>\d+|[xX*])(?:\.(?P<minor>\d+|[xX*])(?:\.(?P<patch>\d+|[xX*])"
    r"(?P<rest>(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?))?)?",
    re.ASCII,
)
_COMPARATOR = re.compile(r"(?P<op>\^|~|>=|<=|>|<|==?|!=)?\s*(?P<version>[^\s,<>=!^~]+)")


def label_key(label: str) -> str:
    """What uniqueness is judged by: the label without a leading ``v`` before a digit.

    >>> label_key("v1.0.0"), label_key("vanilla")
    ('1.0.0', 'vanilla')
    """
    return label[1:] if label[:1] == "v" and "0" <= label[1:2] <= "9" else label


@lru_cache(maxsize=1024)
def parse(label: str) -> Version | None:
    """The semantic version that a label spells, or ``None`` for a free label."""
    from semver import Version  # 5 to 25 ms, too much for ``import modelyard``

    text = label_key(label)
    # semver's own pattern lets a final newline and digits of other scripts through
    if not text.isascii() or text.endswith("\n"):
        return None
    try:
        return Version.parse(text)
    except ValueError:
        return None


# --- order --------------------------------------------------------------------------------------------------


def rank(label: str, number: int) -> str:
    """A key whose plain code-point order is the order of versions, for ``ORDER BY`` and indexes.

    Args:
        label: The version's label.
        number: The version's number, which decides between equals (SemVer ignores build metadata).

    Returns:
        ASCII text. A database has to compare it by bytes (SQLite ``BINARY``, PostgreSQL ``"C"``):
        pre-releases hold letters of both cases. Integers carry their length in front, so that 9 stays below
        10.
    """
    version = parse(label)
    if version is None:
        return _FREE + _integer(number)
    release = "".join(_integer(part) for part in (version.major, version.minor, version.patch))
    if version.prerelease is None:
        return _RELEASE + release + _integer(number)
    return _PRERELEASE + release + _prerelease(version.prerelease) + _integer(number)


def _integer(value: int | str) -> str:
    digits = str(value)
    return f"{len(digits):03d}{digits}"


def _prerelease(text: str) -> str:
    """SemVer 2.0.0 rule 11.4: numeric below textual identifiers, and a shorter list below its own
    continuation.
    """
    marked = (f"1{_integer(part)}" if part.isdigit() else f"2{part}!" for part in text.split("."))
    return "".join(marked) + "0"


def latest(pairs: Iterable[tuple[str, int]]) -> tuple[str, int] | None:
    """The highest of (label, number) pairs, or ``None`` if there are none."""
    return max(pairs, key=lambda pair: rank(*pair), default=None)


# --- steps --------------------------------------------------------------------------------------------------


def bump(label: str, level: str) -> str:
    """The label one step above ``label``; a leading ``v`` stays.

    A pre-release is finished by the step that it announces: ``1.0.0-rc.1`` becomes ``1.0.0``, not ``1.0.1``.

    Args:
        label: A semantic version.
        level: ``major``, ``minor`` or ``patch``.

    Raises:
        InvalidInput: If the label is free, or the level is none of the three.
    """
    if level not in LEVELS:
        raise InvalidInput(
            f"Cannot bump by {quoted(level)}: a step is major, minor or patch.{hint(str(level), LEVELS)}"
        )
    version = parse(label)
    if version is None:
        raise InvalidInput(
            f"Cannot bump {quoted(label)}: "
            "expected a semantic version such as 1.4.0. Give the next label yourself."
        )
    return ("v" if label_key(label) != label else "") + str(version.next_version(level))


def next_label(latest_label: str | None, level: str = "patch") -> str:
    """The label for a version that was given none.

    Args:
        latest_label: The highest label given so far, deleted ones included; ``None`` for the first version.
            If the highest is a free label then there is no semantic version yet.
        level: The step that the change calls for.
    """
    if latest_label is None or parse(latest_label) is None:
        return FIRST
    return bump(latest_label, level)


def step(old: str, new: str) -> Level | None:
    """How large a step leads from ``old`` up to ``new``.

    A step from a pre-release counts as what that pre-release announces: ``2.0.0-rc.1`` to ``2.0.0`` is major.

    Returns:
        ``None`` if either label is free, or ``new`` is not above ``old``.
    """
    before, after = parse(old), parse(new)
    if before is None or after is None or not after > before:
        return None
    for level in LEVELS:
        if getattr(before, level) != getattr(after, level):
            return level
    return "patch" if after.patch else "minor" if after.minor else "major"


# --- ranges -------------------------------------------------------------------------------------------------


def is_range(text: str) -> bool:
    """Whether ``text`` asks for a range (``^1``, ``~1.4``, ``>=1.2,<2``, ``1.x``, ``*``) rather than one
    label.
    """
    if text[:1] in tuple("^~<>=!*"):
        return True
    found = _PARTIAL.fullmatch(text)
    if found is None or not found["major"].isdigit():  # "x" alone is a fine free label
        return False
    return any(found[part] in tuple("xX*") for part in ("minor", "patch") if found[part])


def matches(label: str, range_text: str) -> bool:
    """Whether a label lies in a range.

    Comparators are joined by commas or spaces, and all must hold. ``^`` keeps the left-most part that is not
    zero, ``~`` keeps major and minor, a part left out or written ``x`` is free. As npm does it (node-semver,
    "Prerelease Tags"), a pre-release matches only where a comparator names a pre-release of the same
    major.minor.patch: nobody gets one unasked. Free labels match nothing.

    Raises:
        InvalidRef: If the range cannot be read.
    """
    bounds = _bounds(range_text)
    version = parse(label)
    if version is None:
        return False
    if version.prerelease is not None and not any(_invites(bound, version) for _, bound in bounds):
        return False
    return all(_holds(version.compare(bound), op) for op, bound in bounds)


def _holds(order: int, op: str) -> bool:
    return {
        ">=": order >= 0,
        ">": order > 0,
        "<": order < 0,
        "<=": order <= 0,
        "=": order == 0,
        "!=": order != 0,
    }[op]


def _invites(bound: Version, version: Version) -> bool:
    return bound.prerelease is not None and bound.to_tuple()[:3] == version.to_tuple()[:3]


def _bounds(text: str) -> list[tuple[str, Version]]:
    bounds: list[tuple[str, Version]] = []
    position = 0
    body = text.strip()
    while position < len(body):
        found = _COMPARATOR.match(body, position)
        if found is None:
            raise _bad_range(text)
        bounds += _comparator(found["op"] or "=", found["version"], text)
        position = found.end() + len(re.match(r"\s*,?\s*", body[found.end() :])[0])  # type: ignore[index]
    if not body or body.endswith(","):
        raise _bad_range(text)
    return bounds


def _comparator(op: str, written: str, text: str) -> list[tuple[str, Version]]:
    """One comparator as plain comparisons with full versions."""
    found = _PARTIAL.fullmatch(written)
    if found is None:
        raise _bad_range(text)
    parts = _known_parts(found)
    exact = parse(label_key(written)) if len(parts) == 3 else _version(parts)
    if exact is None:
        raise _bad_range(text)
    if op == "^":
        kept = next((i for i, part in enumerate(parts) if part), max(len(parts) - 1, 0))
        return _between(exact, parts[: kept + 1])
    if op == "~":
        return _between(exact, parts[:2])
    if len(parts) == 3:
        return [("=" if op == "==" else op, exact)]
    return _partial(op, exact, parts, text)


def _partial(op: str, low: Version, parts: list[int], text: str) -> list[tuple[str, Version]]:
    """A comparison with ``1`` or ``1.4``, which stand for everything that begins so."""
    if op in (">=", "<"):
        return [(op, low)]
    if op in ("=", "=="):
        return _between(low, parts)
    if op == "!=" or not parts:
        raise _bad_range(text)
    return [(">=" if op == ">" else "<", _version(_raised(parts)))]


def _known_parts(found: re.Match[str]) -> list[int]:
    parts: list[int] = []
    for level in LEVELS:
        if not found[level] or found[level] in tuple("xX*"):
            break
        parts.append(int(found[level]))
    return parts


def _between(low: Version, kept: list[int]) -> list[tuple[str, Version]]:
    return [(">=", low), ("<", _version(_raised(kept)))] if kept else [(">=", low)]


def _raised(parts: list[int]) -> list[int]:
    return [*parts[:-1], parts[-1] + 1]


def _version(parts: list[int]) -> Version:
    from semver import Version

    return Version(*parts, *[0] * (3 - len(parts)))


def _bad_range(text: str) -> InvalidRef:
    return InvalidRef(
        f"Cannot read the version range {quoted(text)}: expected something like ^1, ~1.4, 1.x or >=1.2,<2."
    )
