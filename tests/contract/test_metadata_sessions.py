"""Both stores keep sessions, and the one on disk notices when they were changed behind it."""

from contextlib import suppress

import pytest

from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.adapters.metadata.rows_sessions import SESSIONS
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.adapters.metadata.sqlite import driver
from modelyard.domain.errors import IntegrityError
from modelyard.ports.metadata import SessionSecretKey
from modelyard.testing.metadata import seed
from modelyard.testing.metadata_sessions import SessionRecordsContract, a_session


class TestMemory(SessionRecordsContract):
    @pytest.fixture
    def store(self):
        return MemoryMetadata()


def behind(store, statement, given=()):
    connection = driver().connect(str(store.path), isolation_level=None)
    connection.execute(statement, given)
    connection.close()


class TestSqlite(SessionRecordsContract):
    @pytest.fixture
    def store(self, tmp_path):
        store = SqlMetadata(tmp_path / "registry.db")
        store.migrate()
        yield store
        store.close()

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE sessions SET doc = replace(doc, 'reader', 'admin')",
            f"UPDATE sessions SET digest = '{9:064x}'",
            "UPDATE sessions SET revision = 7",
        ],
    )
    def test_a_session_changed_behind_the_store_lets_nobody_in(self, store, statement):
        seed(store, a_session())
        assert store.check() == ()
        behind(store, statement)
        for digest in (a_session().digest, f"{9:064x}"):
            with suppress(IntegrityError):
                assert store.get(SessionSecretKey(digest)) is None
        assert "session" in "\n".join(store.check())

    @pytest.mark.parametrize(
        ("doc", "finding"), [("{}", "cannot be read"), (None, "not those of its document")]
    )
    def test_a_row_whose_digest_was_made_to_fit_is_found(self, store, doc, finding):
        seed(store, a_session())
        row = SESSIONS.row(a_session())
        row |= {"doc": doc} if doc else {"digest": f"{9:064x}"}
        given = row["digest"], row["doc"], SESSIONS.digest_of(row)
        behind(store, "UPDATE sessions SET digest = ?, doc = ?, row_digest = ?", given)
        assert finding in "\n".join(store.check())
