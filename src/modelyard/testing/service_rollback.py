"""Going back: which version, proven how, and what moves along."""

from __future__ import annotations

import pytest

from modelyard.domain.errors import Conflict, ModelNotFound, NotAllowed, Protected
from modelyard.domain.records import FlavorRecord, ModelStage
from modelyard.ports import service as ask
from modelyard.ports.service import RegistryService
from modelyard.testing.service_room import ARCHIVED, PRODUCTION, STAGING, ServiceRoom

DEPRECATED = ModelStage.DEPRECATED


class RollingBack(ServiceRoom):
    """``roll_back``."""

    def three(self, service: RegistryService) -> None:
        """Three versions with bytes that were live one after the other."""
        for text in (b"one", b"two", b"three"):
            self.live(service, data=text)

    def test_it_goes_to_the_last_holder_and_says_who_decided_why(self, service: RegistryService) -> None:
        self.three(service)
        done = service.roll_back(ask.RollBack(ref="fraud", reason="it drifts"))
        assert (done.moved, done.pointer, done.incumbent.number) == (True, "stage:production", 3)
        assert done.candidate is not None
        assert done.candidate.number == 2
        now = {n: service.get_version(f"fraud#{n}") for n in (2, 3)}
        assert (now[2].stage, now[2].successor) == (PRODUCTION, None)
        assert (now[3].stage, now[3].successor) == (DEPRECATED, now[2].model_id)
        assert now[3].rolled_back_at is not None
        last = self.log(service)[-1]
        assert (last.action, last.reason, last.after["stage:production"]) == (
            "pointer.rolled_back",
            "it drifts",
            [2],
        )

    def test_what_was_rolled_back_from_is_not_gone_back_to(self, service: RegistryService) -> None:
        self.three(service)
        for expected in (2, 1):
            service.roll_back(ask.RollBack(ref="fraud"))
            assert self.holder(service, "fraud@production") == expected
        with self.refused(service, NotAllowed) as caught:
            service.roll_back(ask.RollBack(ref="fraud"))
        assert [r for r in caught.value.reasons if "rolled back from" in r]

    def test_what_a_candidate_was_made_with_is_held_against_the_incumbents(
        self, service: RegistryService
    ) -> None:
        flavor = FlavorRecord(name="joblib", entry="model.txt")
        for data, version in ((b"one", "1.26.4"), (b"two", "2.1.0")):
            made = {"python": "3.11.7", "packages": {"numpy": version}}
            self.live(service, data=data, flavor=flavor, environment=made)
        for drill in (True, False):
            plan = service.roll_back(ask.RollBack(ref="fraud", drill=drill))
            assert plan.environment == ("numpy: 1.26.4 instead of 2.1.0",)

    def test_a_model_of_which_nobody_knows_what_it_needs_is_not_gone_back_to(
        self, service: RegistryService
    ) -> None:
        for data in (b"one", b"two"):
            self.live(service, data=data, flavor=FlavorRecord(name="joblib", entry="model.txt"))
        with self.refused(service, NotAllowed) as caught:
            service.roll_back(ask.RollBack(ref="fraud"))
        assert caught.value.reasons == ("0.1.0 (#1): what it was made with is not recorded",)

    def test_a_fresh_promotion_clears_that_mark(self, service: RegistryService) -> None:
        self.three(service)
        service.roll_back(ask.RollBack(ref="fraud"))
        self.move(service, "fraud#3", ARCHIVED)
        self.move(service, "fraud#3", ModelStage.DEVELOPMENT)
        again = self.move(service, "fraud#3", PRODUCTION)
        assert (again.rolled_back_at, again.successor) == (None, None)
        self.live(service, data=b"four")
        done = service.roll_back(ask.RollBack(ref="fraud", drill=True))
        assert done.candidate is not None
        assert done.candidate.number == 3

    def test_a_drill_finds_the_same_and_moves_nothing(self, service: RegistryService) -> None:
        self.three(service)
        before = self.snapshot(service)
        drill = service.roll_back(ask.RollBack(ref="fraud", drill=True))
        assert self.snapshot(service) == before
        real = service.roll_back(ask.RollBack(ref="fraud"))
        assert drill.candidate is not None
        assert real.candidate is not None
        assert (drill.moved, drill.candidate.number) == (False, real.candidate.number)

    @pytest.mark.parametrize("data", [b"tw0", b"", None], ids=["changed", "empty", "missing"])
    def test_a_damaged_candidate_is_refused_and_the_one_before_is_offered(
        self, service: RegistryService, data: bytes | None
    ) -> None:
        self.three(service)
        self.damage(service, service.get_version("fraud#2").files[0].digest, data)
        with self.refused(service, NotAllowed, "0.1.0, is sound") as caught:
            service.roll_back(ask.RollBack(ref="fraud"))
        assert "model.txt" in caught.value.reasons[0]
        drill = service.roll_back(ask.RollBack(ref="fraud", drill=True))
        assert [(c.version.number, c.ok, c.unsound) for c in drill.considered] == [
            (2, False, True),
            (1, True, False),
        ]
        assert drill.candidate is None
        assert drill.offer is not None
        status = service.status("fraud")
        assert status.undo is None
        assert "0.1.0, is sound" in status.undo_note
        service.roll_back(ask.RollBack(ref="fraud", target=f"#{drill.offer.number}"))
        assert self.holder(service, "fraud@production") == 1

    def test_nothing_sound_to_go_back_to_is_said_with_every_reason(self, service: RegistryService) -> None:
        self.three(service)
        for number in (1, 2):
            self.damage(service, service.get_version(f"fraud#{number}").files[0].digest, b"?")
        with self.refused(service, NotAllowed) as caught:
            service.roll_back(ask.RollBack(ref="fraud"))
        assert [reason.split(":")[0] for reason in caught.value.reasons] == ["0.1.1 (#2)", "0.1.0 (#1)"]
        drill = service.roll_back(ask.RollBack(ref="fraud", drill=True))
        assert drill.candidate is None

    def test_what_the_client_found_wanting_is_not_taken(self, service: RegistryService) -> None:
        self.three(service)
        skip = {service.get_version("fraud#2").model_id: "it does not load"}
        with self.refused(service, NotAllowed, "0.1.0, is sound") as caught:
            service.roll_back(ask.RollBack(ref="fraud", skip=skip))
        assert caught.value.reasons == ("0.1.1 (#2): it does not load",)

    def test_deleted_holders_are_passed_over(self, service: RegistryService) -> None:
        self.three(service)
        service.delete(ask.Delete(ref="fraud#2"))
        assert service.roll_back(ask.RollBack(ref="fraud")).considered[0].reasons == ("it was deleted",)
        assert self.holder(service, "fraud@production") == 1

    def test_another_signature_is_refused_and_the_one_before_is_offered(
        self, service: RegistryService
    ) -> None:
        a, b = ({"name": name, "type": "float64"} for name in ("a", "b"))
        for inputs in ([a], [a, b], [a]):
            self.live(service, signature={"inputs": inputs})
        with self.refused(service, NotAllowed, "0.1.0, is sound") as caught:
            service.roll_back(ask.RollBack(ref="fraud"))
        assert "signature" in caught.value.reasons[0]
        assert "input 'b': added, and required" in caught.value.reasons[0]

    def test_a_signature_that_todays_callers_can_use_is_gone_back_to(self, service: RegistryService) -> None:
        asked = {"name": "a", "type": "float64"}
        for field in ({**asked, "optional": True}, asked):
            self.live(service, signature={"inputs": [field]})
        assert service.roll_back(ask.RollBack(ref="fraud")).moved

    def test_each_pointer_remembers_its_own_rollbacks(self, service: RegistryService) -> None:
        self.three(service)
        for number in (1, 2):
            self.alias(service, f"#{number}", "canary")
        service.roll_back(ask.RollBack(ref="fraud@canary"))
        assert service.roll_back(ask.RollBack(ref="fraud")).candidate == service.get_version("fraud#2")

    def test_a_later_decision_for_a_version_makes_it_good_again(self, service: RegistryService) -> None:
        self.three(service)
        service.roll_back(ask.RollBack(ref="fraud"))
        service.roll_back(ask.RollBack(ref="fraud", target="#3"))
        self.live(service, data=b"four")
        done = service.roll_back(ask.RollBack(ref="fraud"))
        assert done.candidate is not None
        assert done.candidate.number == 3

    def test_aliases_of_the_incumbent_follow_in_the_same_step(self, service: RegistryService) -> None:
        self.three(service)
        self.alias(service, "#3")
        self.alias(service, "#1", "baseline")
        before = len(self.log(service))
        assert service.roll_back(ask.RollBack(ref="fraud")).aliases == ("champion",)
        assert (self.holder(service, "fraud@champion"), self.holder(service, "fraud@baseline")) == (2, 1)
        assert len(self.log(service)) == before + 1

    def test_protected_aliases_follow_only_with_a_reason(self, service: RegistryService) -> None:
        self.three(service)
        self.alias(service, "#3")
        service.protect_alias(ask.ProtectAlias(model="fraud", alias="champion"))
        with self.refused(service, Protected, "champion"):
            service.roll_back(ask.RollBack(ref="fraud"))
        with self.refused(service, Protected, "reason"):
            service.roll_back(ask.RollBack(ref="fraud", target="#1", reason=" "))
        assert service.roll_back(ask.RollBack(ref="fraud", drill=True)).candidate is not None
        service.roll_back(ask.RollBack(ref="fraud", reason="it drifts"))
        assert self.holder(service, "fraud@champion") == 2

    def test_an_alias_can_be_rolled_back_by_itself(self, service: RegistryService) -> None:
        self.three(service)
        for number in (1, 3):
            self.alias(service, f"#{number}")
        done = service.roll_back(ask.RollBack(ref="fraud@champion"))
        assert (done.pointer, done.aliases) == ("alias:champion", ())
        assert (self.holder(service, "fraud@champion"), self.holder(service, "fraud@production")) == (1, 3)

    def test_a_wanted_version_must_have_held_the_pointer(self, service: RegistryService) -> None:
        self.three(service)
        self.make(service)
        for target, reason in (("#4", "never held production"), ("#3", "names now")):
            with self.refused(service, NotAllowed) as caught:
                service.roll_back(ask.RollBack(ref="fraud", target=target))
            assert reason in caught.value.reasons[0]
        service.roll_back(ask.RollBack(ref="fraud", target="0.1.0"))
        assert self.holder(service, "fraud@production") == 1

    def test_a_wanted_version_may_be_one_rolled_back_from(self, service: RegistryService) -> None:
        self.three(service)
        service.roll_back(ask.RollBack(ref="fraud"))
        service.roll_back(ask.RollBack(ref="fraud", target="#3"))
        assert self.holder(service, "fraud@production") == 3

    def test_a_version_names_its_model(self, service: RegistryService) -> None:
        self.three(service)
        service.roll_back(ask.RollBack(ref=service.get_version("fraud#3").model_id))
        assert self.holder(service, "fraud@production") == 2

    def test_a_wanted_version_of_another_model_is_refused(self, service: RegistryService) -> None:
        self.three(service)
        stranger = self.live(service, "other")
        with self.refused(service, NotAllowed, "not of 'fraud'"):
            service.roll_back(ask.RollBack(ref="fraud", target=stranger.model_id))

    def test_a_plan_that_has_grown_old_is_a_conflict(self, service: RegistryService) -> None:
        self.three(service)
        plan = service.roll_back(ask.RollBack(ref="fraud", drill=True))
        self.live(service, data=b"four")
        with self.refused(service, Conflict, "#4"):
            service.roll_back(ask.RollBack(ref="fraud", expected=plan.incumbent.model_id))

    def test_where_nothing_is_live_there_is_nothing_to_roll_back(self, service: RegistryService) -> None:
        self.make(service)
        with self.refused(service, NotAllowed, "names nothing"):
            service.roll_back(ask.RollBack(ref="fraud"))
        self.move(service, "fraud", PRODUCTION)
        with self.refused(service, NotAllowed) as caught:
            service.roll_back(ask.RollBack(ref="fraud"))
        assert caught.value.reasons == ("no other version has held production",)
        with self.refused(service, ModelNotFound):
            service.roll_back(ask.RollBack(ref="nobody"))

    def test_the_load_check_of_the_client_is_kept(self, service: RegistryService) -> None:
        self.three(service)
        evidence = {"ok": True, "seconds": 0.5}
        assert service.roll_back(ask.RollBack(ref="fraud", load_check=evidence)).load_check == evidence
        assert service.get_version("fraud#2").load_check == evidence
        self.live(service, data=b"four")
        assert service.roll_back(ask.RollBack(ref="fraud", drill=True)).load_check == evidence

    def test_an_archived_holder_comes_back_too(self, service: RegistryService) -> None:
        self.three(service)
        self.move(service, "fraud#2", ARCHIVED)
        service.roll_back(ask.RollBack(ref="fraud"))
        assert service.get_version("fraud@production").number == 2
        assert service.get_model("fraud").latest == service.get_version("fraud#3").model_id

    def test_a_lower_stage_is_rolled_back_without_touching_production(self, service: RegistryService) -> None:
        for _ in range(3):
            self.make(service)
        service.set_policy(ask.SetPolicy(model="fraud", policy={"holders": {"staging": 1}}))
        for number in (1, 2, 3):
            self.move(service, f"fraud#{number}", STAGING)
        service.roll_back(ask.RollBack(ref="fraud@staging"))
        assert self.holder(service, "fraud@staging") == 2
        self.move(service, "fraud#2", PRODUCTION)
        self.move(service, "fraud#1", STAGING)
        drill = service.roll_back(ask.RollBack(ref="fraud@staging", drill=True))
        assert "in production" in drill.considered[0].reasons[0]

    def test_a_table_without_the_way_back_refuses(self, service: RegistryService) -> None:
        self.three(service)
        service.set_policy(ask.SetPolicy(model="fraud", policy={"lifecycle": "strict"}))
        with self.refused(service, NotAllowed) as caught:
            service.roll_back(ask.RollBack(ref="fraud"))
        assert "lifecycle 'strict' has no way from deprecated back" in caught.value.reasons[0]
        assert service.status("fraud").undo is None
