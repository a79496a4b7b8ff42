"""Every answer to a question, page by page: memory stays that of one page, and no caller writes the loop again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, overload

from modelyard.domain.experiments import Experiment, Exposure, Outcome
from modelyard.domain.records import Blob, Event, Model, ModelVersion, Move, Receipt, Source
from modelyard.domain.sessions import Session
from modelyard.domain.tokens import Token
from modelyard.ports.lineage import Brief, BriefQuery, Edge, EdgeQuery, SourceQuery
from modelyard.ports.metadata import (
    BlobQuery,
    EventQuery,
    ExperimentQuery,
    ExposureQuery,
    MetadataStore,
    ModelQuery,
    MoveQuery,
    OutcomeQuery,
    Page,
    ReceiptQuery,
    SessionQuery,
    TokenQuery,
    VersionQuery,
)

SIZE = 500


@overload
def every(store: MetadataStore, query: VersionQuery) -> Iterator[ModelVersion]: ...
@overload
def every(store: MetadataStore, query: ModelQuery) -> Iterator[Model]: ...
@overload
def every(store: MetadataStore, query: MoveQuery) -> Iterator[Move]: ...
@overload
def every(store: MetadataStore, query: EventQuery) -> Iterator[Event]: ...
@overload
def every(store: MetadataStore, query: BlobQuery) -> Iterator[Blob]: ...
@overload
def every(store: MetadataStore, query: SourceQuery) -> Iterator[Source]: ...
@overload
def every(store: MetadataStore, query: EdgeQuery) -> Iterator[Edge]: ...
@overload
def every(store: MetadataStore, query: BriefQuery) -> Iterator[Brief]: ...
@overload
def every(store: MetadataStore, query: ExperimentQuery) -> Iterator[Experiment]: ...
@overload
def every(store: MetadataStore, query: OutcomeQuery) -> Iterator[Outcome]: ...
@overload
def every(store: MetadataStore, query: ExposureQuery) -> Iterator[Exposure]: ...
@overload
def every(store: MetadataStore, query: TokenQuery) -> Iterator[Token]: ...
@overload
def every(store: MetadataStore, query: SessionQuery) -> Iterator[Session]: ...
@overload
def every(store: MetadataStore, query: ReceiptQuery) -> Iterator[Receipt]: ...
def every(store: MetadataStore, query: Any) -> Iterator[Any]:
    """All answers in the query's order; its own ``limit`` and ``after`` do not count."""
    after: str | None = None
    while True:
        page: Page[Any] = store.find(replace(query, limit=SIZE, after=after))
        yield from page.items
        if (after := page.next) is None:
            return
