"""What every round of the registry's tests needs: everything that is stored, and proof that a refusal left it alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modelyard import ModelRegistry
from modelyard.domain.errors import ModelyardError


def files_below(folder: Path) -> dict[str, str]:
    """Path and digest of every file, the database's own aside: it may move pages when it is read."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not path.name.startswith("registry.db")
    }


def everything(registry: ModelRegistry) -> tuple[object, ...]:
    """Every record, event and stored byte."""
    bundle = registry._service.export()
    return bundle, registry.history(""), registry.get_registry_stats(), blobs(Path(registry.location))


def blobs(folder: Path) -> dict[str, str]:
    """Stored bytes by path."""
    return {path: digest for path, digest in files_below(folder).items() if path.startswith("blobs")}


@contextmanager
def refused(
    registry: ModelRegistry,
    kind: type[BaseException],
    match: str | None = None,
    *,
    bytes_may_stay: bool = False,
) -> Iterator[pytest.ExceptionInfo[BaseException]]:
    """The block raises, with words, and changes nothing.

    Args:
        bytes_may_stay: Bytes that were uploaded before the refusal wait for the collector, named by nothing.
    """
    before = everything(registry)
    with pytest.raises(kind, match=match) as caught:
        yield caught
    if isinstance(caught.value, ModelyardError):
        assert caught.value.detail.strip()
    after = everything(registry)
    assert after[:3] == before[:3]
    if not bytes_may_stay:
        assert after[3] == before[3]
