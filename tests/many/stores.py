"""Every kind of database and of byte store, opened as often as a test likes: each opening stands for a process."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelyard.adapters.blobs.local import LocalBlobs
from modelyard.adapters.blobs.object_settings import manifests_beside
from modelyard.adapters.blobs.objectstore import ObjectBlobs
from modelyard.adapters.metadata.engines import open_server
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.service.local import LocalService
from modelyard.wiring import in_folder

from .databases import drop, new_database

Opening = Callable[[], Any]

DATABASES = [
    "sqlite",
    *(
        pytest.param(name, marks=pytest.mark.backends)
        for name in ("postgresql", "mariadb", "mysql", "mongodb")
    ),
]
"""Names of the fixtures that give a server's address, and the one that needs none."""

BYTES = ["local", pytest.param("seaweedfs", marks=pytest.mark.backends)]


@contextmanager
def records(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Opening]:
    """Opens the one database of its kind that was made for this, again and again."""
    if kind == "sqlite":
        yield lambda: SqlMetadata(folder / "registry.db")
        return
    if kind == "mongodb":
        from modelyard.adapters.metadata.mongo import MongoMetadata

        server, name = request.getfixturevalue("mongodb"), f"many_{uuid.uuid4().hex[:12]}"
        yield lambda: MongoMetadata(server.address(name))
        server.database(name).client.drop_database(name)
        return
    server = request.getfixturevalue(kind)
    url = new_database(server)
    try:
        yield lambda: open_server(url)
    finally:
        drop(server, url)


def bytes_of(kind: str, request: pytest.FixtureRequest, folder: Path) -> Opening:
    """Opens blobs and manifests in one place of its kind."""
    if kind == "local":
        return lambda: (LocalBlobs(folder, folder="blobs"), LocalBlobs(folder, folder="manifests"))
    place = replace(request.getfixturevalue(kind), prefix=uuid.uuid4().hex[:12])

    def opened() -> tuple[ObjectBlobs, ObjectBlobs]:
        blobs = ObjectBlobs(place)
        return blobs, manifests_beside(blobs)

    return opened


def opener(folder: Path, store: Opening, kept: Opening) -> Callable[[], LocalService]:
    """Opens the registry over both, as one more process would."""
    return lambda: in_folder(folder, kept=kept(), store=store())
