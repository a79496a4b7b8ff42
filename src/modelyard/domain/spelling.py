"""Finding the word that was meant, so that an error can say so."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 100  # comparing costs the product of both lengths; no name we know is longer


def closest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known word most like ``word``, or ``None``.

    Args:
        word: What was written.
        known: What would have been understood.
        cutoff: Likeness from 0 to 1 that is needed (``difflib``'s ratio).
    """
    from difflib import get_close_matches  # 2 ms that only a mistake has to pay

    spellings = {name.casefold(): str(name) for name in sorted(known, reverse=True)}
    found = get_close_matches(word[:LONGEST].casefold(), spellings, n=1, cutoff=cutoff)
    return spellings[found[0]] if found else None


def hint(word: str, known: Iterable[str]) -> str:
    """A sentence to append to an error, with a space before it; empty when nothing is near.

    The beginning of a known word counts as near too: ``prod`` for ``production``.
    """
    names = sorted(map(str, known))
    near = closest(word, names) or next((n for n in names if len(word) > 1 and n.startswith(word)), None)
    return f" Did you mean {near!r}?" if near is not None else ""


def quoted(value: object, limit: int = 80) -> str:
    """``repr`` cut to ``limit`` characters, so that an error about hostile input stays short and
    printable.
    """
    shown = ascii(value[: limit + 1]) if isinstance(value, str) else ascii(value)
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."
