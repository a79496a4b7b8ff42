"""What a metadata store is asked, and answers, about lineage: light enough to follow thousands of links."""

from __future__ import annotations

from modelyard.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceQuery:
    """Every known source by kind and name, ascending."""

    limit: int = 100
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeQuery:
    """Lineage edges of the versions ``of`` (by ``model_id``) and those whose target is one of ``to``.

    Edges of deleted versions count. In order of version, kind and target; each edge once.
    """

    of: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    limit: int = 500
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The version ``model_id`` names ``target`` under ``kind``."""

    model_id: str
    kind: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BriefQuery:
    """The versions with these ``model_id`` in short, deleted ones included and absent ones left out, in their order."""

    ids: tuple[str, ...]
    limit: int = 500
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """A version in so few words that thousands can be read at once; ``version`` is its label."""

    model_id: str
    name: str
    number: int
    version: str
    stage: str
    deleted: bool = False
    withdrawn: bool = False
    revision: int = 0
