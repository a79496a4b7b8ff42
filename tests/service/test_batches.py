"""What a batch sees of itself while it is decided, and what it does when the registry is in trouble."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelyard.domain.errors import BlobNotFound, ModelyardError, QuotaExceeded, StorageError
from modelyard.domain.query import parse
from modelyard.domain.quota import Quotas
from modelyard.domain.records import FileEntry, ModelStage
from modelyard.ports.metadata import MoveQuery, SourceQuery, TallyQuery, VersionKey, VersionQuery
from modelyard.ports.service import CreateVersion, CreateVersions, SetAlias
from modelyard.service import versions
from modelyard.service.pending import Pending

from .shelf import WEIGHTS, change, gone, row


def made(service, *entries):
    return service.create_versions(CreateVersions(versions=entries))


def pending_of(service, *entries):
    """What is stored, with these registrations laid over it."""
    pending = Pending(service.store)
    view = service.over(pending, service.blobs)
    for entry in entries:
        work = versions.begin(view, entry)
        work.edges = versions.origins(view, work)
        pending.take(versions.decide(view, work)[1])
    return pending


def found(pending, text="", **facts):
    query = parse(text)
    page = pending.find(VersionQuery(where=query.where, order=query.order, limit=1, **facts))
    return [(version.name, version.number) for version in page.items]


def test_refs_of_every_kind_find_what_the_batch_made(service):
    made(service, CreateVersion(name="fraud", version="1.0.0", alias="champion"))
    first, second, *others = made(
        service,
        CreateVersion(name="fraud", version="1.1.0", alias="champion"),
        CreateVersion(name="churn", parent="fraud:^1"),
        CreateVersion(name="churn", parent="fraud@champion~1"),
        CreateVersion(name="churn", parent="fraud#2"),
        CreateVersion(name="churn", parent="fraud"),
    )
    parents = [service.get_version(one.model_id).parent for one in (second, *others)]
    assert parents == [
        first.model_id,
        service.get_version("fraud#1").model_id,
        first.model_id,
        first.model_id,
    ]


def test_a_late_fix_is_held_against_its_predecessor_in_the_batch(service):
    wide, narrow = ({"inputs": [{"name": name, "type": "double"}]} for name in ("a", "b"))
    told = made(
        service,
        CreateVersion(name="fraud", version="1.0.0", signature=wide),
        CreateVersion(name="fraud", version="2.0.0", signature=narrow),
        CreateVersion(name="fraud", version="1.0.1", signature=narrow),
    )
    assert "from 1.0.0 to 1.0.1" in told[2].warnings[0]


def test_versions_are_found_as_they_will_be(service):
    made(service, CreateVersion(name="fraud", alias="champion"), CreateVersion(name="churn"))
    pending = pending_of(
        service,
        CreateVersion(name="fraud", tags={"team": "risk"}, alias="champion", metrics={"accuracy": 0.5}),
        CreateVersion(name="fraud", metrics={"accuracy": 0.7}, stage=ModelStage.STAGING),
    )
    assert found(pending, model_key="fraud") == [("fraud", 3), ("fraud", 2), ("fraud", 1)]
    assert found(pending, "alias = 'champion'") == [("fraud", 2)]
    assert found(pending, "tags.team = 'risk'", deleted=None) == [("fraud", 2)]
    assert found(pending, deleted=True) == []
    ordered = found(pending, "order by metrics.accuracy desc, name")
    assert ordered == [("fraud", 3), ("fraud", 2), ("churn", 1), ("fraud", 1)]
    digest = next(record.digest for record in pending._versions().values() if record.number == 3)
    assert found(pending, digest=digest) == [("fraud", 3)]


def test_where_nothing_is_pending_the_store_answers(service):
    made(service, CreateVersion(name="fraud"), CreateVersion(name="fraud"))
    pending = Pending(service.store)
    assert pending.draft() is None
    assert found(pending) == [("fraud", 2)]  # a page of one, as asked
    assert pending.find(SourceQuery()).items == ()
    assert pending.get(VersionKey("nobody")) is None


def test_moves_of_the_batch_are_the_newest(service, clock):
    made(service, CreateVersion(name="fraud", alias="champion"))
    middle = clock.now()
    clock.advance(seconds=60)
    made(service, CreateVersion(name="churn", alias="champion"))
    pending = pending_of(service, CreateVersion(name="fraud", alias="champion"))
    query = MoveQuery(model_key="fraud", pointer="alias:champion", limit=1)
    assert [move.number for move in pending.find(query).items] == [2, 1]
    assert [move.number for move in pending.find(replace(query, until=middle)).items] == [1]
    service.set_alias(SetAlias(model="fraud", alias="champion", ref="fraud#1"))
    service.create_version(CreateVersion(name="fraud", alias="champion"))
    after = service.store.find(query).next
    assert pending.find(replace(query, after=after)) == service.store.find(replace(query, after=after))


def test_a_disk_that_refuses_is_not_about_an_entry(service, store, monkeypatch):
    def refuse(key):
        raise StorageError("the disk is gone")

    monkeypatch.setattr(store, "get", refuse)
    with pytest.raises(StorageError, match=r"^the disk is gone$") as caught:
        made(service, CreateVersion(name="fraud"))
    assert "entry" not in caught.value.data


def test_quotas_count_what_the_batch_takes(service):
    info = service.put_blob([b"x" * 100])
    other = service.put_blob([b"y" * 100])
    files = [(FileEntry(path="m", size=100, digest=one.digest),) for one in (info, other)]
    for quotas, entries in (
        (Quotas(models=1), [CreateVersion(name="fraud"), CreateVersion(name="churn")]),
        (Quotas(versions_per_model=1), [CreateVersion(name="fraud"), CreateVersion(name="fraud")]),
        (Quotas(bytes_per_namespace=150), [CreateVersion(name="a/b", files=f) for f in files]),
        (Quotas(bytes_stored=150), [CreateVersion(name="fraud", files=f) for f in files]),
    ):
        service.quotas = quotas
        with pytest.raises(QuotaExceeded) as caught:
            made(service, *entries)
        assert caught.value.data["entry"] == 2
        assert not service.store.find(VersionQuery()).items


def test_a_removal_that_was_cut_off_is_finished_for_a_batch_too(service):
    digest = gone(service)
    change(service, row(service, digest), state="deleting")
    files = (FileEntry(path="m", size=len(WEIGHTS), digest=digest),)
    entries = [CreateVersion(name="new", files=files), CreateVersion(name="new", files=files)]
    with pytest.raises(BlobNotFound, match=r"entry 1 .*upload"):
        made(service, *entries)
    assert row(service, digest).state == "deleted"
    service.put_blob([WEIGHTS])
    assert [one.number for one in made(service, *entries)] == [1, 2]
    assert row(service, digest).state == "live"


def file_of(service, data):
    info = service.put_blob([data])
    return (FileEntry(path="m", size=info.size, digest=info.digest),)


def counted(monkeypatch, target, name, note):
    """Call ``note`` with what a real method is given, each time it is called."""
    real = getattr(target, name)

    def method(*given, **named):
        note(*given)
        return real(*given, **named)

    monkeypatch.setattr(target, name, method)


def test_bytes_are_judged_once_and_before_others_have_to_wait(service, monkeypatch):
    order = []
    counted(monkeypatch, service.scanner, "scan", lambda stream: order.append("scan"))
    counted(monkeypatch, service, "decide", lambda step: order.append("decide"))
    shared, other = file_of(service, b"x"), file_of(service, b"yy")
    made(service, *(CreateVersion(name="fraud", files=files) for files in (shared, other, shared)))
    assert order == ["scan", "scan", "decide"]
    made(service, CreateVersion(name="fraud", files=shared))
    assert order == ["scan", "scan", "decide", "decide"]


def test_a_digest_of_no_form_is_refused_by_entry(service):
    files = (FileEntry(path="m", size=1, digest="md5:1"),)
    with pytest.raises(ModelyardError, match="entry 2 ") as caught:
        made(service, CreateVersion(name="fraud"), CreateVersion(name="fraud", files=files))
    assert caught.value.data["entry"] == 2


def test_what_is_stored_is_counted_once_for_a_batch(service, store, monkeypatch):
    asked = []
    counted(monkeypatch, store, "find", lambda query: isinstance(query, TallyQuery) and asked.append(query))
    service.quotas = Quotas(models=9, versions_per_model=9, bytes_per_namespace=900, bytes_stored=900)
    files = [file_of(service, bytes([n])) for n in range(8)]
    made(service, *(CreateVersion(name=f"a/{n % 2}", files=files[n]) for n in range(8)))
    assert len(asked) == len(set(asked)) == 5  # models, two of them, the namespace, all bytes
