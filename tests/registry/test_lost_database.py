"""A folder of versions whose database was lost: nothing takes it for a new registry, which would bury the loss."""

from __future__ import annotations

import threading

import pytest

from modelyard import ModelRegistry
from modelyard.domain.errors import IntegrityError
from modelyard.ports import service as ask


def emptied(path) -> None:
    path.write_bytes(b"")


def removed(path) -> None:
    path.unlink()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.txt").write_text("a model")
    with ModelRegistry(tmp_path / "registry") as registry:
        registry.register_model(tmp_path / "model.txt", "fraud")
    return tmp_path / "registry"


@pytest.mark.parametrize("lose", [emptied, removed])
def test_it_is_refused_every_time_and_the_bytes_stay(folder, lose) -> None:
    database = folder / "registry.db"
    whole = database.read_bytes()
    lose(database)
    for _ in range(2):
        with pytest.raises(IntegrityError, match="the database was lost"):
            ModelRegistry(folder).list_names()
    for each in folder.glob("registry.db-*"):
        each.unlink()
    database.write_bytes(whole)
    with ModelRegistry(folder) as registry:
        assert registry.list_names() == ["fraud"]
        assert registry.service.check(ask.Check(deep=True)).ok


def test_many_who_begin_one_registry_at_once_are_not_refused(tmp_path) -> None:
    """One of them may have registered a version before another one has looked."""
    (tmp_path / "model.txt").write_text("a model")
    failures: list[BaseException] = []

    def begin(number: int) -> None:
        try:
            with ModelRegistry(tmp_path / "registry") as registry:
                registry.register_model(tmp_path / "model.txt", f"fraud{number}")
        except BaseException as error:
            failures.append(error)

    crowd = [threading.Thread(target=begin, args=(number,)) for number in range(6)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert not failures
