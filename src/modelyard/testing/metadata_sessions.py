"""What every metadata store owes to sessions: subclass beside ``MetadataContract``, with the same fixture."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from modelyard.domain.errors import Conflict
from modelyard.domain.permissions import Action, Grant
from modelyard.domain.records import Actor, ModelStage
from modelyard.domain.sessions import Session
from modelyard.ports.metadata import (
    Changes,
    Drop,
    Guard,
    MetadataStore,
    SessionKey,
    SessionQuery,
    SessionSecretKey,
)
from modelyard.testing.metadata import T0, changed, everything, put, seed


def a_session(number: int = 1, **fields: Any) -> Session:
    """A session as its first commit writes it."""
    given: dict[str, Any] = {
        "session_id": f"{number:032x}.0",
        "digest": f"{number:064x}",
        "owner": Actor(name="ada"),
        "grants": (Grant(role="reader"),),
        "opened_at": T0,
        "used_at": T0,
        "ends_at": T0 + timedelta(hours=12),
        "idle_seconds": 3600,
        "revision": 1,
    }
    return Session(**(given | fields))


class SessionRecordsContract:
    """Sessions in every store; subclasses give a migrated, empty ``store``."""

    @pytest.fixture
    def store(self) -> Iterator[MetadataStore]:
        raise NotImplementedError("a subclass gives the store")

    def test_every_field_of_a_session_comes_back_as_it_was(self, store: MetadataStore) -> None:
        full = a_session(
            2,
            grants=(
                Grant(role="approver", models="risk/*", stages=(ModelStage.STAGING,)),
                Grant(role="admin", actions=(Action.READ, Action.AUDIT)),
            ),
            used_at=T0 + timedelta(hours=1),
            challenge="c" * 43,
            ended_at=T0 + timedelta(hours=2),
        )
        seed(store, a_session(), full)
        for session in (a_session(), full):
            assert store.get(SessionKey(session.session_id)) == session
            assert store.get(SessionSecretKey(session.digest)) == session

    def test_an_empty_store_has_no_sessions(self, store: MetadataStore) -> None:
        assert store.get(SessionKey("x")) is None
        assert store.get(SessionSecretKey("x")) is None

    def test_a_place_taken_again_forgets_the_secret_it_had(self, store: MetadataStore) -> None:
        seed(store, a_session())
        seed(store, again := changed(a_session(), digest=f"{7:064x}"))
        assert store.get(SessionSecretKey(a_session().digest)) is None
        assert store.get(SessionSecretKey(again.digest)) == again == store.get(SessionKey(again.session_id))

    def test_a_session_is_written_over_only_at_the_revision_that_was_read(self, store: MetadataStore) -> None:
        seed(store, a_session())
        seed(store, used := changed(a_session(), used_at=T0 + timedelta(minutes=2)))
        with pytest.raises(Conflict):
            seed(store, changed(a_session(), ended_at=T0))
        assert store.get(SessionKey(used.session_id)) == used

    def test_two_sessions_never_have_the_same_secret(self, store: MetadataStore) -> None:
        seed(store, a_session(), a_session(2))
        with pytest.raises(Conflict):
            seed(store, a_session(3, digest=a_session().digest))
        with pytest.raises(Conflict):
            seed(store, changed(a_session(2), digest=a_session().digest))
        assert store.get(SessionKey(a_session(2).session_id)) == a_session(2)
        assert store.get(SessionKey(a_session(3).session_id)) is None

    def test_a_guard_on_a_session_holds_only_while_it_is_as_it_was_read(self, store: MetadataStore) -> None:
        seed(store, a_session())
        guard = Guard(key=SessionSecretKey(a_session().digest), expected=1)
        store.commit(Changes(puts=(put(a_session(2)),), guards=(guard,)))
        seed(store, changed(a_session(), ended_at=T0))
        with pytest.raises(Conflict):
            store.commit(Changes(puts=(put(a_session(3)),), guards=(guard,)))

    def test_sessions_are_listed_person_by_person(self, store: MetadataStore) -> None:
        assert everything(store, SessionQuery()) == []
        places = [a_session(number, session_id=f"{number // 3:032x}.{number % 3}") for number in range(1, 7)]
        seed(store, *reversed(places))
        assert everything(store, SessionQuery(limit=2)) == places

    def test_a_session_is_dropped_only_at_the_revision_that_was_read(self, store: MetadataStore) -> None:
        seed(store, a_session(), a_session(2))
        key = SessionKey(a_session().session_id)
        with pytest.raises(Conflict):
            store.commit(Changes(drops=(Drop(key=key, expected=2),)))
        store.commit(Changes(drops=(Drop(key=key, expected=1),)))
        assert store.get(key) is None
        assert store.get(SessionSecretKey(a_session().digest)) is None
        assert everything(store, SessionQuery()) == [a_session(2)]
        seed(store, a_session())
        assert store.get(SessionSecretKey(a_session().digest)) == a_session()
