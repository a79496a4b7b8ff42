"""The turn to write: who holds it writes first, whoever else is waiting."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.adapters.metadata.turns import Turn
from modelyard.domain.errors import Conflict
from modelyard.ports.metadata import Changes, ModelKey, Put
from modelyard.testing.metadata import a_model, seed


def another(path: Path) -> SqlMetadata:
    """A second store on the same file: its lock competes as another process's would."""
    return SqlMetadata(path)


def test_who_is_alone_commits_before_everyone_who_waits(tmp_path: Path) -> None:
    mine = SqlMetadata(tmp_path / "registry.db")
    mine.migrate()
    seed(mine, a_model())
    theirs = another(mine.path)
    lost: list[Conflict] = []

    def rival() -> None:
        model = replace(a_model(), description="theirs", revision=2)
        try:
            theirs.commit(Changes(puts=(Put(record=model, expected=1),)))
        except Conflict as conflict:
            lost.append(conflict)

    thread = Thread(target=rival)
    with mine.alone():
        thread.start()
        model = replace(a_model(), description="mine", revision=2)
        mine.commit(Changes(puts=(Put(record=model, expected=1),)))
    thread.join()
    assert len(lost) == 1
    found = mine.get(ModelKey("fraud"))
    assert found is not None
    assert found.description == "mine"
    mine.close()
    theirs.close()


def test_the_turn_may_be_taken_again_by_the_thread_that_holds_it(tmp_path: Path) -> None:
    turn = Turn(tmp_path / "db", patience=1)
    with turn.taken(), turn.taken():
        pass
    with Turn(tmp_path / "db", patience=1).taken():
        pass


def test_a_writer_without_patience_goes_on_without_the_turn(tmp_path: Path) -> None:
    with Turn(tmp_path / "db", patience=1).taken(), Turn(tmp_path / "db", patience=0).taken():
        pass


@pytest.mark.parametrize("place", ["missing/db", "link/db"])
def test_where_no_lock_can_be_had_writing_goes_on_without(tmp_path: Path, place: str) -> None:
    (tmp_path / "link").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "link" / "db-turn")
    with Turn(tmp_path / place, patience=1).taken():
        pass
    assert not (tmp_path / "elsewhere").exists()
