"""What every metadata store owes to tokens: subclass beside ``MetadataContract``, with the same fixture."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from modelyard.domain.errors import Conflict
from modelyard.domain.permissions import Action, Grant
from modelyard.domain.records import Actor, ModelStage
from modelyard.domain.tokens import Token
from modelyard.ports.metadata import Changes, Drop, Guard, MetadataStore, SecretKey, TokenKey, TokenQuery
from modelyard.testing.metadata import T0, changed, everything, put, seed


def a_token(number: int = 1, **fields: Any) -> Token:
    """A token as its first commit writes it."""
    given: dict[str, Any] = {
        "token_id": f"{number:026d}",
        "name": "nightly",
        "owner": Actor(name="ada"),
        "grants": (Grant(role="reader"),),
        "created_at": T0,
        "created_by": "ada",
        "digest": f"{number:064x}",
        "revision": 1,
    }
    return Token(**(given | fields))


class TokenRecordsContract:
    """Tokens in every store; subclasses give a migrated, empty ``store``."""

    @pytest.fixture
    def store(self) -> Iterator[MetadataStore]:
        raise NotImplementedError("a subclass gives the store")

    def test_every_field_of_a_token_comes_back_as_it_was(self, store: MetadataStore) -> None:
        full = a_token(
            2,
            owner=Actor(name="trainer", kind="service"),
            grants=(
                Grant(role="approver", models="risk/*", stages=(ModelStage.STAGING, ModelStage.PRODUCTION)),
                Grant(role="admin", actions=(Action.READ, Action.AUDIT)),
            ),
            expires_at=T0 + timedelta(days=1),
            used_at=T0 + timedelta(hours=1),
            revoked_at=T0 + timedelta(hours=2),
            revoked_by="bob",
            first=True,
        )
        seed(store, a_token(), full)
        for token in (a_token(), full):
            assert store.get(TokenKey(token.token_id)) == token
            assert store.get(SecretKey(token.digest)) == token

    def test_an_empty_store_has_no_tokens(self, store: MetadataStore) -> None:
        assert store.get(TokenKey("x")) is None
        assert store.get(SecretKey("x")) is None
        assert everything(store, TokenQuery()) == []

    def test_tokens_are_listed_in_the_order_in_which_they_were_made(self, store: MetadataStore) -> None:
        for number in (3, 1, 2):
            seed(store, a_token(number))
        assert everything(store, TokenQuery(limit=1)) == [a_token(number) for number in (1, 2, 3)]

    def test_a_token_is_written_over_only_at_the_revision_that_was_read(self, store: MetadataStore) -> None:
        seed(store, a_token())
        seed(store, used := changed(a_token(), used_at=T0))
        with pytest.raises(Conflict):
            seed(store, changed(a_token(), revoked_at=T0))
        assert store.get(TokenKey(used.token_id)) == used

    def test_two_tokens_never_have_the_same_secret(self, store: MetadataStore) -> None:
        seed(store, a_token())
        with pytest.raises(Conflict):
            seed(store, a_token(2, digest=a_token().digest))
        with pytest.raises(Conflict):
            store.commit(Changes(puts=(put(a_token(3)), put(a_token(4, digest=a_token(3).digest)))))
        assert everything(store, TokenQuery()) == [a_token()]

    def test_a_commit_can_be_guarded_by_a_token(self, store: MetadataStore) -> None:
        seed(store, a_token())
        for key in (TokenKey(a_token().token_id), SecretKey(a_token().digest)):
            with pytest.raises(Conflict):
                store.commit(Changes(guards=(Guard(key=key, expected=2),)))
            store.commit(Changes(guards=(Guard(key=key, expected=1),)))

    def test_a_token_is_dropped_only_at_the_revision_that_was_read(self, store: MetadataStore) -> None:
        seed(store, a_token(), a_token(2))
        key = TokenKey(a_token().token_id)
        with pytest.raises(Conflict):
            store.commit(Changes(drops=(Drop(key=key, expected=2),)))
        store.commit(Changes(drops=(Drop(key=key, expected=1),)))
        assert store.get(key) is None
        assert store.get(SecretKey(a_token().digest)) is None
        assert everything(store, TokenQuery()) == [a_token(2)]
        seed(store, a_token(3, digest=a_token().digest))
