"""Whole models out of one registry and into another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from modelyard.domain import events, manifest
from modelyard.domain.canonical import canonical
from modelyard.domain.errors import (
    AuditBroken,
    BlobNotFound,
    IntegrityError,
    InvalidPath,
)
from modelyard.domain.records import Check, Event, FileEntry, ModelVersion
from modelyard.ports import service as ask
from modelyard.ports.service import Bundle, RegistryService
from modelyard.testing.clock import SettableClock
from modelyard.testing.service_moves import UNSAFE
from modelyard.testing.service_room import ARCHIVED, PRODUCTION, STAGING, ServiceRoom, digest_of


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
        identity = {"model_id": forged.model_id, "version": forged.version, "digest": forged.digest}
        event = bundle.events[0]
        event = replace(event, after={**event.after, "version:1": identity})
        bundle = self.rehashed(replace(bundle, versions=(forged,)), [event], latest=forged.model_id)
        with self.refused(other, IntegrityError, "innocent"):
            other.import_(bundle)

    def test_an_import_that_is_cut_short_and_repeated_leaves_the_same_events(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        for name in ("a", "b", "c"):
            self.make(service, name)
        for names in (["a"], ["b", "a"], ["a", "b", "c"]):
            self.carry(service, other, service.export(names))
        said = [event.after["models"] for event in self.log(other, "")]
        assert said == [{"a": "taken"}, {"b": "taken"}, {"c": "taken"}]

    def test_names_given_twice_are_exported_once(self, service: RegistryService) -> None:
        self.make(service, "Fraud")
        assert service.export(["Fraud", "fraud"]) == service.export()

    def test_slugs_stay_what_they_are_there(self, service: RegistryService, other: RegistryService) -> None:
        for name in ("zeta x", "zeta-x", "Zeta_X"):
            self.make(service, name)
        slugs = {model.name: model.slug for model in service.list_models().items}
        self.carry(service, other)
        assert {model.name: model.slug for model in other.list_models().items} == slugs

    def test_a_slug_that_the_name_does_not_give_is_made_anew(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.make(service)
        other.import_(self.with_model(service.export(), slug="api"))
        assert other.get_model("fraud").slug == "fraud"

    def test_a_taken_slug_is_made_anew(self, service: RegistryService, other: RegistryService) -> None:
        self.make(service, "Fraud detector")
        self.make(other, "fraud-detector")
        assert service.get_model("Fraud detector").slug == other.get_model("fraud-detector").slug
        other.import_(service.export())
        assert len({model.slug for model in other.list_models().items}) == 2

    # --- records that do not follow from their history ---------------------------------------------------------------

    def test_records_that_their_events_do_not_say_are_refused(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.furnish(service)
        service.protect_alias(ask.ProtectAlias(model="fraud", alias="champion"))
        bundle = service.export()
        (model,) = bundle.models
        first, second, third = bundle.versions
        champion = model.aliases["champion"]
        swapped = (replace(first, stage=second.stage), replace(second, stage=first.stage), third)
        forged = [
            self.with_model(bundle, holders={"production": (1,)}),
            self.with_model(bundle, policy=replace(model.policy, gates={})),
            self.with_model(bundle, policy=replace(model.policy, trust=("numpy.*",))),
            self.with_model(bundle, aliases={}),
            self.with_model(bundle, aliases={"champion": replace(champion, number=1)}),
            self.with_model(bundle, aliases={"champion": replace(champion, protected=False)}),
            self.with_model(bundle, latest=first.model_id),
            replace(bundle, versions=swapped),
            self.with_model(replace(bundle, versions=swapped), holders={"production": (1,)}),
            self.with_version(bundle, replace(third, deleted_at=None)),
            self.with_version(bundle, replace(first, legal_hold="case 7")),
            self.with_version(bundle, replace(first, checks={"tests_passed": self.forged_check(first)})),
            self.with_version(bundle, replace(first, content_digest=second.content_digest)),
        ]
        for tampered in forged:
            with self.refused(other, IntegrityError, "nothing was imported"):
                other.import_(tampered)

    def test_versions_that_are_left_out_or_there_twice_are_missed(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.furnish(service)
        bundle = service.export()
        for kept in (bundle.versions[1:], bundle.versions[:-1], (*bundle.versions, bundle.versions[0])):
            with self.refused(
                other, IntegrityError, r"#[13] (was registered and is not there|is there twice)"
            ):
                other.import_(replace(bundle, versions=kept))

    def test_a_model_is_in_a_bundle_once_and_nothing_is_there_without_it(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.furnish(service)
        bundle = service.export()
        for odd in (replace(bundle, models=bundle.models * 2), replace(bundle, models=())):
            with self.refused(other, IntegrityError, "nothing was imported"):
                other.import_(odd)
        assert other.import_(Bundle(models=(), versions=(), events=())).models == {}

    def test_a_made_up_history_still_makes_no_pointer_dangle(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.make(service, alias="champion")
        bundle = service.export()
        alias = replace(bundle.models[0].aliases["champion"], number=2, model_id="01j9zzzzzzzzzzzzzzzzzzzzzz")
        event = replace(bundle.events[0], after={**bundle.events[0].after, "alias:champion": 2})
        version = replace(bundle.versions[0], aliases=())
        forged = self.rehashed(self.with_version(bundle, version), [event], aliases={"champion": alias})
        with self.refused(other, IntegrityError, "champion"):
            other.import_(forged)

    def test_text_that_has_no_bytes_is_refused(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.make(service)
        bundle = service.export()
        with self.refused(other, AuditBroken, "cannot be hashed"):
            other.import_(self.with_event(bundle, 0, replace(bundle.events[0], reason="\ud800")))

    def test_a_bundle_can_be_judged_before_its_bytes_are_here(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.furnish(service)
        bundle = service.export()
        before = self.snapshot(other)
        other.check_import(bundle)
        assert self.snapshot(other) == before
        with self.refused(other, IntegrityError):
            other.check_import(self.with_model(bundle, holders={}))

    def test_every_kind_of_change_leaves_a_history_that_its_records_follow_from(
        self, service: RegistryService, other: RegistryService, clock: SettableClock
    ) -> None:
        self.live_long(service)
        clock.advance(days=8)
        service.collect(ask.Collect(dry_run=False))
        assert service.check(ask.Check()).findings == ()
        assert self.carry(service, other).models == {"fraud": "taken"}
        assert other.check(ask.Check()).findings == ()
        assert self.as_json(other) == self.as_json(service)

    def as_json(self, service: RegistryService) -> bytes:
        """All versions and events, without what each registry counts for itself."""
        bundle = service.export()
        return canonical([[replace(v, revision=0) for v in bundle.versions], list(bundle.events)])

    def taken_from(self, service: RegistryService, version: ModelVersion) -> ModelVersion:
        """The version here that was taken from one of elsewhere."""
        request = ask.Search(text=f"attributes.imported_from = '{version.model_id}'")
        (found,) = service.search(request).items
        return found

    def live_long(self, service: RegistryService) -> None:
        """A model to which everything has happened."""
        first = self.live(service, data=b"one", alias="champion", version="1.0.0", tags={"a": "b"})
        rich = [
            {"name": "f1", "value": 0.9, "n": 9, "split": "test", "dataset": "d"},
            {"name": "f1", "value": 0.8},
        ]
        facts: dict[str, Any] = {
            "override_reason": "why not",
            "hyperparams": {"depth": 3},
            "card": {"owner": "x"},
        }
        self.make(service, data=b"one", version="2.0.0", metrics=rich, parent=first.model_id, **facts)
        service.record_metrics(ask.RecordMetrics(ref="fraud#2", metrics={"f1": 0.7, "loss": 1e-9}))
        service.record_check(
            ask.RecordCheck(ref="fraud#2", check="tests_passed", passed=True, evidence={"n": 1})
        )
        for note in (
            ask.Annotate(
                ref="fraud#2", tags={"t": "1", "u": "2"}, attributes={"x.y": [1, {"z": None}], "big": 2**60}
            ),
            ask.Annotate(
                ref="fraud#2", tags={"u": None}, description="new", legal_hold="case 7", card={"owner": "y"}
            ),
            ask.Annotate(ref="fraud", whole_model=True, tags={"k": "v", "l": "w"}, description="all of it"),
            ask.Annotate(ref="fraud", whole_model=True, tags={"l": None}),
        ):
            service.annotate(note)
        self.move(service, "fraud#2", STAGING)
        self.move(service, "fraud#2", PRODUCTION)
        self.alias(service, "#2")
        service.protect_alias(ask.ProtectAlias(model="fraud", alias="champion"))
        service.roll_back(ask.RollBack(ref="fraud", reason="worse", load_check={"ok": True}))
        self.alias(service, "#2", "shadow")
        service.delete_alias(ask.DeleteAlias(model="fraud", alias="shadow"))
        for number in (3, 4, 5):
            self.make(service, data=b"%d" % number, stage=STAGING)
        self.move(service, "fraud#4", ARCHIVED)
        service.delete(ask.Delete(ref="fraud#5"))
        service.delete(ask.Delete(ref="fraud#3"))
        service.undelete("fraud#3")
        service.set_policy(ask.SetPolicy(model="fraud", policy={"gates": {"staging": {"min_f1": 0.5}}}))

    # --- forging -----------------------------------------------------------------------------------------------------

    @staticmethod
    def forged_check(version: ModelVersion) -> Check:
        return Check(name="tests_passed", passed=True, at=version.created_at)

    @staticmethod
    def with_model(bundle: Bundle, **facts: Any) -> Bundle:
        return replace(bundle, models=(replace(bundle.models[0], **facts),))

    @classmethod
    def rehashed(cls, bundle: Bundle, log: list[Event], **facts: Any) -> Bundle:
        """The bundle of one model with another history, hashed anew, as a patient forger would."""
        previous, chain = events.GENESIS, []
        for event in log:
            linked = replace(event, previous_hash=previous)
            chain.append(replace(linked, hash=events.event_hash(linked)))
            previous = chain[-1].hash
        return cls.with_model(replace(bundle, events=tuple(chain)), head=previous, **facts)

    @staticmethod
    def with_event(bundle: Bundle, place: int, event: Event) -> Bundle:
        return replace(bundle, events=(*bundle.events[:place], event, *bundle.events[place + 1 :]))

    @staticmethod
    def with_version(bundle: Bundle, version: Any) -> Bundle:
        others = [v for v in bundle.versions if v.model_id != version.model_id]
        return replace(bundle, versions=(*others, version))
