"""A migration that stops anywhere is ended by the next one; what else writes meanwhile is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.domain.errors import (
    AlreadyExists,
    AuditBroken,
    BlobDamaged,
    Conflict,
    IntegrityError,
    InvalidInput,
    NotAllowed,
    NotFound,
    StorageError,
)
from modelyard.domain.events import append
from modelyard.domain.names import fold
from modelyard.domain.permissions import Grant
from modelyard.domain.records import Actor, ModelStage, Receipt, Registry
from modelyard.ports import service as ask
from modelyard.ports.metadata import (
    BlobKey,
    Changes,
    Drop,
    ModelKey,
    Positioned,
    Put,
    ReceiptKey,
    RegistryKey,
    TokenQuery,
)
from modelyard.service import migration_bytes
from modelyard.service.local import LocalService
from modelyard.service.migration import WALKS, look, migrate
from modelyard.service.migration_records import MARK, PROBE
from modelyard.service.pages import every

from .registries import bare, full, introduced, moved, register, sides, silent
from .test_moving import contents


class Failing:
    """A store that fails after some more writes, before or after the last of them took place."""

    def __init__(self, inner: Any, left: list[int], *, late: bool) -> None:
        self._inner, self._left, self._late = inner, left, late

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if name not in ("commit", "put", "put_file"):
            return method

        def counted(*given: Any, **named: Any) -> Any:
            self._left[0] -= 1
            if self._left[0] == 0 and not self._late:
                raise StorageError("cut off")
            done = method(*given, **named)
            if self._left[0] == 0:
                raise StorageError("cut off")
            return done

        return counted


@pytest.mark.parametrize("late", [False, True])
def test_cut_off_at_any_write_it_is_ended_by_the_next_run(
    late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each write of a migration once, counted over records and bytes; ``late`` ones are done and not answered."""
    monkeypatch.setattr(migration_bytes, "AT_ONCE", 1)
    source = full()
    wanted, cut = contents(source), 0
    while True:
        cut += 1
        records, blobs, left = MemoryMetadata(), MemoryBlobs(), [cut]
        target = bare(Failing(records, left, late=late), Failing(blobs, left, late=late))
        try:
            moved(source, target)
            break
        except StorageError:
            target = bare(records, blobs)
        begun, ended = (records.get(ReceiptKey(MARK)), records.get(RegistryKey()))
        assert (begun is None) == (ended is None or ended.format == 1), "either marked and closed, or neither"
        again = moved(source, target)
        assert again.resumed == (ended is not None)
        assert contents(target) == wanted
    assert cut > 20
    assert contents(bare(records, blobs)) == wanted


def writing(source: LocalService, when: tuple[int, ...], what: Any) -> Any:
    """A watch that does ``what`` as the steps of these numbers begin."""
    steps = iter(range(1000))

    def watch(_title: str, _total: int) -> Any:
        if next(steps) in when:
            what(source)
        return lambda _count: None

    return watch


def one_more(service: LocalService) -> None:
    register(service, f"{len(service.blobs._kept)}".encode(), name="late")


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_what_is_written_to_the_source_meanwhile_comes_along(step: int) -> None:
    source, target = full(), bare()
    outcome = migrate(*sides(source, target), watch=writing(source, (step,), one_more))
    assert 2 <= outcome.walks <= 4
    assert contents(target) == contents(source)


def test_a_source_that_never_rests_is_given_up_and_carried_on_later() -> None:
    source, target = full(), bare()
    with pytest.raises(Conflict, match="is being written to"):
        migrate(*sides(source, target), watch=writing(source, tuple(range(2 * WALKS)), one_more))
    assert moved(source, target).resumed
    assert contents(target) == contents(source)


def test_a_write_at_the_very_end_keeps_the_target_closed() -> None:
    source, target = full(), bare()
    with pytest.raises(Conflict, match="stays closed"):
        migrate(*sides(source, target), watch=writing(source, (4,), one_more))
    assert target.store.get(RegistryKey()).format == 0
    moved(source, target)
    assert contents(target) == contents(source)


def interrupted(source: LocalService, target: LocalService) -> None:
    """All of a migration but its last write."""
    with pytest.raises(Conflict):
        migrate(*sides(source, target), watch=writing(source, (4,), one_more))


def test_between_two_runs_the_source_may_be_used_as_ever() -> None:
    """New versions, moved pointers, another policy, a revoked token: the next run brings what differs."""
    source, target = full(), bare()
    interrupted(source, target)
    register(source, b"newer", name="fraud")
    source.promote(ask.Promote(ref="fraud#3", target=ModelStage.STAGING))
    source.promote(ask.Promote(ref="fraud#3", target=ModelStage.PRODUCTION))
    source.set_policy(ask.SetPolicy(model="Churn é 𝛼", policy={"holders": {"staging": 1}}))
    (token,) = every(source.store, TokenQuery())
    source.revoke_token(ask.RevokeToken(token=token.token_id))
    moved(source, target)
    assert contents(target) == contents(source)


def changed(service: LocalService, *records: Any) -> None:
    """Write records one revision on, around all rules, and an event of their model."""
    model = service.store.get(ModelKey("fraud"))
    head, event = append(
        model, now=service.clock.now(), actor=Actor(name="eve"), action="annotated", subject="model"
    )
    puts = [replace(each, revision=each.revision + 1) for each in records]
    store = service.store
    store.commit(
        Changes(
            puts=tuple(Put(record=each, expected=each.revision - 1) for each in (*puts, head)),
            events=(event,),
        )
    )


def test_two_versions_that_changed_places_arrive_in_each_others(tmp_path: Any) -> None:
    """Both places have room for one, and a database looks at one row after the other: neither can be written first."""
    source, target = full(), bare(SqlMetadata(tmp_path / "registry.db"))
    source.set_policy(ask.SetPolicy(model="fraud", policy={"holders": {"staging": 1, "production": 1}}))
    source.promote(ask.Promote(ref="fraud#3", target=ModelStage.STAGING))
    interrupted(source, target)
    one, other = source.get_version("fraud#2"), source.get_version("fraud#3")
    assert (one.stage, other.stage) == (ModelStage.PRODUCTION, ModelStage.STAGING)
    changed(source, replace(one, stage=ModelStage.ARCHIVED))
    changed(source, replace(other, stage=ModelStage.PRODUCTION))
    changed(source, replace(source.get_version("fraud#2"), stage=ModelStage.STAGING))
    moved(source, target)
    assert [target.get_version(f"fraud#{n}").stage.value for n in (2, 3)] == ["staging", "production"]
    target.store.close()


def test_what_the_source_dropped_meanwhile_goes() -> None:
    source, target = full(), bare()
    interrupted(source, target)
    blob = next(iter(source.blobs.list())).digest
    row = source.store.get(BlobKey(blob))
    source.store.commit(Changes(drops=(Drop(key=BlobKey(blob), expected=row.revision),)))
    moved(source, target)
    assert target.store.get(BlobKey(blob)) is None


# --- what is refused --------------------------------------------------------------------------------------------------


def test_there_has_to_be_a_whole_registry_at_the_source() -> None:
    with pytest.raises(NotFound):
        moved(bare(), bare())
    source, target = full(), bare()
    interrupted(source, target)
    with pytest.raises(NotAllowed, match="has not ended"):
        moved(target, bare())
    closed = target.store.get(RegistryKey())
    lonely = bare()
    lonely.store.commit(Changes(puts=(Put(record=closed, expected=0),)))
    with pytest.raises(NotAllowed, match="target of a migration that"):
        moved(lonely, bare())


@pytest.mark.parametrize("work", [moved, lambda a, b: look(*sides(a, b), watch=silent)])
def test_a_target_that_holds_something_else_is_left_alone(work: Any) -> None:
    target = introduced(bare(), "another")
    register(target, b"theirs", name="theirs")
    before = contents(target)
    with pytest.raises(AlreadyExists, match="of its own"):
        work(full(), target)
    assert contents(target) == before
    lonely = bare()
    lonely.store.commit(Changes(events=(target.store.events(0, 1)[0].event,)))
    with pytest.raises(AlreadyExists, match="event"):
        work(full(), lonely)


def test_a_target_that_another_registry_is_on_its_way_to_is_left_alone() -> None:
    source, target = full(), bare()
    interrupted(source, target)
    other = introduced(bare(), "another")
    with pytest.raises(AlreadyExists, match="migration from here"):
        moved(other, target)


def test_a_target_that_went_its_own_way_is_left_alone() -> None:
    source = full()
    target = bare(clock=source.clock)
    moved(source, target)
    register(target, b"later", name="fraud")
    register(target, b"theirs", name="theirs")
    before = contents(target)
    with pytest.raises(AlreadyExists, match="differ by now"):
        moved(source, target)
    found = look(*sides(source, target), watch=silent)
    assert found.missing > 0
    assert contents(target) == before


@pytest.mark.parametrize("events", [True, False])
def test_somebody_elses_writing_to_the_target_is_noticed(events: bool) -> None:
    source, target = full(), bare()
    interrupted(source, target)
    if events:
        _, event = append(
            Registry(registry_id="x", format=1, created_at=source.clock.now()),
            now=source.clock.now(),
            actor=Actor(name="eve"),
            action="annotated",
            subject="registry",
        )
        target.store.commit(Changes(events=(replace(event, sequence=90),)))
    else:
        model = target.store.get(ModelKey("fraud"))
        put = Put(record=replace(model, name="zz", key="zz", slug="zz"), expected=0)
        target.store.commit(Changes(puts=(put,), arriving=True))
    with pytest.raises(Conflict, match="somebody else writes"):
        moved(source, target)
    assert target.store.get(RegistryKey()).format == 0


def test_two_runs_at_once_do_no_harm_and_one_of_them_says_so() -> None:
    """The other one ends it between this one's last look and its last write."""
    source, target = full(), bare()

    def other(_: LocalService) -> None:
        moved(source, target)

    with pytest.raises(Conflict, match="somebody else ended"):
        migrate(*sides(source, target), watch=writing(source, (4,), other))
    assert contents(target) == contents(source)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_run_that_another_one_overtook_takes_nothing_from_those_who_use_the_target(step: int) -> None:
    """Between two of its steps the other run ends the migration, and people begin to work with the target."""
    source = full()
    target = bare(clock=source.clock)
    in_use: list[object] = []

    def other(_: LocalService) -> None:
        moved(source, target)
        target.create_token(ask.CreateToken(name="fresh", grants=(Grant(role="writer", models="fraud"),)))
        target.put_blob([b"on its way"])
        register(target, b"brand new", name="new-model")
        in_use.append(contents(target))

    with pytest.raises(Conflict, match="somebody else ended"):
        migrate(*sides(source, target), watch=writing(source, (step,), other))
    assert [contents(target)] == in_use
    assert target.check(ask.Check(deep=True)).ok


def test_a_run_that_another_one_overtook_does_not_say_that_the_target_should_be_emptied() -> None:
    source, target = full(), bare()

    def other(_: LocalService) -> None:
        moved(source, target)
        model = target.store.get(ModelKey("fraud"))
        put = Put(record=replace(model, name="zz", key="zz", slug="zz"), expected=0)
        target.store.commit(Changes(puts=(put,), arriving=True))

    with pytest.raises(Conflict, match="somebody else ended"):
        migrate(*sides(source, target), watch=writing(source, (1,), other))


def test_a_run_that_another_one_overtook_leaves_the_bytes_alone_as_well() -> None:
    source, target = full(), bare()
    digest = source.get_version("fraud#1").files[0].digest

    def other(_: LocalService) -> None:
        moved(source, target)
        lose(target, digest, b"somebody else's damage")

    with pytest.raises(Conflict, match="somebody else ended"):
        migrate(*sides(source, target), watch=writing(source, (0,), other))
    assert target.blobs.stat(digest).size == len(b"somebody else's damage")


def test_two_names_of_one_registry_are_not_taken_for_a_migration_that_ended() -> None:
    source = full()
    before = contents(source)
    again = bare(source.store, source.blobs, source.manifests, source.clock)
    with pytest.raises(InvalidInput, match="two names of one registry"):
        moved(source, again)
    assert contents(source) == before
    assert source.store.get(ReceiptKey(PROBE)) is None


def test_what_a_crash_left_of_telling_two_stores_apart_is_in_nobodys_way() -> None:
    source, target = full(), bare()
    left = Receipt(key=PROBE, request="of then", result={}, at=source.clock.now(), revision=3)
    for service in (source, target):
        service.store.commit(Changes(puts=(Put(record=left, expected=0),), arriving=True))
    assert moved(source, target).done
    assert moved(source, target).missing == 0
    assert target.store.get(ReceiptKey(PROBE)) is None


# --- damage -----------------------------------------------------------------------------------------------------------


def test_a_history_that_does_not_hold_is_not_let_in() -> None:
    source, target = full(), bare()
    place, found = next(
        (place, each) for place, each in enumerate(source.store._log) if fold(each.event.model) == "fraud"
    )
    source.store._log[place] = replace(found, event=replace(found.event, reason="forged"))
    with pytest.raises(AuditBroken) as error:
        moved(source, target)
    assert error.value.data["model"] == "fraud"
    assert target.store.get(RegistryKey()).format == 0


def test_a_hole_in_the_log_is_damage_and_not_closed() -> None:
    source = full()
    source.store._log[3:] = [
        Positioned(position=each.position + 1, event=each.event) for each in source.store._log[3:]
    ]
    with pytest.raises(IntegrityError, match="position 4"):
        moved(source, bare())


def lose(service: LocalService, digest: str, data: bytes | None = None) -> None:
    _, at = service.blobs._kept.pop(digest.removeprefix("sha256:"))
    if data is not None:
        service.blobs._kept[digest.removeprefix("sha256:")] = (data, at)


@pytest.mark.parametrize("data", [None, b"other bytes"])
def test_bytes_that_the_source_cannot_give_are_named_and_the_rest_is_moved(data: bytes | None) -> None:
    source, target = full(), bare()
    digest = source.get_version("Churn é 𝛼#1").files[0].digest
    good = contents(source)
    lose(source, digest, data)
    with pytest.raises(IntegrityError, match="1 in all") as error:
        moved(source, target)
    assert digest in error.value.reasons[0]
    assert "Churn é 𝛼" in error.value.reasons[0]
    assert target.store.get(RegistryKey()).format == 0
    if data is not None:
        lose(source, digest)
    source.put_blob([b"churn"])
    moved(source, target)
    assert contents(target) == good


def test_bytes_that_no_version_needs_may_be_missing() -> None:
    """Nobody could ever ask for them: an upload that was given up, or one that is being collected this moment."""
    source, target = full(), bare()
    at = source.clock.now()
    row = replace(source.store.get(BlobKey(next(iter(source.blobs.list())).digest)), touched_at=at)
    for letter, state in (("a", "live"), ("b", "deleting")):
        lost = replace(row, digest="sha256:" + letter * 64, state=state, revision=1)
        source.store.commit(Changes(puts=(Put(record=lost, expected=0),)))
    assert moved(source, target).done


def test_bytes_that_are_collected_while_they_are_copied_are_no_loss() -> None:
    source, target = full(), bare()
    digest = source.put_blob([b"short-lived"]).digest
    row = replace(
        source.store.get(BlobKey(next(iter(source.blobs.list())).digest)), digest=digest, revision=1
    )
    source.store.commit(Changes(puts=(Put(record=row, expected=0),)))

    class Collected(MemoryBlobs):
        def stat(self, wanted: str) -> Any:
            if wanted == digest and source.store.get(BlobKey(digest)) is not None:
                source.store.commit(Changes(drops=(Drop(key=BlobKey(digest), expected=1),)))
                lose(source, digest)
            return super().stat(wanted)

    target = bare(blobs=Collected())
    moved(source, target)
    assert contents(target) == contents(source)


def test_bytes_in_the_target_that_are_too_few_are_put_aside_and_brought_again() -> None:
    source, target = full(), bare()
    digest = source.get_version("fraud#1").files[0].digest
    target.put_blob([b"fraud 1"])
    lose(target, digest, b"fr")
    moved(source, target)
    assert contents(target) == contents(source)


@pytest.mark.parametrize("deep", [True, False])
def test_damaged_bytes_in_the_target_are_found_at_the_end(deep: bool) -> None:
    source, target = full(), bare()
    digest = source.get_version("fraud#1").files[0].digest
    target.put_blob([b"fraud 1"])
    lose(target, digest, b"fraud X")
    with pytest.raises(BlobDamaged):
        moved(source, target, deep=deep)
    assert target.store.get(RegistryKey()).format == 0


def test_of_many_blobs_some_are_read_again_and_not_too_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration_bytes, "SAMPLE", 3)
    source = full()
    assert moved(source, bare()).read_again == 3
    assert moved(source, bare(), deep=True).read_again == 5
    monkeypatch.setattr(migration_bytes, "SAMPLE_BYTES", 0)
    assert moved(source, bare()).read_again == 0


def test_a_sample_of_many_blobs_is_as_large_as_it_may_be() -> None:
    rows = [(f"sha256:{number:064x}", 1) for number in range(2000)]
    found = migration_bytes._some(rows)
    assert len(found) == len(set(found)) == migration_bytes.SAMPLE
    assert set(found) <= set(rows)


def test_files_are_handed_over_as_files(tmp_path: Any) -> None:
    from modelyard.adapters.blobs.local import LocalBlobs

    told: list[int] = []
    source = full(bare(blobs=LocalBlobs(tmp_path)))
    target = bare()

    def watch(title: str, total: int) -> Any:
        assert (total > 0) == (title == "bytes")
        return told.append if title == "bytes" else lambda _count: None

    outcome = migrate(*sides(source, target), watch=watch)
    assert contents(target) == contents(source)
    assert sum(told) == outcome.walks * outcome.size
