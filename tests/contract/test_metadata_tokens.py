"""Both stores keep tokens, and the one on disk notices when they were changed behind it."""

from contextlib import suppress

import pytest

from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.adapters.metadata.sqlite import driver
from modelyard.domain.errors import IntegrityError
from modelyard.ports.metadata import SecretKey
from modelyard.testing.metadata import seed
from modelyard.testing.metadata_tokens import TokenRecordsContract, a_token


class TestMemory(TokenRecordsContract):
    @pytest.fixture
    def store(self):
        return MemoryMetadata()


class TestSqlite(TokenRecordsContract):
    @pytest.fixture
    def store(self, tmp_path):
        store = SqlMetadata(tmp_path / "registry.db")
        store.migrate()
        yield store
        store.close()

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE tokens SET doc = replace(doc, 'reader', 'admin')",
            f"UPDATE tokens SET digest = '{9:064x}'",
            "UPDATE tokens SET revision = 7",
        ],
    )
    def test_a_token_changed_behind_the_store_lets_nobody_in(self, store, statement):
        """Whoever can write the database file still cannot turn a reader into an administrator unseen."""
        seed(store, a_token())
        assert store.check() == ()
        connection = driver().connect(str(store.path), isolation_level=None)
        connection.execute(statement)
        connection.close()
        for digest in (a_token().digest, f"{9:064x}"):
            with suppress(IntegrityError):
                assert store.get(SecretKey(digest)) is None
        assert "token" in "\n".join(store.check())

    @pytest.mark.parametrize(
        ("doc", "finding"),
        [("{}", "cannot be read"), (None, "not those of its document")],
    )
    def test_a_row_whose_digest_was_made_to_fit_is_found(self, store, doc, finding):
        from modelyard.adapters.metadata.rows_tokens import TOKENS

        seed(store, a_token())
        row = TOKENS.row(a_token())
        row |= {"doc": doc} if doc else {"digest": f"{9:064x}"}
        connection = driver().connect(str(store.path), isolation_level=None)
        connection.execute(
            "UPDATE tokens SET digest = ?, doc = ?, row_digest = ?",
            (row["digest"], row["doc"], TOKENS.digest_of(row)),
        )
        connection.close()
        assert finding in "\n".join(store.check())
