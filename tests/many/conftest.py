"""Several servers over a database and a bucket of their own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from modelyard.adapters.blobs.object_place import Place

from .databases import drop, new_database
from .farm import Farm


@pytest.fixture
def place(seaweedfs: Place) -> Place:
    """A part of a bucket that nobody used yet."""
    return replace(seaweedfs, prefix=uuid.uuid4().hex[:12])


@pytest.fixture
def farm(postgresql: str, place: Place, tmp_path: Path) -> Iterator[Callable[..., Farm]]:
    """Starts that many servers over one PostgreSQL database and one bucket of SeaweedFS."""
    url = new_database(postgresql)
    with ExitStack() as stack:
        stack.callback(drop, postgresql, url)
        yield lambda count, **given: stack.enter_context(Farm(tmp_path, url, place, count, **given))
