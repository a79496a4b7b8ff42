"""Reads that a commit falls between: the answer is one that was true at some moment."""

from dataclasses import replace

import pytest

from modelyard.domain.errors import Conflict, StorageError
from modelyard.domain.records import LineageEdge, ModelStage
from modelyard.ports.metadata import VersionKey
from modelyard.ports.service import Annotate, Delete, Promote, Retire, SetAlias
from modelyard.service import deletion, manifests, queries, resolve, transfer

from .shelf import WEIGHTS, change, make

PRODUCTION = ModelStage.PRODUCTION


def between(monkeypatch, service, kind, happens):
    """Let ``happens`` run just before the next read of a version by ``kind`` of key."""
    real = service.store.get

    def get(key):
        if isinstance(key, kind):
            monkeypatch.setattr(service.store, "get", real)
            happens()
        return real(key)

    monkeypatch.setattr(service.store, "get", get)


def test_a_stage_that_changes_hands_while_it_is_read_names_the_new_holder(service, monkeypatch):
    make(service, stage=PRODUCTION)
    make(service)
    move = Promote(ref="fraud#2", target=PRODUCTION)
    between(monkeypatch, service, resolve.NumberKey, lambda: service.promote(move))
    found = service.get_version("fraud@production")
    assert (found.number, found.stage) == (2, PRODUCTION)


def test_an_alias_that_moves_while_it_is_read_names_the_new_version(service, monkeypatch):
    make(service, alias="champion")
    make(service)
    move = SetAlias(model="fraud", alias="champion", ref="#2")
    between(monkeypatch, service, resolve.NumberKey, lambda: service.set_alias(move))
    found = service.get_version("fraud@champion")
    assert (found.number, found.aliases) == (2, ("champion",))


def test_a_promotion_to_where_it_just_got_still_finds_the_expected_holder_gone(service, monkeypatch):
    make(service, stage=PRODUCTION)
    make(service)
    move = Promote(ref="fraud#2", target=PRODUCTION)
    between(monkeypatch, service, VersionKey, lambda: service.promote(move))
    with pytest.raises(Conflict, match="#2"):
        service.promote(replace(move, expected="fraud#1"))


def test_a_holder_deleted_while_it_is_read_is_not_found(service, monkeypatch):
    make(service, stage=PRODUCTION)
    leave = Delete(ref="fraud#1", force=True, reason="x")
    between(monkeypatch, service, resolve.NumberKey, lambda: service.delete(leave))
    with pytest.raises(LookupError, match="no version of 'fraud' holds production"):
        service.get_version("fraud@production")


def test_a_latest_deleted_while_it_is_read_is_the_one_before(service, monkeypatch):
    make(service)
    make(service)
    between(monkeypatch, service, VersionKey, lambda: service.delete(Delete(ref="fraud#2")))
    assert service.get_version("fraud").number == 1


def test_a_status_is_asked_again_when_the_model_moved_meanwhile(service, monkeypatch):
    make(service, stage=PRODUCTION)
    make(service)
    move = Promote(ref="fraud#2", target=PRODUCTION)
    between(monkeypatch, service, resolve.NumberKey, lambda: service.promote(move))
    status = service.status("fraud")
    assert (status.live.number, status.live.stage) == (2, PRODUCTION)


def test_a_status_of_a_model_that_never_rests_is_given_in_the_end(service, monkeypatch):
    make(service, stage=PRODUCTION)
    real, rounds = queries._status, []

    def restless(inner, model):
        rounds.append(model.revision)
        service.annotate(Annotate(ref="fraud", tags={"n": str(len(rounds))}))
        return real(inner, model)

    monkeypatch.setattr(queries, "_status", restless)
    assert service.status("fraud").live.number == 1
    assert rounds == sorted(set(rounds))
    assert len(rounds) == queries.STATUS_TRIES


def test_what_becomes_protected_while_it_is_retired_is_kept_and_named(service, monkeypatch):
    made = make(service, WEIGHTS)
    service.promote(Promote(ref="fraud", target=ModelStage.ARCHIVED))
    service.clock.advance(days=100)
    real = deletion.delete

    def delete(inner, request):
        service.annotate(Annotate(ref=made.model_id, legal_hold="case 7"))
        return real(inner, request)

    monkeypatch.setattr(deletion, "delete", delete)
    done = service.retire(Retire())
    assert done.versions == ()
    assert done.kept[0].startswith("fraud:0.1.0: ")


def test_a_disk_that_refuses_only_postpones_the_manifest_copies(service, monkeypatch):
    make(service, WEIGHTS)

    def full(*given, **named):
        raise StorageError("no space left")

    put = service.manifests.put
    monkeypatch.setattr(service.manifests, "put", full)
    assert manifests.drain(service) == 0
    monkeypatch.setattr(service.manifests, "put", put)
    assert manifests.drain(service) == 1


def test_an_alias_that_came_back_to_the_same_version_made_no_move_in_between(service):
    make(service)
    make(service)
    for ref in ("#1", "#2"):
        service.set_alias(SetAlias(model="fraud", alias="champion", ref=ref))
    service.delete(Delete(ref="fraud#2", force=True, reason="x"))
    with pytest.raises(LookupError):
        service.get_version("fraud@champion")
    assert resolve._moves_back(service, service.get_model("fraud"), "alias:champion", 2) == 1


def test_a_model_that_changes_while_it_is_imported_is_decided_on_anew(service, monkeypatch):
    make(service)
    old = service.export()
    make(service)
    new = service.export()
    service.store._records.clear()
    service.store._aliases.clear()
    service.store._log.clear()
    service.import_(old)
    real = transfer._write

    def write(*given):
        service.annotate(Annotate(ref="fraud", description="meanwhile"))
        return real(*given)

    monkeypatch.setattr(transfer, "_write", write)
    done = service.import_(new)
    assert (done.models, done.versions) == ({"fraud": "renumbered"}, 1)
    assert service.get_version("fraud#1").description == "meanwhile"
    assert service.verify_audit().ok


def test_bytes_that_go_while_they_are_looked_at_are_looked_for_again(service, monkeypatch, tmp_path):
    real = service.blobs.location

    def gone(digest):
        monkeypatch.setattr(service.blobs, "location", real)
        return tmp_path / "collected"

    monkeypatch.setattr(service.blobs, "location", gone)
    assert make(service, WEIGHTS).scan == "clean"


def test_a_line_of_ancestors_ends_where_one_is_missing(service):
    made = make(service)
    parent = LineageEdge(kind="parent", target=service.clock.new_id())
    change(service, made, lineage=(parent,))
    assert [version.number for version in service.lineage("fraud#1")] == [1]
