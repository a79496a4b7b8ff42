"""What this process registered last under each name: not read again while nothing else happened to the model."""

from __future__ import annotations

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
        self._signatures: dict[str, tuple[str, str]] = {}

    def note(self, model: Model, signature: Mapping[str, Any] | None) -> None:
        """The model as just stored, and the signature of its version ``model.highest``."""
        if len(self._signatures) >= LIMIT:
            self._signatures.clear()
        self._signatures[model.key] = (model.head, repr(signature))

    def has(self, model: Model, signature: Mapping[str, Any] | None) -> bool:
        """Whether the version ``model.highest`` is known to have this very signature."""
        return self._signatures.get(model.key) == (model.head, repr(signature))
