"""Everything that is read page by page is read to its end."""

from dataclasses import replace
from datetime import timedelta

import pytest

from modelyard.domain import events, manifest
from modelyard.domain.errors import AliasNotFound
from modelyard.domain.records import Actor, Blob, ModelStage
from modelyard.ports.metadata import Changes, Put
from modelyard.ports.service import AsOf, Check, Collect, Promote, Retire, RollBack, SetPolicy
from modelyard.service import manifests, resolve

from .shelf import make

MANY = 1030
"""More than two pages of the longest that are asked for."""
PAST = ("fraud@production~1", "fraud@production~2")


@pytest.fixture
def long(service):
    """One model with ``MANY`` archived versions of one file each, the last one deleted, all with their events."""
    first = make(service, b"weights")
    model = replace(service.get_model("fraud"))
    versions, rows, log = [first], [], []
    for number in range(2, MANY + 1):
        digest = f"sha256:{number:064x}"
        entry = replace(first.files[0], digest=digest)
        version = replace(
            first,
            model_id=service.clock.new_id(),
            number=number,
            version=f"0.1.{number}",
            files=(entry,),
            stage=ModelStage.ARCHIVED,
            staged_at=first.created_at,
            digest="",
            revision=1,
        )
        versions.append(replace(version, digest=manifest.build(version).digest))
        rows.append(Blob(digest=digest, size=entry.size, touched_at=first.created_at, revision=1))
        model, event = events.append(
            model,
            now=service.clock.now(),
            actor=Actor(name="ann"),
            action="alias.set",
            subject=f"version:{number}",
            after={"alias:walker": number},
        )
        log.append(event)
    model = replace(model, last_number=MANY, revision=service.get_model("fraud").revision + 1)
    puts = [Put(record=model, expected=model.revision - 1)]
    puts += [Put(record=record, expected=0) for record in (*versions[1:], *rows)]
    service.store.commit(Changes(puts=tuple(puts), events=tuple(log)))
    return service


def test_checks_exports_and_audits_see_every_record(long):
    found = long.check(Check())
    assert (found.versions, found.blobs) == (MANY, MANY)
    assert {f.kind for f in found.findings} == {"missing", "history"}
    bundle = long.export()
    assert (len(bundle.versions), len(bundle.events)) == (MANY, MANY)
    assert long.verify_audit().events == MANY


def test_moves_are_followed_back_to_the_first(long):
    model = long.get_model("fraud")
    numbers = [move.number for move in resolve.moves_of(long, model, "alias:walker")]
    assert list(dict.fromkeys(numbers)) == list(range(MANY, 1, -1))
    assert resolve._moves_back(long, model, "alias:walker", MANY - 2) == 2
    assert resolve._moves_back(long, model, "alias:walker", 3) == MANY - 3
    with pytest.raises(AliasNotFound, match=f"has moved {MANY - 2} times"):
        resolve._moves_back(long, model, "alias:walker", MANY)
    assert long.as_of(AsOf(model="fraud", at=long.clock.now() - timedelta(days=1), pointer="walker")) is None


def test_a_range_is_looked_for_on_every_page(long):
    assert long.get_version("fraud:<0.1.2").number == 1


def test_retention_and_collection_take_all_of_them(long):
    long.clock.advance(days=100)
    preview = long.retire(Retire(dry_run=True))
    assert len(preview.versions) == MANY - 1
    gone = [replace(v, deleted_at=long.clock.now(), revision=v.revision + 1) for v in preview.versions]
    puts = tuple(Put(record=version, expected=version.revision - 1) for version in gone)
    long.store.commit(Changes(puts=puts))
    plan = long.collect(Collect(grace_days=0))
    assert (len(plan.versions), len(plan.blobs)) == (MANY - 1, MANY - 1)


def test_manifest_copies_are_drained_in_steps_and_the_rest_later(long):
    for _ in range(600):
        make(long, name="other")
    assert manifests.drain(long, limit=50) == 1
    assert manifests.drain(long, limit=600) == 0
    assert manifests.drain(long, limit=None) == 600
    assert manifests.drain(long) == 0


def test_five_hundred_models_are_not_the_last(service):
    for number in range(501):
        make(service, name=f"m{number:03}")
    assert len(service.export().models) == 501
    assert service.stats().total_models == 501


def test_the_decision_behind_many_events_is_found(service):
    for _ in range(2):
        make(service, stage=ModelStage.PRODUCTION)
    for _ in range(260):
        service.roll_back(RollBack(ref="fraud", target="#1"))
        service.roll_back(RollBack(ref="fraud", target="#2"))
    assert service.status("fraud").reason == ""
    assert service.get_version("fraud@production~519").number == 1


def test_a_pointer_that_keeps_its_newest_holder_has_not_moved(service):
    for _ in range(3):
        make(service)
    service.set_policy(SetPolicy(model="fraud", policy={"holders": {"production": 2}}))
    for number in (1, 2):
        service.promote(Promote(ref=f"fraud#{number}", target=ModelStage.PRODUCTION, keep_existing=True))
    service.promote(Promote(ref="fraud#1", target=ModelStage.DEPRECATED))
    service.promote(Promote(ref="fraud#3", target=ModelStage.PRODUCTION, keep_existing=True))
    numbers = [service.get_version(ref).number for ref in ("fraud@production", *PAST)]
    assert numbers == [3, 2, 1]
