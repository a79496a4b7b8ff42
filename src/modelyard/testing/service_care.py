"""Deleting, retention, collection, checking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from modelyard.domain.errors import (
    AlreadyExists,
    InvalidInput,
    Protected,
    VersionNotFound,
)
from modelyard.domain.records import ModelStage
from modelyard.ports import service as ask
from modelyard.ports.service import RegistryService
from modelyard.testing.clock import SettableClock
from modelyard.testing.service_room import ARCHIVED, HARMLESS, PRODUCTION, STAGING, ServiceRoom


class Deleting(ServiceRoom):
    """``delete``, ``undelete``, ``retire``."""

    def test_deleting_hides_and_undeleting_restores(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        made = self.make(service, data=HARMLESS)
        gone = service.delete(ask.Delete(ref="fraud", reason="no use"))
        assert gone.deleted_at == clock.now()
        assert service.search(ask.Search()).items == ()
        assert [v.model_id for v in service.search(ask.Search(deleted=True)).items] == [made.model_id]
        with self.refused(service, VersionNotFound, "undelete"):
            service.get_version(made.model_id)
        assert service.undelete("fraud#1").deleted_at is None
        assert service.get_version("fraud").model_id == made.model_id
        assert [e.action for e in self.log(service)[1:]] == ["version.deleted", "version.undeleted"]

    def test_numbers_of_deleted_versions_are_never_given_again(self, service: RegistryService) -> None:
        for expected in (1, 2, 3):
            made = self.make(service)
            assert made.number == expected
            service.delete(ask.Delete(ref=made.model_id))

    @pytest.mark.parametrize("pointer", ["alias", "production", "hold"])
    def test_what_something_points_at_is_protected(self, service: RegistryService, pointer: str) -> None:
        self.make(service)
        ways: dict[str, Callable[[], object]] = {
            "alias": lambda: self.alias(service, "#1"),
            "production": lambda: self.move(service, "fraud", PRODUCTION),
            "hold": lambda: service.annotate(ask.Annotate(ref="fraud", legal_hold="case 7")),
        }
        ways[pointer]()
        for options in ({}, {"force": True}, {"reason": "x"}):
            with self.refused(service, Protected) as caught:
                service.delete(ask.Delete(ref="fraud", **options))
            assert pointer in caught.value.reasons[0]
        service.delete(ask.Delete(ref="fraud", force=True, reason="court order"))
        model = service.get_model("fraud")
        assert (model.aliases, dict(model.holders).get("production", ())) == ({}, ())

    def test_undeleting_into_a_taken_stage_gives_a_deprecated_version(self, service: RegistryService) -> None:
        self.live(service)
        service.delete(ask.Delete(ref="fraud", force=True, reason="x"))
        self.live(service)
        assert service.undelete("fraud#1").stage is ModelStage.DEPRECATED
        assert service.get_model("fraud").holders["production"] == (2,)

    def test_undeleting_is_no_way_into_production(self, service: RegistryService) -> None:
        self.live(service)
        service.delete(ask.Delete(ref="fraud", force=True, reason="x"))
        assert service.undelete("fraud#1").stage is ModelStage.DEPRECATED
        assert "production" not in service.get_model("fraud").holders

    def test_undeleting_passes_no_gate_of_a_lower_stage(self, service: RegistryService) -> None:
        for name in ("open", "gated"):
            self.make(service, name)
            service.promote(ask.Promote(ref=name, target=ModelStage.STAGING))
            service.delete(ask.Delete(ref=name))
        policy = {"gates": {"staging": {"tests_passed": True}}}
        service.set_policy(ask.SetPolicy(model="gated", policy=policy))
        assert service.undelete("open#1").stage is ModelStage.STAGING
        assert service.undelete("gated#1").stage is ModelStage.DEVELOPMENT

    def test_undeleting_what_is_there_writes_nothing(self, service: RegistryService) -> None:
        self.make(service)
        before = self.snapshot(service)
        assert service.undelete("fraud#1").number == 1
        assert self.snapshot(service) == before

    def test_retention_deletes_exactly_what_its_preview_lists(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        for text in (b"a", b"bb", b"ccc", b"dddd"):
            self.make(service, data=text)
        for number in (1, 2, 3):
            self.move(service, f"fraud#{number}", ARCHIVED)
            clock.advance(days=10)
        clock.advance(days=11)
        service.annotate(ask.Annotate(ref="fraud#1", legal_hold="case"))
        preview = service.retire(ask.Retire(dry_run=True))
        assert ([v.number for v in preview.versions], preview.size) == ([2], 2)
        run = service.retire(ask.Retire())
        assert [v.model_id for v in run.versions] == [v.model_id for v in preview.versions]
        assert (run.size, run.kept) == (preview.size, ())
        assert self.log(service)[-1].reason == "past its retention"

    @pytest.mark.parametrize(("days", "gone"), [(0, [1, 2]), (15, [1]), (None, []), (100, [])])
    def test_retention_may_be_given_or_is_the_policys(
        self, service: RegistryService, clock: SettableClock, days: int | None, gone: list[int]
    ) -> None:
        for number in (1, 2):
            self.make(service)
            self.move(service, f"fraud#{number}", ARCHIVED)
            clock.advance(days=10)
        self.make(service, "other")
        found = service.retire(ask.Retire(older_than_days=days, model="fraud", dry_run=True))
        assert [v.number for v in found.versions] == gone


class Collecting(ServiceRoom):
    """``collect`` and ``check``. Deleted versions count by the service's clock, stray uploads by the store's."""

    def gone(self, service: RegistryService, clock: SettableClock, data: bytes = HARMLESS) -> str:
        """A deleted version; returns the digest of its bytes."""
        made = self.make(service, data=data)
        service.delete(ask.Delete(ref=made.model_id))
        return made.files[0].digest

    def test_bytes_go_when_nothing_names_them_and_the_grace_is_over(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        digest = self.gone(service, clock)
        clock.advance(days=6)
        assert service.collect(ask.Collect(dry_run=False)).blobs == ()
        clock.advance(days=2)
        preview = service.collect(ask.Collect())
        assert list(self.blob_list(service)) == [digest]
        run = service.collect(ask.Collect(dry_run=False))
        assert replace(preview, dry_run=False) == run
        assert (run.blobs, run.freed, list(self.blob_list(service))) == ((digest,), len(HARMLESS), [])
        assert service.stats().blobs == 0

    def test_a_second_collection_has_nothing_to_do_and_says_nothing(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        self.gone(service, clock)
        clock.advance(days=8)
        service.collect(ask.Collect(dry_run=False))
        own = self.log(service, "")
        assert own[-1].action == "registry.collected"
        assert service.collect(ask.Collect(dry_run=False)).blobs == ()
        assert self.log(service, "") == own

    def test_a_tombstone_stays_for_number_and_label(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        self.gone(service, clock)
        clock.advance(days=8)
        service.collect(ask.Collect(dry_run=False))
        with self.refused(service, VersionNotFound, "collected"):
            service.get_version("fraud#1")
        with self.refused(service, VersionNotFound, "gone"):
            service.undelete("fraud#1")
        with self.refused(service, AlreadyExists):
            self.make(service, version="0.1.0")
        assert self.make(service).number == 2

    def test_bytes_that_another_version_names_stay(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        digest = self.gone(service, clock)
        keeper = self.make(service, "other", data=HARMLESS)
        clock.advance(days=8)
        preview = service.collect(ask.Collect())
        run = service.collect(ask.Collect(dry_run=False))
        assert preview.blobs == run.blobs == ()
        assert len(run.versions) == 1
        assert b"".join(service.open_blob(digest)) == HARMLESS
        assert service.get_version(keeper.model_id) == keeper

    def test_registering_the_same_bytes_again_restarts_the_grace(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        self.gone(service, clock)
        clock.advance(days=8)
        last = self.make(service, data=HARMLESS)
        service.delete(ask.Delete(ref=last.model_id))
        assert service.collect(ask.Collect(dry_run=False)).blobs == ()
        clock.advance(days=8)
        assert len(service.collect(ask.Collect(dry_run=False)).blobs) == 1

    def test_collected_bytes_may_come_back_under_a_new_label(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        digest = self.gone(service, clock)
        clock.advance(days=8)
        service.collect(ask.Collect(dry_run=False))
        assert not service.has_blob(digest)
        made = self.make(service, data=HARMLESS)
        assert service.has_blob(digest)
        clock.advance(days=20)
        assert service.collect(ask.Collect(dry_run=False)).blobs == ()
        assert b"".join(service.open_blob(made.files[0].digest)) == HARMLESS

    def test_a_deleted_version_keeps_its_bytes_through_the_grace(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        digest = self.gone(service, clock)
        clock.advance(days=6.9)
        service.collect(ask.Collect(dry_run=False))
        service.undelete("fraud#1")
        clock.advance(days=30)
        assert service.collect(ask.Collect(dry_run=False)).blobs == ()
        assert b"".join(service.open_blob(digest)) == HARMLESS

    def test_what_is_under_a_legal_hold_is_never_collected(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        made = self.make(service, data=HARMLESS)
        service.annotate(ask.Annotate(ref="fraud", legal_hold="case 7"))
        service.delete(ask.Delete(ref="fraud", force=True, reason="by mistake"))
        clock.advance(days=400)
        assert service.collect(ask.Collect()).versions == ()
        assert service.collect(ask.Collect(dry_run=False)).blobs == ()
        assert service.undelete(made.model_id).legal_hold == "case 7"

    def test_uploads_that_were_never_registered_go_after_the_grace(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        stray = self.file(service, b"never registered")
        clock.set(datetime.now(UTC) + timedelta(days=6))
        assert service.collect(ask.Collect()).blobs == ()
        service.collect(ask.Collect(dry_run=False))
        assert service.has_blob(stray.digest)
        clock.advance(days=2)
        assert service.collect(ask.Collect()).blobs == (stray.digest,)
        assert service.collect(ask.Collect(dry_run=False)).freed == stray.size
        assert list(self.blob_list(service)) == []

    def test_a_collection_in_the_long_run_buries_its_tombstones(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        self.gone(service, clock)
        for _ in range(3):
            clock.advance(days=8)
            service.collect(ask.Collect(dry_run=False))
        assert self.make(service, data=HARMLESS).number == 2

    def test_a_negative_grace_is_refused(self, service: RegistryService) -> None:
        with self.refused(service, InvalidInput, "grace_days"):
            service.collect(ask.Collect(grace_days=-1))

    def test_a_sound_registry_has_no_findings(self, service: RegistryService, clock: SettableClock) -> None:
        self.live(service, data=HARMLESS)
        self.alias(service, "#1")
        self.make(service, data=b"two")
        self.move(service, "fraud#2", STAGING)
        self.gone(service, clock, b"three")
        for deep in (False, True):
            found = service.check(ask.Check(deep=deep))
            assert (found.findings, found.ok) == ((), True)
            assert (found.versions, found.blobs, found.deep) == (3, 3, deep)

    @pytest.mark.parametrize(
        ("data", "deep", "kind"),
        [(b"short", False, "damaged"), (None, False, "missing"), (HARMLESS[::-1], True, "damaged")],
        ids=["another size", "missing", "another content"],
    )
    def test_damage_is_found_and_repair_only_moves_it_aside(
        self, service: RegistryService, data: bytes | None, deep: bool, kind: str
    ) -> None:
        made = self.make(service, data=HARMLESS)
        digest = made.files[0].digest
        self.damage(service, digest, data)
        before = service.export()
        done: list[int] = []
        found = service.check(ask.Check(deep=deep), done.append)
        assert [(f.kind, f.subject) for f in found.findings] == [(kind, digest)]
        assert not found.ok
        assert done == ([len(HARMLESS)] if self.follows_progress else [])
        service.check(ask.Check(deep=deep, repair=True))
        assert service.export() == before
        assert not service.has_blob(digest)
        assert self.file(service).digest == digest
        assert service.check(ask.Check(deep=True)).ok

    def test_missing_manifest_copies_are_written_by_repair(self, service: RegistryService) -> None:
        self.make(service, data=HARMLESS)
        found = service.check(ask.Check(repair=True))
        assert [(f.kind, f.repaired) for f in found.findings] == [("manifest-copy", "written")]
        assert found.ok
        assert service.check(ask.Check(repair=True)).findings == ()
