"""What this process registered last under each name: not read again while nothing else happened to the model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from modelyard.domain.records import Model

LIMIT: Final = 1000
"""Models of which something is kept; beyond that all are forgotten."""


class Recent:
    """Signatures of the versions with the highest label, each under the head of its model's event chain.

    The head is a digest over all that ever happened to the model, so whatever is found under it still holds, whoever
    else writes. Safe among threads: an entry is one value.
    """

    def __init__(self) -> None:
        self._signatures: dict[str, tuple[str, bytes]] = {}

    def note(self, model: Model, signature: Mapping[str, Any] | None) -> None:
        """The model as just stored, and the signature of its version ``model.highest``."""
        if len(self._signatures) >= LIMIT:
            self._signatures.clear()
        self._signatures[model.key] = (model.head, _mark(signature))

    def has(self, model: Model, signature: Mapping[str, Any] | None) -> bool:
        """Whether the version ``model.highest`` is known to have this very signature."""
        kept = self._signatures.get(model.key)
        return kept is not None and kept[0] == model.head and kept[1] == _mark(signature)


def _mark(signature: Mapping[str, Any] | None) -> bytes:
    """A digest: tables of ten thousand columns have signatures of half a megabyte."""
    return hashlib.sha256(repr(signature).encode("utf-8", "backslashreplace")).digest()
