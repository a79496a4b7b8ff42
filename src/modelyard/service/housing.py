"""Bytes where the settings want those of a model, if they say so."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from modelyard.domain.errors import ModelyardError
from modelyard.domain.records import ModelVersion
from modelyard.ports.blobs import housing
from modelyard.ports.metadata import VersionQuery
from modelyard.service.pages import every

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

LOG = logging.getLogger("modelyard")


def house(service: LocalService, version: ModelVersion) -> None:
    """Copy the bytes of a version that was registered to where its model's belong.

    It is registered whatever happens here; what fails is done by the next collection.
    """
    if (store := housing(service.blobs)) is None:
        return
    try:
        for digest in sorted({entry.digest for entry in version.files}):
            store.house(digest, version.name)
    except ModelyardError as error:
        LOG.warning("the bytes of %s are not yet where they belong: %s", version.model_id, error.detail)


def tidy(service: LocalService) -> None:
    """Put right where copies are; the caller holds the right to collect."""
    if (store := housing(service.blobs)) is None:
        return
    try:
        store.tidy(partial(_models_with, service))
    except ModelyardError as error:  # What was collected was collected.
        LOG.warning("not all bytes are where they belong; collect again: %s", error.detail)


def _models_with(service: LocalService, digest: str) -> frozenset[str]:
    return frozenset(version.name for version in every(service.store, VersionQuery(file=digest, limit=1000)))
