"""How a live model becomes files, and how verified files become a live model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Protocol

from modelyard.domain.dataclass import dataclass
from modelyard.domain.records import FlavorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What unpickling may look up. All names are exact ``module.name`` unless they end in ``.*``.

    Attributes:
        pinned: Globals recorded for these very bytes at registration; ``None`` = nothing recorded (then none are).
        allowed: Patterns that the caller or the settings trust, for example ``("my_pkg.*",)``.
        own: Names recorded when *this user* made the version from a live object (proven by the origin key).

    A global is looked up only if it is pinned, and is on the built-in allowlist, in ``allowed`` or in ``own``.
    The deny list is opened by nothing.
    """

    pinned: Collection[str] | None = None
    allowed: Collection[str] = ()
    own: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveOptions:
    """``compress``: flavor specific (joblib: 0-9, ``True`` or ``(method, level)``; pickle: bool for gzip)."""

    compress: Any = None
    extra: Mapping[str, Any] = field(default_factory=dict)


class Flavor(Protocol):
    """One way to write and read a model. Stateless.

    Attributes:
        name: The word stored in ``FlavorRecord.name``.
    """

    name: str

    def accepts(self, model: object) -> bool:
        """True if this flavor is the natural one for the object. Must not import the framework to find out."""
        ...

    def save(self, model: object, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Write the model's files below the existing empty ``directory`` and say how. Byte-stable where possible."""
        ...

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """Names that loading would have to look up beyond plain data; empty for data-only formats."""
        ...

    def load(self, directory: Path, record: FlavorRecord, trust: Trust) -> Any:
        """Build the model from files that were verified before. Raises ``LoadRefused`` naming what is not trusted."""
        ...
