"""A moved registry is the same registry, and goes on as the same."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import rule
from tests.contract.service_rooms import memory_memory

from modelyard.domain.errors import NotAllowed
from modelyard.domain.records import Metric
from modelyard.domain.tokens import Token
from modelyard.ports import service as ask
from modelyard.ports.metadata import (
    ModelQuery,
    MoveQuery,
    OutcomeQuery,
    ReceiptKey,
    RegistryKey,
    SessionQuery,
    SourceQuery,
    TokenQuery,
    VersionQuery,
)
from modelyard.service import audit, migration_records
from modelyard.service.local import LocalService
from modelyard.service.migration import look, refuse_unfinished
from modelyard.service.migration_records import MARK, same
from modelyard.service.pages import every
from modelyard.testing.metadata import a_version
from modelyard.testing.world import RegistryWorld

from .registries import bare, full, introduced, moved, register, sides, silent


def contents(service: LocalService) -> list[object]:
    """What is to be the same, read another way than by what moves it."""
    store = service.store
    experiments = service.list_experiments()
    return [
        service.export(),
        store.events(0, 10_000),
        store.get(RegistryKey()),
        [list(every(store, query)) for query in (TokenQuery(), SessionQuery(), SourceQuery())],
        list(every(store, MoveQuery(model_key="fraud", pointer="stage:production"))),
        [list(every(store, OutcomeQuery(experiment_id=each.experiment_id))) for each in experiments],
        [service.judge_experiment(each.experiment_id) for each in experiments],
        service.stats(),
        service.verify_audit(),
        sorted(info.digest for info in service.blobs.list()),
    ]


def test_everything_is_there_afterwards_and_the_history_is_the_same_to_the_last_hash() -> None:
    source, target = full(), bare()
    outcome = moved(source, target)
    assert contents(target) == contents(source)
    assert target.check(ask.Check(deep=True)).ok
    assert outcome.done
    assert not outcome.resumed
    assert outcome.audit == source.verify_audit() == target.verify_audit()
    assert target.store.get(ReceiptKey(MARK)) is None


def test_it_counts_what_there_was() -> None:
    source = full()
    outcome = moved(source, bare())
    versions = list(every(source.store, VersionQuery(deleted=None)))
    assert outcome.records["versions"] == len(versions)
    assert outcome.records["models"] == len(list(every(source.store, ModelQuery())))
    assert outcome.records["events"] == len(source.store.events(0, 10_000))
    assert outcome.missing == sum(outcome.records.values())
    assert (outcome.blobs, outcome.copied) == (5, 5)
    assert outcome.read_again == 5
    assert outcome.walks == 2


def test_an_answer_that_was_lost_is_remembered_by_the_target_too() -> None:
    source, target = full(), bare()
    first = register(source, b"retried", name="late")
    moved(source, target)
    assert register(target, b"retried", name="late").model_id == first.model_id


def test_many_records_come_in_many_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration_records, "PORTION", 2)
    monkeypatch.setattr(migration_records, "SIZE", 3)
    source, target = full(), bare()
    moved(source, target)
    assert contents(target) == contents(source)


def test_documents_beside_the_records_are_moved_too() -> None:
    source, target = full(), bare()
    from modelyard.service import manifests

    manifests.drain(source)
    moved(source, target)
    assert {i.digest for i in target.manifests.list()} == {i.digest for i in source.manifests.list()} != set()


def test_moving_again_what_is_moved_changes_nothing() -> None:
    source, target = full(), bare()
    first = moved(source, target)
    before = target.store.events(0, 10_000), target.store.get(RegistryKey())
    again = moved(source, target)
    assert (again.done, again.resumed, again.missing, again.copied) == (True, True, 0, 0)
    assert again.audit == first.audit
    assert (target.store.events(0, 10_000), target.store.get(RegistryKey())) == before


def test_a_place_that_was_opened_and_never_used_counts_as_empty() -> None:
    source, target = full(), introduced(bare(), "another")
    moved(source, target)
    assert contents(target) == contents(source)


def test_nobody_gets_into_a_target_before_it_is_whole() -> None:
    source, target = full(), bare()
    seen = []

    def watch(title: str, _total: int):
        registry = target.store.get(RegistryKey())
        seen.append(title)
        with pytest.raises(NotAllowed, match="migration from here"):
            refuse_unfinished(registry, target.store, "there")
        return lambda _count: None

    from modelyard.service.migration import migrate

    migrate(*sides(source, target), watch=watch)
    assert seen == ["bytes", "records", "bytes", "records", "reading again"]
    refuse_unfinished(target.store.get(RegistryKey()), target.store, "there")


def test_looking_says_what_there_is_to_do_and_does_nothing() -> None:
    source, target = full(), bare()
    here, there = sides(source, target)
    alone, beside = look(here, None, watch=silent), look(here, there, watch=silent)
    assert (beside.done, beside.missing, beside.copied) == (False, alone.missing, alone.copied)
    assert alone.missing == sum(alone.records.values())
    assert (alone.copied, alone.copied_size) == (5, alone.size)
    assert target.store.get(RegistryKey()) is None
    assert list(target.blobs.list()) == []
    moved(source, target)
    after = look(here, there, watch=silent)
    assert (after.missing, after.copied, after.resumed) == (0, 0, False)


def test_a_number_that_is_none_does_not_keep_a_registry_from_being_moved() -> None:
    nan, other = float("nan"), float("-nan")
    moment = a_version().created_at
    one, two = (Metric(name="accuracy", value=value, at=moment) for value in (nan, other))
    assert same(a_version(metrics=(one,)), a_version(metrics=(two,)))
    assert not same(a_version(metrics=(one,)), a_version(metrics=(replace(two, by="eve"),)))
    assert same({"a": [nan, (1,)]}, {"a": [other, (1,)]})
    for left, right in (({"a": nan}, {"b": nan}), ([nan], [nan, 1]), ((nan,), [nan]), (nan, 1.0), (None, 1)):
        assert not same(left, right)


def test_no_two_secrets_or_other_fields_are_taken_for_the_same() -> None:
    source = full()
    (token,) = every(source.store, TokenQuery())
    assert isinstance(token, Token)
    assert not same(token, replace(token, digest="0" * 64))


def test_the_proof_can_be_made_before_the_record_of_the_registry_is_there() -> None:
    source = full()
    record = source.store.get(RegistryKey())
    assert audit.verify(source, record) == audit.verify(source)


class MovedWorld(RegistryWorld):
    """One of two registries is moved again and again, and answers as the other all the same."""

    def left(self, clock):
        return memory_memory(Path(os.devnull), clock)

    right = left

    @rule()
    def move(self) -> None:
        before, other = self.services
        after = bare(clock=self.clocks[0])
        moved(before, after)
        self.services = (after, other)
        self.stack.callback(after.close)


class TestMovedWorld(MovedWorld.TestCase):
    settings = settings(max_examples=10, stateful_step_count=20, deadline=None)


@pytest.mark.long
class TestMovedWorldForLong(MovedWorld.TestCase):
    settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
