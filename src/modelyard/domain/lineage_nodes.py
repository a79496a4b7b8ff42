"""What a lineage is made of: things, and edges between them in the order of time."""

from __future__ import annotations

from typing import TypeAlias

from modelyard.domain.dataclass import dataclass

Thing: TypeAlias = tuple[str, str]
"""``("version", <model_id>)``, ``("dataset", "s3://data")`` ...: what a node stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageNode:
    """One thing in a lineage.

    Attributes:
        kind: ``version``, ``deployment``, ``dataset``, ``base_model``, ``code``, ``run`` or ``feature_store``.
        target: The ``model_id`` of a version, else the thing's name.
        label: For people: ``fraud:1.4.0``, or the name.
        name, number, version, stage: Of a version: its model, its number, its label and where it stands.
        deleted: The version was deleted; it stays in every lineage.
        withdrawn: It is not to be used any more.
        missing: A version that is named and not in this registry, as after an import without its parent.
    """

    kind: str
    target: str
    label: str
    name: str = ""
    number: int | None = None
    version: str = ""
    stage: str = ""
    deleted: bool = False
    withdrawn: bool = False
    missing: bool = False

    @property
    def thing(self) -> Thing:
        return self.kind, self.target

    @property
    def marks(self) -> tuple[str, ...]:
        """What a reader must not miss: ``withdrawn``, ``deleted``, ``missing``."""
        return tuple(mark for mark in ("withdrawn", "deleted", "missing") if getattr(self, mark))


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphEdge:
    """``target`` came of ``source``, by a link of that kind."""

    source: Thing
    target: Thing
    kind: str
