"""Slugs: the ASCII key of a model in URLs, OCI repositories and Hugging Face paths, derived once from its
name.

Case folding and NFKC do not catch look-alike letters, so nothing outside ``[a-z0-9._-]`` is fit for a URL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import count, islice
from typing import Final
from unicodedata import combining, normalize

from modelyard.domain.text import fold

SLUG_LENGTH: Final = 96
RESERVED: Final = frozenset({"image", "api", "models", "datasets", "spaces"})
"""First path segments that the doors of a server use for themselves."""

MOST_ALIKE: Final = 1000
"""How many models whose names come to the same slug are recognised as such."""

_ID_SHAPED: Final = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}")


def make_slug(name: str, taken: Callable[[str], bool]) -> str:
    """A free slug for a checked model name: ``[a-z0-9]+(?:[._-][a-z0-9]+)*``, at most 96 characters.

    A namespace gets one of its own: ``Team A/Fraud`` is ``team-a/fraud``. Accents are dropped (``café``: ``cafe``),
    other alphabets leave nothing and give ``m-`` and 8 hex digits. What is taken or reserved gets a suffix:
    ``-2`` to ``-9``, then 8 hex digits of the name's hash, so that many equal slugs cost few questions.

    Args:
        name: A name that ``check_model_name`` accepted.
        taken: Says whether a whole slug belongs to another model.
    """
    return next(slug for slug in _slugs(name) if not taken(slug))


def is_slug_of(name: str, slug: str) -> bool:
    """Whether ``make_slug`` may have given ``slug`` to a model of this name, among others like it."""
    return slug in islice(_slugs(name), MOST_ALIKE)


def _slugs(name: str) -> Iterator[str]:
    """All slugs that a name may have, the best first."""
    namespace, slash, last = name.rpartition("/")
    prefix = next(s for s in _candidates(namespace) if s not in RESERVED) + slash if slash else ""
    return (prefix + s for s in _candidates(last) if s not in RESERVED and not _ID_SHAPED.fullmatch(s))


def _candidates(part: str) -> Iterator[str]:
    stem = _stem(part) or f"m-{_hash(part, 0)}"
    yield _with_suffix(stem, "")
    for number in range(2, 10):
        yield _with_suffix(stem, f"-{number}")
    yield from (_with_suffix(stem, f"-{_hash(part, attempt)}") for attempt in count(1))


def _stem(part: str) -> str:
    """The ASCII letters and digits that are left, runs of anything else turned into one separator."""
    letters = "".join(c for c in normalize("NFKD", fold(part)) if not combining(c))
    joined = re.sub(r"[^a-z0-9._-]+", "-", letters)
    single = re.sub(r"[._-]{2,}", "-", joined)
    return single.strip("._-")


def _with_suffix(stem: str, suffix: str) -> str:
    return stem[: SLUG_LENGTH - len(suffix)].rstrip("._-") + suffix


def _hash(part: str, attempt: int) -> str:
    return sha256(f"{fold(part)}\n{attempt}".encode()).hexdigest()[:8]
