"""What is withdrawn, what that reaches, and what it keeps from happening."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from modelyard.domain.answers import Affected
from modelyard.domain.errors import (
    GateRefused,
    InvalidInput,
    ModelyardError,
    NotFound,
    Protected,
)
from modelyard.ports import service as ask
from modelyard.ports.service import RegistryService
from modelyard.testing.clock import SettableClock
from modelyard.testing.service_lineage import Linking, an_edge
from modelyard.testing.service_room import PRODUCTION, STAGING


def paths(found: Affected) -> dict[str, tuple[str, ...]]:
    """What is reached, and how."""
    return {f"{item.kind} {item.name}": item.path for item in found.items}


class Withdrawing(Linking):
    """``withdraw``, ``reinstate``, ``affected``, and what a withdrawal keeps from happening."""

    def withdraw(
        self, service: RegistryService, target: str, kind: str = "version", reason: str = "it leaks"
    ) -> Affected:
        return service.withdraw(ask.Withdraw(target=target, kind=kind, reason=reason))

    def family(self, service: RegistryService) -> None:
        """cards → fraud#1 → fraud#2 (champion) → churn#1 (champion, used by api/eu); fraud#3 stands apart."""
        self.make(service, lineage=(an_edge("dataset", "cards"),))
        self.make(service, parent="fraud#1", alias="champion")
        self.make(service, "churn", lineage=(an_edge("fine_tuned_from", "fraud#2"),), alias="champion")
        self.link(service, "churn", "used_by", "api/eu")
        self.make(service)

    def test_a_withdrawn_version_says_why_since_when_and_by_whom(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        made = self.make(service)
        self.withdraw(service, "fraud")
        gone = service.get_version("fraud").withdrawn
        assert gone is not None
        assert (gone.reason, gone.at, gone.by) == ("it leaks", clock.now(), "ann")
        assert service.get_version("fraud").digest == made.digest
        last = self.log(service)[-1]
        assert (last.action, last.subject, last.reason) == ("version.withdrawn", "version:1", "it leaks")
        assert last.before == {"version:1.withdrawn": None}
        assert last.after["version:1.withdrawn"]["by"] == "ann"

    def test_everything_that_depends_on_a_data_set_is_listed_with_its_path(
        self, service: RegistryService
    ) -> None:
        self.family(service)
        found = self.withdraw(service, "cards", "dataset")
        assert paths(found) == {
            "version fraud:0.1.0": ("dataset cards", "fraud:0.1.0"),
            "version fraud:0.1.1": ("dataset cards", "fraud:0.1.0", "fraud:0.1.1"),
            "alias fraud@champion": ("dataset cards", "fraud:0.1.0", "fraud:0.1.1", "fraud@champion"),
            "version churn:0.1.0": ("dataset cards", "fraud:0.1.0", "fraud:0.1.1", "churn:0.1.0"),
            "alias churn@champion": (
                "dataset cards",
                "fraud:0.1.0",
                "fraud:0.1.1",
                "churn:0.1.0",
                "churn@champion",
            ),
            "deployment api/eu": ("dataset cards", "fraud:0.1.0", "fraud:0.1.1", "churn:0.1.0", "api/eu"),
        }
        assert (found.kind, found.target, found.name) == ("dataset", "cards", "cards")
        assert found.withdrawn is not None
        assert service.affected("cards", "dataset") == found
        counts = (found.versions, found.aliases, found.deployments, found.approvals)
        assert [len(part) for part in counts] == [3, 2, 1, 0]
        last = self.log(service, "")[-1]
        assert (last.action, last.subject) == ("source.withdrawn", "registry")
        assert last.after["source:dataset:cards.withdrawn"]["reason"] == "it leaks"

    def test_a_version_reaches_itself_what_came_of_it_and_their_aliases(
        self, service: RegistryService
    ) -> None:
        self.family(service)
        found = service.affected("fraud#2")
        assert list(paths(found)) == [
            "version fraud:0.1.1",
            "alias fraud@champion",
            "version churn:0.1.0",
            "alias churn@champion",
            "deployment api/eu",
        ]
        assert paths(found)["alias fraud@champion"] == ("fraud:0.1.1", "fraud@champion")
        assert found.withdrawn is None
        deployment = found.deployments[0]
        assert service.get_version(deployment.model_id).name == "churn"

    def test_deleted_versions_are_affected_too(self, service: RegistryService) -> None:
        self.make(service, lineage=(an_edge("dataset", "cards"),))
        self.make(service, parent="fraud#1")
        service.delete(ask.Delete(ref="fraud#1"))
        found = service.affected("cards", "dataset")
        assert [(item.name, item.deleted) for item in found.items] == [
            ("fraud:0.1.0", True),
            ("fraud:0.1.1", False),
        ]
        assert self.withdraw(service, "fraud#1").withdrawn is not None

    def test_the_same_again_writes_nothing_and_another_reason_is_said(self, service: RegistryService) -> None:
        self.make(service, lineage=(an_edge("dataset", "cards"),))
        for target, kind in (("fraud", "version"), ("cards", "dataset")):
            self.withdraw(service, target, kind)
            before = self.snapshot(service)
            self.withdraw(service, target, kind)
            assert self.snapshot(service) == before
            again = self.withdraw(service, target, kind, "consent expired")
            assert again.withdrawn is not None
            assert again.withdrawn.reason == "consent expired"

    def test_a_withdrawal_can_be_taken_back(self, service: RegistryService) -> None:
        self.make(service, lineage=(an_edge("dataset", "cards"),))
        for target, kind in (("fraud", "version"), ("cards", "dataset")):
            self.withdraw(service, target, kind)
            request = ask.Reinstate(target=target, kind=kind, reason="a mistake")
            assert service.reinstate(request).withdrawn is None
            before = self.snapshot(service)
            service.reinstate(request)
            assert self.snapshot(service) == before
        assert service.get_version("fraud").withdrawn is None
        assert self.log(service)[-1].action == "version.reinstated"
        assert (self.log(service, "")[-1].action, self.log(service, "")[-1].reason) == (
            "source.reinstated",
            "a mistake",
        )

    @pytest.mark.parametrize(
        ("target", "kind", "reason", "error"),
        [
            ("fraud", "version", " ", InvalidInput),
            ("fraud", "sibling", "x", InvalidInput),
            ("fraud", "used_by", "x", InvalidInput),
            ("Cards", "dataset", "x", NotFound),
            ("cards", "base_model", "x", NotFound),
            ("fraud#9", "version", "x", NotFound),
            ("", "dataset", "x", InvalidInput),
        ],
    )
    def test_what_cannot_be_withdrawn_is_refused(
        self,
        service: RegistryService,
        target: str,
        kind: str,
        reason: str,
        error: type[ModelyardError],
    ) -> None:
        self.make(service, lineage=(an_edge("dataset", "cards"),))
        with self.refused(service, error):
            self.withdraw(service, target, kind, reason)

    def test_a_withdrawn_version_goes_live_only_by_force_with_a_reason(
        self, service: RegistryService
    ) -> None:
        self.make(service)
        self.withdraw(service, "fraud")
        self.move(service, "fraud", STAGING)
        request = ask.Promote(ref="fraud", target=PRODUCTION)
        for attempt in (request, replace(request, force=True), replace(request, reason="I insist")):
            with self.refused(service, GateRefused) as caught:
                service.promote(attempt)
            assert caught.value.reasons == (
                "not_withdrawn (registry): it was withdrawn: it leaks; reinstate it, or force it with a reason",
            )
        done = service.promote(replace(request, force=True, reason="I insist"))
        assert done.moved
        assert done.verdict.warnings == ("The version was withdrawn: it leaks",)

    def test_a_withdrawn_version_gets_a_new_alias_only_by_force_with_a_reason(
        self, service: RegistryService
    ) -> None:
        self.make(service, alias="champion")
        self.withdraw(service, "fraud")
        self.alias(service, "#1")
        calls: list[Callable[[], object]] = [
            lambda: self.alias(service, "#1", "shadow"),
            lambda: self.alias(service, "#1", "shadow", force=True),
            lambda: self.alias(service, "#1", "shadow", reason="why not"),
        ]
        for call in calls:
            with self.refused(service, Protected, "withdrawn"):
                call()
        assert self.alias(service, "#1", "shadow", force=True, reason="I insist").aliases == (
            "champion",
            "shadow",
        )

    def test_a_rollback_does_not_bring_back_what_was_withdrawn(self, service: RegistryService) -> None:
        for _ in range(3):
            self.live(service)
        self.withdraw(service, "fraud#2")
        plan = service.roll_back(ask.RollBack(ref="fraud", drill=True))
        assert plan.candidate is None
        assert plan.considered[0].reasons == ("it was withdrawn: it leaks",)
        assert plan.offer is not None
        assert plan.offer.number == 1

    def test_a_newcomer_is_warned_of_what_it_is_made_from(self, service: RegistryService) -> None:
        self.make(service, lineage=(an_edge("dataset", "cards"),))
        self.withdraw(service, "cards", "dataset", "consent expired")
        self.withdraw(service, "fraud#1")
        made = self.make(service, parent="fraud#1", data_lineage={"dataset": "cards"})
        assert made.warnings == (
            "parent fraud:0.1.0 was withdrawn: it leaks",
            "dataset cards was withdrawn: consent expired",
        )
        service.reinstate(ask.Reinstate(target="fraud#1"))
        service.reinstate(ask.Reinstate(target="cards", kind="dataset"))
        assert self.make(service, parent="fraud#1", data_lineage={"dataset": "cards"}).warnings == ()

    def copied(self, service: RegistryService, of: str, **facts: Any) -> Any:
        """Another version over the same files, linked to where it came from."""
        files = service.get_version(of).files
        return self.make(service, "churn", files=files, lineage=(an_edge("promoted_from", of),), **facts)

    def tainted(self, service: RegistryService) -> dict[str, str]:
        """Versions that are not withdrawn themselves, each with what stands in its way."""
        self.make(service, lineage=(an_edge("dataset", "cards"),))
        self.copied(service, "fraud#1")
        self.copied(service, "churn#1")
        self.make(service, "child", parent="fraud#1")
        self.withdraw(service, "fraud#1")
        self.withdraw(service, "cards", "dataset", "consent expired")
        copy = (
            "promoted_from fraud:0.1.0 was withdrawn: it leaks; dataset cards was withdrawn: consent expired"
        )
        return {"churn#1": copy, "churn#2": copy, "child#1": "parent fraud:0.1.0 was withdrawn: it leaks"}

    def test_what_was_made_of_something_withdrawn_goes_live_only_by_force_with_a_reason(
        self, service: RegistryService
    ) -> None:
        for ref, why in self.tainted(service).items():
            self.move(service, ref, STAGING)
            request = ask.Promote(ref=ref, target=PRODUCTION)
            for attempt in (request, replace(request, force=True), replace(request, reason="I insist")):
                with self.refused(service, GateRefused) as caught:
                    service.promote(attempt)
                assert caught.value.reasons == (
                    f"not_withdrawn (registry): {why}; reinstate it, or force it with a reason",
                )
            done = service.promote(replace(request, force=True, reason="I insist"))
            assert done.moved
            assert done.verdict.warnings == tuple(f"Its {line}" for line in why.split("; "))

    def test_what_was_made_of_something_withdrawn_gets_an_alias_only_by_force_with_a_reason(
        self, service: RegistryService
    ) -> None:
        for ref in self.tainted(service):
            model = ref.partition("#")[0]
            request = ask.SetAlias(model=model, alias="shadow", ref=ref)
            for attempt in (request, replace(request, force=True), replace(request, reason="why not")):
                with self.refused(service, Protected, "withdrawn"):
                    service.set_alias(attempt)
            assert service.set_alias(replace(request, force=True, reason="I insist")).aliases == ("shadow",)

    def test_nothing_is_registered_into_production_or_under_an_alias_that_is_made_of_what_is_withdrawn(
        self, service: RegistryService
    ) -> None:
        copies = [{"lineage": (an_edge("promoted_from", ref),)} for ref in self.tainted(service)]
        made: list[dict[str, Any]] = [{"parent": "fraud#1"}, {"data_lineage": {"dataset": "cards"}}, *copies]
        for facts in made:
            with self.refused(service, GateRefused, "next"):
                self.make(service, "next", stage=PRODUCTION, **facts)
            with self.refused(service, Protected, "withdrawn"):
                self.make(service, "next", alias="champion", **facts)
            assert self.make(service, "next", stage=STAGING, **facts).warnings

    def test_what_a_version_was_made_of_is_followed_through_copies_and_no_further(
        self, service: RegistryService
    ) -> None:
        """Who is made of something that was made of something withdrawn decides for himself; ``affected`` lists it."""
        self.make(service, lineage=(an_edge("dataset", "cards"),))
        self.make(service, "child", parent="fraud#1")
        self.copied(service, "child#1")
        self.copied(service, "churn#1", stage=STAGING)
        self.withdraw(service, "cards", "dataset")
        assert self.move(service, "child#1", PRODUCTION).stage is PRODUCTION
        assert self.move(service, "churn#2", PRODUCTION).stage is PRODUCTION
        both = (an_edge("promoted_from", "churn#1"), an_edge("promoted_from", "churn#2"))
        assert self.make(service, "both", lineage=both, alias="champion").warnings == ()

    def test_a_rollback_does_not_bring_back_what_was_made_of_something_withdrawn(
        self, service: RegistryService
    ) -> None:
        self.live(service)
        self.live(service, lineage=(an_edge("dataset", "cards"),))
        self.live(service)
        self.withdraw(service, "cards", "dataset")
        plan = service.roll_back(ask.RollBack(ref="fraud", drill=True))
        assert plan.considered[0].reasons == ("dataset cards was withdrawn: it leaks",)
        assert plan.offer is not None
        assert plan.offer.number == 1

    def test_graphs_mark_what_is_withdrawn(self, service: RegistryService) -> None:
        self.family(service)
        self.withdraw(service, "cards", "dataset")
        self.withdraw(service, "fraud#2")
        graph = self.trace(service, "churn", "up")
        assert [(node.label, node.withdrawn) for node in graph.nodes] == [
            ("churn:0.1.0", False),
            ("fraud:0.1.1", True),
            ("fraud:0.1.0", False),
            ("cards", True),
        ]
        found = service.search(ask.Search(text="withdrawn ~ 'leaks'"))
        assert [v.number for v in found.items] == [2]
