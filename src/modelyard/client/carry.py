"""Versions from one registry to another: bytes that are not there, then the facts.

This is not a copy of the history: what a version is travels (files, flavor, parameters, metrics, signature,
environment, card, tags), what was decided about it does not. It arrives in ``development`` under its own name and
label; where those mean the same content already nothing happens, and where they mean other content it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from modelyard.client import copies
from modelyard.client.pack import UPLOADS, ProgressFactory
from modelyard.domain import refs
from modelyard.domain.errors import BlobNotFound, NotAllowed, NotFound
from modelyard.domain.lineage import SOURCES
from modelyard.domain.records import FileEntry, LineageEdge, ModelVersion
from modelyard.ports.service import Progress, RegistryService, Search

ORIGIN: Final = "carried_from"
"""Attribute that says which version of which registry this was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What became of one version.

    Attributes:
        source, target: The version there and here.
        outcome: ``new``, or ``present`` if the same content had this label before.
        sent: Bytes that had to travel. ``spared``: bytes that were there, of whole files and of those that an earlier
            run had begun to send.
    """

    source: ModelVersion
    target: ModelVersion
    outcome: str
    sent: int
    spared: int


def chosen(service: RegistryService, ref: str, *, everything: bool = False) -> Iterator[ModelVersion]:
    """The version a ref names; or every version of a model, oldest first."""
    if not everything:
        yield service.get_version(ref)
        return
    name = service.get_model(refs.parse(ref).model or ref).name
    after: str | None = None
    while True:
        quoted = name.replace("'", "''")
        page = service.search(Search(text=f"name = '{quoted}' order by number asc", limit=500, after=after))
        yield from page.items
        if (after := page.next) is None:
            return


def carry(
    source: RegistryService,
    target: RegistryService,
    version: ModelVersion,
    progress: ProgressFactory | None = None,
) -> Carried:
    """Bring one version over.

    Raises:
        AlreadyExists: Its label means other content there.
        NotAllowed: It was withdrawn; the copy would not say so.
        BlobDamaged: Its bytes here are not what was registered.
    """
    if version.withdrawn is not None:
        raise NotAllowed(
            f"{version.name}:{version.version} was withdrawn ({version.withdrawn.reason or 'no reason given'}); a copy "
            "would be free of that, so none is made: `modelyard reinstate` takes a withdrawal back"
        )
    before = _present(target, version)
    request = copies.request(
        version,
        version=version.version,
        lineage=_links(version),
        attributes={**version.attributes, ORIGIN: version.attributes.get(ORIGIN, version.model_id)},
    )
    for attempt in range(UPLOADS):
        sent = sum(_carry_file(source, target, file, progress) for file in _distinct(version))
        try:
            made = target.create_version(request)
            break
        except BlobNotFound:  # A collector came in between.
            if attempt == UPLOADS - 1:
                raise
    return Carried(
        source=version,
        target=made,
        outcome="present" if before == made.model_id else "new",
        sent=sent,
        spared=sum(file.size for file in _distinct(version)) - sent,
    )


def _present(target: RegistryService, version: ModelVersion) -> str:
    with suppress(NotFound):
        return target.get_version(str(refs.Ref("label", model=version.name, value=version.version))).model_id
    return ""


def _links(version: ModelVersion) -> tuple[LineageEdge, ...]:
    """Links to sources. Those to versions name ids that mean nothing in another registry."""
    return tuple(edge for edge in version.lineage if edge.kind in SOURCES)


def _distinct(version: ModelVersion) -> list[FileEntry]:
    return list({file.digest: file for file in version.files}.values())


def _carry_file(
    source: RegistryService, target: RegistryService, file: FileEntry, progress: ProgressFactory | None
) -> int:
    """Bring bytes over unless they are there; returns how many travelled."""
    if target.has_blob(file.digest):
        return 0
    told = _Travelling(progress(file.path, file.size) if progress else None)
    path = source.verified(file.digest)
    if path is not None:
        target.put_file(path, digest=file.digest, progress=told)
    else:
        target.put_blob(source.open_blob(file.digest), digest=file.digest)
    return file.size - told.there


class _Travelling:
    """Progress of one file on its way.

    Attributes:
        there: Bytes of it that did not have to travel.
    """

    def __init__(self, told: Progress | None) -> None:
        self._told = told
        self.there = 0

    def __call__(self, count: int) -> None:
        if self._told is not None:
            self._told(count)

    def spared(self, count: int) -> None:
        """See ``SparingProgress``."""
        self.there += count
