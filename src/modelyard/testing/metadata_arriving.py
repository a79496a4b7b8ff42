"""What every metadata store owes to records from another one: subclass beside ``MetadataContract``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from modelyard.domain.errors import Conflict, InvalidInput
from modelyard.domain.records import Blob, ModelStage, Receipt, Registry, Source
from modelyard.ports.metadata import (
    BlobKey,
    Changes,
    Drop,
    ExperimentKey,
    ExposureKey,
    Guard,
    Key,
    MetadataStore,
    ModelKey,
    Put,
    ReceiptKey,
    RegistryKey,
    SessionKey,
    SourceKey,
    TokenKey,
    VersionKey,
)
from modelyard.testing.metadata import T0, a_model, a_version, changed, seed, sha
from modelyard.testing.metadata_experiments import an_experiment, an_exposure
from modelyard.testing.metadata_sessions import a_session
from modelyard.testing.metadata_tokens import a_token


def one_of_each() -> list[tuple[Key, Any]]:
    """Records that were changed before, each with its key."""
    return [
        (RegistryKey(), Registry(registry_id="r", format=1, created_at=T0, sequence=4, revision=5)),
        (ModelKey("fraud"), a_model(revision=7)),
        (VersionKey(a_version().model_id), a_version(revision=9)),
        (BlobKey(sha(1)), Blob(digest=sha(1), size=3, touched_at=T0, revision=4)),
        (SourceKey("dataset", "d"), Source(kind="dataset", target="d", revision=3)),
        (ReceiptKey("k"), Receipt(key="k", request="q", result={"a": 1}, at=T0, revision=6)),
        (ExperimentKey(an_experiment().experiment_id), an_experiment(revision=8)),
        (TokenKey(a_token().token_id), a_token(revision=11)),
        (SessionKey(a_session().session_id), a_session(revision=12)),
        (ExposureKey(an_exposure().experiment_id, an_exposure().writer), an_exposure(revision=13)),
    ]


class ArrivingRecordsContract:
    """Records that arrive with revisions of their own; subclasses give a migrated, empty ``store``."""

    @pytest.fixture
    def store(self) -> Iterator[MetadataStore]:
        raise NotImplementedError("a subclass gives the store")

    def test_a_record_arrives_with_the_revision_it_had_and_is_changed_from_there(
        self, store: MetadataStore
    ) -> None:
        puts = tuple(Put(record=record, expected=0) for _, record in one_of_each())
        store.commit(Changes(puts=puts, arriving=True))
        for key, record in one_of_each():
            assert store.get(key) == record
            seed(store, changed(record))
            assert store.get(key) == changed(record)

    def test_a_revision_that_is_not_the_next_one_is_refused_unless_it_arrives(
        self, store: MetadataStore
    ) -> None:
        for key, record in one_of_each():
            with pytest.raises(InvalidInput):
                store.commit(Changes(puts=(Put(record=record, expected=0),)))
            assert store.get(key) is None

    def test_an_arriving_record_takes_the_place_only_of_the_expected_revision(
        self, store: MetadataStore
    ) -> None:
        for key, record in one_of_each():
            store.commit(Changes(puts=(Put(record=record, expected=0),), arriving=True))
            for expected in (0, record.revision + 1):
                with pytest.raises(Conflict):
                    store.commit(
                        Changes(
                            puts=(Put(record=replace(record, revision=1), expected=expected),), arriving=True
                        )
                    )
            assert store.get(key) == record
            later = replace(record, revision=40)
            store.commit(Changes(puts=(Put(record=later, expected=record.revision),), arriving=True))
            assert store.get(key) == later

    def test_two_arriving_versions_never_hold_the_one_place_in_a_stage(self, store: MetadataStore) -> None:
        live: dict[str, Any] = {"stage": ModelStage.PRODUCTION, "revision": 5}
        first = [Put(record=a_model(revision=3), expected=0), Put(record=a_version(1, **live), expected=0)]
        store.commit(Changes(puts=tuple(first), arriving=True))
        with pytest.raises(Conflict):
            store.commit(Changes(puts=(Put(record=a_version(2, **live), expected=0),), arriving=True))
        assert store.get(VersionKey(a_version(2).model_id)) is None

    def test_what_arrives_and_what_goes_land_in_one_step(self, store: MetadataStore) -> None:
        mark, other = (Receipt(key=key, request="q", result={}, at=T0, revision=1) for key in "ab")
        seed(store, mark)
        registry = Registry(registry_id="r", format=1, created_at=T0, revision=9)
        drops = (Drop(key=ReceiptKey("a"), expected=2),)
        puts = (Put(record=registry, expected=0), Put(record=other, expected=0))
        with pytest.raises(Conflict):
            store.commit(Changes(puts=puts, drops=drops, arriving=True))
        assert store.get(RegistryKey()) is None
        store.commit(Changes(puts=puts, drops=(Drop(key=ReceiptKey("a"), expected=1),), arriving=True))
        assert (store.get(RegistryKey()), store.get(ReceiptKey("a"))) == (registry, None)

    def test_a_migrated_store_says_that_it_is_made(self, store: MetadataStore) -> None:
        assert store.is_made()
        assert not store.is_older()

    def test_nothing_arrives_where_what_was_read_is_gone(self, store: MetadataStore) -> None:
        """A commit of a migration is tied to the target's mark, whatever it puts, drops or appends."""
        one, other = (Receipt(key=key, request="q", result={}, at=T0, revision=1) for key in "ab")
        seed(store, one)
        guards = (Guard(key=ReceiptKey("mark"), expected=1),)
        with pytest.raises(Conflict):
            store.commit(Changes(puts=(Put(record=other, expected=0),), guards=guards, arriving=True))
        with pytest.raises(Conflict):
            store.commit(
                Changes(drops=(Drop(key=ReceiptKey("a"), expected=1),), guards=guards, arriving=True)
            )
        assert (store.get(ReceiptKey("a")), store.get(ReceiptKey("b"))) == (one, None)
        seed(store, replace(one, key="mark"))
        store.commit(Changes(drops=(Drop(key=ReceiptKey("a"), expected=1),), guards=guards, arriving=True))
        assert store.get(ReceiptKey("a")) is None
