"""A registry in a fresh folder, away from the user's own configuration, keys and cache."""

from __future__ import annotations

from tests.homes import alone, folder, registry

__all__ = ["alone", "folder", "registry"]
