"""Making a database, opening it, and bringing an older one up."""

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from modelyard.adapters.metadata import statements, statements_sqlite
from modelyard.adapters.metadata.migrations import migrate
from modelyard.adapters.metadata.migrations.upgrade import upgrade
from modelyard.adapters.metadata.migrations.versions import m0001_first
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.adapters.metadata.sqlite import connect, driver, journal
from modelyard.domain.errors import NotSupported, StorageError
from modelyard.domain.records import LineageEdge
from modelyard.ports.lineage import EdgeQuery
from modelyard.testing.metadata import a_model, a_version, everything, seed

OPEN = """
import sys
from modelyard.adapters.metadata.sql import SqlMetadata
store = SqlMetadata(sys.argv[1])
store.migrate()
store.close()
"""


NEWEST = f"{statements_sqlite.SCHEMA_VERSION:04}"


def made_old(path: Path) -> None:
    """Take a file back to the first schema: everything that later migrations brought is gone."""
    kept = {*m0001_first.TABLES, "alembic_version", "sqlite_sequence"}
    connection = driver().connect(str(path))
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (name,) in rows:
        if name not in kept and not name.startswith("version_words"):
            connection.execute(f"DROP TABLE {name}")
    connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()


def tables(path: Path) -> dict[str, str]:
    connection = driver().connect(str(path))
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {name: " ".join(text.split()).replace("( ", "(").replace(" )", ")") for name, text in rows}


def schema_version(path: Path) -> int:
    connection = driver().connect(str(path))
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return int(found)


def test_compiled_statements_are_those_of_the_schema() -> None:
    text = Path(str(statements_sqlite.__file__)).read_text("utf-8")
    assert text == statements.sqlite_module(), "run: python -m modelyard.adapters.metadata.statements"


def test_a_new_file_has_the_schema_that_migrations_make(tmp_path: Path) -> None:
    made, migrated = tmp_path / "made.db", tmp_path / "migrated.db"
    migrate(made)
    connection = connect(migrated, create=True)
    upgrade(connection, statements_sqlite.SCHEMA_VERSION)
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(NEWEST,)]
    connection.close()
    assert tables(migrated) == tables(made)


def test_an_older_file_is_brought_up_by_migrations(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    store = SqlMetadata(path)
    store.migrate()
    twice = LineageEdge(kind="dataset", target="cards")
    seed(
        store,
        a_model(),
        version := a_version(lineage=(twice, LineageEdge(kind="code", target="c0"), twice)),
    )
    seed(store, a_version(2))
    store.close()
    made_old(path)
    store = SqlMetadata(path)
    store.migrate()
    assert schema_version(path) == statements_sqlite.SCHEMA_VERSION
    found = [(edge.kind, edge.target) for edge in everything(store, EdgeQuery(of=(version.model_id,)))]
    assert found == [("code", "c0"), ("dataset", "cards")]
    seed(store, a_model("other"))
    assert store.check() == ()
    store.close()


def test_a_failed_migration_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "registry.db"
    monkeypatch.setattr(statements_sqlite, "DDL", (*statements_sqlite.DDL, "CREATE TABLE models (again)"))
    with pytest.raises(StorageError, match="models"):
        migrate(path)
    assert tables(path) == {}
    assert schema_version(path) == 0
    monkeypatch.undo()
    migrate(path)
    assert schema_version(path) == statements_sqlite.SCHEMA_VERSION


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    migrate(path)
    connection = connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(NotSupported, match="99"):
        migrate(path)


def test_opening_imports_neither_sqlalchemy_nor_alembic(tmp_path: Path) -> None:
    code = OPEN + "assert not {'sqlalchemy', 'alembic'} & set(sys.modules)"
    for _ in ("new", "existing"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "registry.db")], check=True)


def test_eight_processes_open_a_new_folder_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "registry.db"
    started = [
        subprocess.Popen([sys.executable, "-c", OPEN, str(path)], stderr=subprocess.PIPE) for _ in range(8)
    ]
    errors = [process.communicate(timeout=60)[1] for process in started]
    assert [process.returncode for process in started] == [0] * 8, errors
    assert schema_version(path) == statements_sqlite.SCHEMA_VERSION


def test_eight_threads_open_a_new_folder_at_once(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: migrate(path), range(8)))
    assert schema_version(path) == statements_sqlite.SCHEMA_VERSION


def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    store = SqlMetadata(tmp_path / "registry.db")
    store.migrate()
    seed(store, a_model())
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    assert "registry.db-wal" in modes or journal() == "DELETE"
    store.close()


def test_a_file_that_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    store = SqlMetadata(tmp_path / "registry.db")
    with pytest.raises(StorageError, match="no registry is there"):
        store.events(0, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_tables_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "registry.db").touch()
    with pytest.raises(StorageError, match="set up"):
        SqlMetadata(tmp_path / "registry.db").events(0, 1)


@pytest.mark.parametrize("location", ["postgresql://x/y", "sqlite://", "sqlite:///", "mysql+pymysql://"])
def test_other_databases_are_refused_by_name(location: str) -> None:
    with pytest.raises(NotSupported, match=r"sqlite:///"):
        SqlMetadata(location)


@pytest.mark.parametrize("name", ["with space.db", "per%cent#and?.db", "ü.db"])
def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    store = SqlMetadata(f"sqlite:///{tmp_path}/{name}")
    store.migrate()
    seed(store, a_model())
    store.close()
    assert (tmp_path / name).is_file()


def test_a_library_without_full_text_goes_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelyard.adapters.metadata import migrations
    from modelyard.domain.query import parse
    from modelyard.ports.metadata import VersionQuery
    from modelyard.testing.metadata import a_version, changed, everything

    monkeypatch.setattr(migrations, "FULL_TEXT", "CREATE VIRTUAL TABLE version_words USING nothing()")
    store = SqlMetadata(tmp_path / "registry.db")
    store.migrate()
    seed(store, a_model(), version := a_version(description="some words"))
    seed(store, changed(version, description="other words"))
    found: list[Any] = everything(store, VersionQuery(where=parse("'other wo'").where))
    assert [v.number for v in found] == [1]
    assert everything(store, VersionQuery(where=parse("some").where)) == []
    assert store.check() == ()
    store.close()
