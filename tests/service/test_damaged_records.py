"""Records that another program has changed: noticed, named, and never made worse."""

import pytest

from modelyard.domain.errors import InvalidRef, NotAllowed
from modelyard.domain.records import ModelStage
from modelyard.ports.metadata import BlobKey, NumberKey, ReceiptKey, VersionKey
from modelyard.ports.service import Check, Collect, Delete, Promote, RollBack, SetAlias
from modelyard.service import manifests, promotion

from .shelf import WEIGHTS, change, make, row

PRODUCTION = ModelStage.PRODUCTION


def findings(service, **request):
    return [(f.kind, f.subject) for f in service.check(Check(**request)).findings]


def forget(service, version):
    """Take a version's record out of the store altogether."""
    store = service.store
    for key in (NumberKey("fraud", version.number), VersionKey(version.model_id)):
        store._aliases.pop(key, None)
        store._records.pop(key, None)


def test_a_sound_registry_has_no_findings(service):
    make(service, WEIGHTS, stage=PRODUCTION, alias="champion")
    assert findings(service, deep=True) == []


def test_an_alias_that_its_version_does_not_know_is_found(service):
    change(service, make(service, alias="champion"), aliases=())
    assert findings(service) == [("pointer", "fraud alias:champion")]


def test_a_holder_that_says_otherwise_is_found(service):
    change(service, make(service, stage=PRODUCTION), stage=ModelStage.DEVELOPMENT)
    assert findings(service) == [("pointer", "fraud stage:production")]


def test_a_wrong_latest_is_found(service):
    make(service)
    second = make(service)
    change(service, service.get_model("fraud"), latest=None)
    (found,) = service.check(Check()).findings
    assert (found.kind, found.subject) == ("pointer", "fraud@latest")
    assert second.model_id in found.detail


def test_frozen_facts_that_changed_are_found(service):
    change(service, make(service, WEIGHTS), hyperparams={"evil": 1})
    assert findings(service, repair=True) == [("manifest", "fraud:0.1.0")]


def test_a_file_without_a_live_row_is_found(service):
    made = make(service, WEIGHTS)
    change(service, row(service, made.files[0].digest), state="deleted")
    assert findings(service) == [("missing", "fraud:0.1.0/m")]
    del service.store._records[BlobKey(made.files[0].digest)]
    assert findings(service) == [("missing", "fraud:0.1.0/m")]


def test_a_collected_version_misses_nothing(service):
    make(service, WEIGHTS)
    service.delete(Delete(ref="fraud"))
    service.clock.advance(days=8)
    service.collect(Collect(dry_run=False))
    assert service.blobs.stat(make(service, b"other").files[0].digest) is not None
    assert findings(service) == []


def test_a_holder_that_is_gone_stops_a_promotion_and_points_to_fsck(service):
    held = make(service, stage=PRODUCTION)
    make(service)
    forget(service, held)
    with pytest.raises(NotAllowed, match="run `fsck`"):
        service.promote(Promote(ref="fraud#2", target=PRODUCTION))
    with pytest.raises(NotAllowed, match="names nothing"):
        service.roll_back(RollBack(ref="fraud"))


def test_an_alias_to_nowhere_is_told_as_it_is(service):
    made = make(service, alias="champion")
    make(service)
    forget(service, made)
    assert service.status("fraud").aliases["champion"]["version"] == "?"
    with pytest.raises(Exception, match="#1, not by nobody"):
        service.set_alias(SetAlias(model="fraud", alias="champion", ref="#2", expected=""))


def test_a_pointer_and_a_version_that_disagree_for_good_are_not_asked_for_ever(service):
    made = make(service, alias="champion")
    change(service, made, aliases=())
    assert service.get_version("fraud@champion").number == 1


def test_a_latest_that_was_deleted_behind_its_back_is_an_error_and_no_loop(service):
    change(service, make(service), deleted_at=service.clock.now())
    with pytest.raises(LookupError, match="deleted"):
        service.get_version("fraud")


def test_a_lineage_ends_where_its_records_do(service):
    first = make(service)
    second = make(service, parent=first.model_id)
    change(service, first, parent=second.model_id)
    assert [v.number for v in service.lineage("fraud#2")] == [1, 2]
    change(service, first, parent="01j9zzzzzzzzzzzzzzzzzzzzzz")
    assert [v.number for v in service.lineage("fraud#2")] == [1, 2]


def test_a_digest_that_two_records_claim_is_no_reference(service):
    first, second = make(service), make(service)
    change(service, second, digest=first.digest)
    with pytest.raises(InvalidRef, match=r"fraud:0\.1\.1, fraud:0\.1\.0"):
        service.get_version(first.digest)


def test_a_version_whose_scan_got_worse_is_not_gone_back_to(service):
    for _ in range(2):
        make(service, WEIGHTS, stage=PRODUCTION)
    first = service.get_version("fraud#1")
    unsafe = {path: type(report)(verdict="unsafe") for path, report in first.scans.items()}
    change(service, first, scans=unsafe)
    plan = service.roll_back(RollBack(ref="fraud", drill=True))
    assert plan.considered[0].reasons == ("its scan says unsafe",)


def test_damage_names_each_file(service):
    made = make(service, WEIGHTS)
    service.blobs.delete(made.files[0].digest)
    (said,) = promotion.damage(service, made)
    assert said.startswith("m: ")


def test_a_live_version_whose_event_is_gone_has_no_decision(service):
    make(service, stage=PRODUCTION)
    service.store._log = []
    status = service.status("fraud")
    assert (status.live.number, status.since, status.by) == (1, None, "")


def test_a_status_whose_rollback_cannot_be_planned_says_why(service, monkeypatch):
    make(service, stage=PRODUCTION)
    live = service.get_version("fraud")
    real, asked = service.store.get, []

    def get(key):
        if key == NumberKey("fraud", live.number):
            asked.append(key)
        return None if key == NumberKey("fraud", live.number) and len(asked) > 1 else real(key)

    monkeypatch.setattr(service.store, "get", get)
    status = service.status("fraud")
    assert (status.undo, "names nothing" in status.undo_note) == (None, True)


def test_a_cursor_that_another_process_moved_is_left_alone(service):
    make(service, WEIGHTS)
    assert manifests.drain(service) == 1
    receipt = service.store.get(ReceiptKey(manifests.CURSOR))
    manifests._remember(service, None, 99)
    assert service.store.get(ReceiptKey(manifests.CURSOR)) == receipt
    assert manifests.drain(service) == 0
