"""Every answer to a question, page by page: memory stays that of one page, and no caller writes the loop again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, overload

from modelyard.domain.records import Blob, Event, Model, ModelVersion, Move
from modelyard.ports.metadata import (
    BlobQuery,
    EventQuery,
    MetadataStore,
    ModelQuery,
    MoveQuery,
    Page,
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
def every(store: MetadataStore, query: Any) -> Iterator[Any]:
    """All answers in the query's order; its own ``limit`` and ``after`` do not count."""
    after: str | None = None
    while True:
        page: Page[Any] = store.find(replace(query, limit=SIZE, after=after))
        yield from page.items
        if (after := page.next) is None:
            return
