"""Whole models out of one registry and into another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from modelyard.domain import manifest
from modelyard.domain.errors import (
    AuditBroken,
    BlobNotFound,
    IntegrityError,
    InvalidPath,
)
from modelyard.domain.records import Event, FileEntry
from modelyard.ports import service as ask
from modelyard.ports.service import Bundle, RegistryService
from modelyard.testing.clock import SettableClock
from modelyard.testing.service_moves import UNSAFE
from modelyard.testing.service_room import ServiceRoom, digest_of


class Carrying(ServiceRoom):
    """``export`` and ``import_``."""

    def furnish(self, service: RegistryService) -> None:
        """A model with a past: two live ones, one deleted, an alias, a policy."""
        self.live(service, data=b"one", metrics={"accuracy": 0.9})
        self.live(service, data=b"two", metrics={"accuracy": 0.95})
        self.make(service, data=b"three")
        service.delete(ask.Delete(ref="fraud#3"))
        self.alias(service, "#2")
        service.set_policy(
            ask.SetPolicy(model="fraud", policy={"gates": {"production": {"min_accuracy": 0.8}}})
        )

    def carry(self, source: RegistryService, target: RegistryService, bundle: Bundle | None = None) -> Any:
        """Bytes first, then the records."""
        bundle = bundle or source.export()
        for version in bundle.versions:
            for entry in version.files if version.collected_at is None else ():
                target.put_blob(source.open_blob(entry.digest), digest=entry.digest)
        return target.import_(bundle)

    def test_a_model_that_is_not_there_is_taken_whole(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.furnish(service)
        done = self.carry(service, other)
        assert (done.models, done.versions) == ({"fraud": "taken"}, 3)
        assert self.log(other) == self.log(service)
        assert other.verify_audit().ok
        assert other.check(ask.Check(deep=True)).ok
        assert other.get_model("fraud").policy == service.get_model("fraud").policy
        assert {
            r: self.holder(other, r) for r in ("fraud@production", "fraud@champion", "fraud@production~1")
        } == {
            "fraud@production": 2,
            "fraud@champion": 2,
            "fraud@production~1": 1,
        }
        assert other.undelete("fraud#3").number == 3

    def test_tombstones_are_carried_without_their_bytes(
        self, service: RegistryService, other: RegistryService, clock: SettableClock
    ) -> None:
        self.furnish(service)
        clock.advance(days=8)
        assert len(service.collect(ask.Collect(dry_run=False)).versions) == 1
        assert self.carry(service, other).models == {"fraud": "taken"}
        assert other.check(ask.Check(deep=True)).ok
        assert self.make(other).number == 4

    def test_importing_twice_changes_nothing(self, service: RegistryService, other: RegistryService) -> None:
        self.furnish(service)
        self.carry(service, other)
        before = self.snapshot(other)
        assert self.carry(service, other).models == {"fraud": "unchanged"}
        assert self.snapshot(other) == before

    def test_the_same_history_is_only_forwarded(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.furnish(service)
        self.carry(service, other)
        self.make(service, data=b"four")
        self.alias(service, "#4")
        assert self.carry(service, other).models == {"fraud": "forwarded"}
        assert self.log(other) == self.log(service)
        assert self.holder(other, "fraud@champion") == 4
        assert other.verify_audit().ok

    def test_an_older_bundle_than_what_is_here_changes_nothing(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.furnish(service)
        old = service.export()
        self.make(service)
        self.carry(service, other)
        assert self.carry(service, other, old).models == {"fraud": "unchanged"}

    def test_another_history_gets_new_numbers_and_the_report_says_so(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.furnish(service)
        mine = self.make(other, data=b"mine", version="0.1.0")
        done = self.carry(service, other)
        assert (done.models, done.versions) == ({"fraud": "renumbered"}, 2)
        assert done.notes == ("fraud:0.1.0 (#1) is 0.1.1 (#2) here", "fraud:0.1.1 (#2) is 0.1.2 (#3) here")
        assert other.get_version("fraud#1") == mine
        assert (
            other.get_version("fraud#2").attributes["imported_from"]
            == service.get_version("fraud#1").model_id
        )
        assert self.carry(service, other).models == {"fraud": "unchanged"}
        assert other.verify_audit().ok

    def test_the_import_is_an_event_of_the_registry_and_is_not_exported(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.furnish(service)
        self.carry(service, other)
        assert [e.action for e in self.log(other, "")][-1:] == ["registry.imported"]
        assert {e.model for e in other.export().events} == {"fraud"}

    def test_bytes_have_to_come_first(self, service: RegistryService, other: RegistryService) -> None:
        self.furnish(service)
        self.make(service, "a model without files, which comes first")
        with self.refused(other, BlobNotFound):
            other.import_(service.export())

    def test_a_tampered_bundle_is_refused_whole(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.furnish(service)
        self.make(service, "another")
        bundle = service.export(["another", "fraud"])
        version, event = bundle.versions[-1], bundle.events[3]
        wrong: list[tuple[Bundle, type[IntegrityError]]] = [
            (replace(bundle, events=bundle.events[:-1]), AuditBroken),
            (replace(bundle, events=bundle.events[1:]), AuditBroken),
            (self.with_event(bundle, 3, replace(event, actor="mallory")), AuditBroken),
            (self.with_version(bundle, replace(version, hyperparams={"evil": 1})), IntegrityError),
            (self.with_version(bundle, replace(version, files=())), IntegrityError),
            (replace(bundle, models=(bundle.models[0], replace(bundle.models[1], key="k"))), IntegrityError),
        ]
        for tampered, kind in wrong:
            with self.refused(other, kind, "nothing was imported"):
                other.import_(tampered)

    def test_a_bundle_with_a_path_that_escapes_is_refused(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.furnish(service)
        bundle = service.export()
        version = bundle.versions[0]
        escaping = FileEntry(path="../../x", size=1, digest=digest_of(b"x"))
        with self.refused(other, InvalidPath):
            other.import_(self.with_version(bundle, replace(version, files=(escaping,))))

    def test_what_a_bundle_says_of_its_scans_is_not_believed(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        made = self.make(service, data=UNSAFE)
        bundle = service.export()
        clean = {path: replace(report, verdict="clean", globals=()) for path, report in made.scans.items()}
        self.carry(service, other, self.with_version(bundle, replace(bundle.versions[0], scans=clean)))
        assert other.get_version("fraud#1").scan == "unsafe"

    def test_a_bundle_overwrites_no_version_of_another_model(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.make(service)
        theirs = self.make(other, "innocent")
        bundle = service.export()
        forged = replace(bundle.versions[0], model_id=theirs.model_id)
        forged = replace(forged, digest=manifest.build(forged).digest)
        with self.refused(other, IntegrityError, "innocent"):
            other.import_(replace(bundle, versions=(forged,)))

    def test_a_taken_slug_is_made_anew(self, service: RegistryService, other: RegistryService) -> None:
        self.make(service, "Fraud detector")
        self.make(other, "fraud-detector")
        assert service.get_model("Fraud detector").slug == other.get_model("fraud-detector").slug
        other.import_(service.export())
        assert len({model.slug for model in other.list_models().items}) == 2

    @staticmethod
    def with_event(bundle: Bundle, place: int, event: Event) -> Bundle:
        return replace(bundle, events=(*bundle.events[:place], event, *bundle.events[place + 1 :]))

    @staticmethod
    def with_version(bundle: Bundle, version: Any) -> Bundle:
        others = [v for v in bundle.versions if v.model_id != version.model_id]
        return replace(bundle, versions=(*others, version))
