"""Room for what is about to be registered, judged inside the commit that takes it.

The numbers of one model are exact: two registrations of it never land beside each other. Those of a namespace and of
the whole registry may be passed by what others register in the same moment.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from modelyard.domain.names import namespace_of
from modelyard.domain.quota import require_room
from modelyard.domain.records import FileEntry, Model
from modelyard.ports.metadata import TallyQuery

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

COUNTED_ANEW: Final = 10.0
"""Seconds for which the sum of all stored bytes is good enough to refuse uploads early: it reads every blob's row."""
_FREE: Final = "delete versions that are not needed and run `modelyard gc --yes`, or ask for a larger quota"


def require(service: LocalService, model: Model, files: Iterable[FileEntry], added: int) -> None:
    """Refuse a version for which there is no room. Costs nothing where no quota is set.

    Args:
        model: Whose version it is; revision 0 if it is new.
        files: What the version consists of.
        added: Bytes that the commit adds to what is stored: 0 if equal ones are there.

    Raises:
        QuotaExceeded: It says which quota.
    """
    quotas = service.quotas
    size = sum(entry.size for entry in files)
    if quotas.models is not None and not model.revision:
        there = _sum(service, TallyQuery(by="model"))[0]
        require_room("models", quotas.models, there + 1, "models of this registry", "use one that is there")
    if quotas.versions_per_model is not None or quotas.bytes_per_model is not None:
        _require_model(service, model, size)
    namespace = namespace_of(model.key)
    if quotas.bytes_per_namespace is not None and namespace:
        there = _sum(service, TallyQuery(by="stage", namespace=namespace))[1]
        what = f"bytes of the models below {namespace}/"
        require_room("bytes_per_namespace", quotas.bytes_per_namespace, there + size, what, _FREE)
    if quotas.bytes_stored is not None and added:
        require_room("bytes_stored", quotas.bytes_stored, _stored(service) + added, "all stored bytes", _FREE)


def _require_model(service: LocalService, model: Model, size: int) -> None:
    quotas = service.quotas
    count, there = _sum(service, TallyQuery(by="stage", model_key=model.key))
    if quotas.versions_per_model is not None:
        what = f"versions of {model.name!r}"
        require_room("versions_per_model", quotas.versions_per_model, count + 1, what, _FREE)
    if quotas.bytes_per_model is not None:
        what = f"bytes of {model.name!r}"
        require_room("bytes_per_model", quotas.bytes_per_model, there + size, what, _FREE)


def _sum(service: LocalService, query: TallyQuery) -> tuple[int, int]:
    tallies = service.store.find(query).items
    return sum(tally.count for tally in tallies), sum(tally.size for tally in tallies)


def _stored(service: LocalService) -> int:
    return _sum(service, TallyQuery(by="blob"))[1]


class Room:
    """Whether it makes sense to send more bytes, known to some seconds: what is refused later was sent for nothing."""

    def __init__(self, service: LocalService) -> None:
        self._service = service
        self._counted = (-COUNTED_ANEW, 0)

    def require(self) -> None:
        """Refuse bytes that no version could be registered over.

        Raises:
            QuotaExceeded: What is stored has reached its limit.
        """
        limit = self._service.quotas.bytes_stored
        if limit is None:
            return
        at, stored = self._counted
        if time.monotonic() - at >= COUNTED_ANEW:
            stored = _stored(self._service)
            self._counted = time.monotonic(), stored
        require_room("bytes_stored", limit, stored + 1, "all stored bytes", _FREE)
