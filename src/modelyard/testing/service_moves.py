"""Stages and gates: the way up, and out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import (
    Conflict,
    GateRefused,
    InvalidInput,
    InvalidName,
    InvalidPolicy,
    ModelyardError,
    NotAllowed,
    Protected,
    TransitionNotAllowed,
)
from modelyard.domain.records import ModelStage
from modelyard.ports import service as ask
from modelyard.ports.service import RegistryService
from modelyard.testing.clock import SettableClock
from modelyard.testing.service_room import ARCHIVED, PRODUCTION, STAGING, ServiceRoom, examples

DEVELOPMENT, TESTING, DEPRECATED = ModelStage.DEVELOPMENT, ModelStage.TESTING, ModelStage.DEPRECATED
UNSAFE = b"\x80\x04cos\nsystem\n(S'true'\ntR."

_REQUIREMENTS = st.dictionaries(
    st.sampled_from(
        ["min_accuracy", "max_latency_ms", "improves_accuracy", "no_worse_f1", "min_auc", "tests_passed"]
    ),
    st.floats(0, 1) | st.booleans(),
    max_size=4,
).map(lambda found: {k: bool(v) if k == "tests_passed" else float(v) for k, v in found.items()})


class Promoting(ServiceRoom):
    """``promote``."""

    def test_a_promotion_moves_the_stage_and_says_why(self, service: RegistryService) -> None:
        self.make(service, metrics={"accuracy": 0.9})
        done = service.promote(
            ask.Promote(ref="fraud", target=STAGING, requirements={"min_accuracy": 0.8}, reason="it is good")
        )
        assert done.moved
        assert done.verdict.passed
        assert done.version.stage is STAGING
        assert service.get_version("fraud@staging") == done.version
        last = self.log(service)[-1]
        assert (last.action, last.reason, last.actor) == ("version.promoted", "it is good", "ann")
        assert last.after["stage:staging"] == [1]
        assert last.after["verdict"]["rules"][-1]["rule"] == "min_accuracy"

    def test_the_incumbent_makes_room_and_names_its_successor(self, service: RegistryService) -> None:
        first = self.live(service)
        second = self.make(service)
        done = service.promote(ask.Promote(ref=second.model_id, target=PRODUCTION))
        old = service.get_version(first.model_id)
        assert done.displaced == (first.model_id,)
        assert (old.stage, old.successor) == (DEPRECATED, second.model_id)
        assert service.get_model("fraud").holders["production"] == (2,)

    def test_the_incumbent_is_archived_where_asked(self, service: RegistryService) -> None:
        first = self.live(service)
        self.make(service)
        self.move(service, "fraud#2", PRODUCTION, incumbent_to=ARCHIVED)
        assert service.get_version(first.model_id).stage is ARCHIVED

    def test_an_incumbent_that_an_alias_names_is_not_archived_by_the_way(
        self, service: RegistryService
    ) -> None:
        self.live(service)
        self.alias(service, "#1")
        self.make(service)
        with self.refused(service, Protected, "champion"):
            self.move(service, "fraud#2", PRODUCTION, incumbent_to=ARCHIVED)
        self.move(service, "fraud#2", PRODUCTION)
        assert service.get_version("fraud@champion").stage is DEPRECATED

    def test_one_version_holds_production_unless_the_policy_lets_more(self, service: RegistryService) -> None:
        self.live(service)
        self.make(service)
        with self.refused(service, NotAllowed, "keep_existing"):
            self.move(service, "fraud#2", PRODUCTION, keep_existing=True)
        self.policy(service, holders={"production": 2})
        self.move(service, "fraud#2", PRODUCTION, keep_existing=True)
        assert service.get_model("fraud").holders["production"] == (1, 2)
        assert self.holder(service, "fraud@production") == 2
        self.make(service)
        done = service.promote(ask.Promote(ref="fraud#3", target=PRODUCTION))
        assert [service.get_version(i).number for i in done.displaced] == [1, 2]

    def test_a_crowded_lower_stage_sends_its_holder_back_to_development(
        self, service: RegistryService
    ) -> None:
        self.make(service)
        self.make(service)
        self.policy(service, holders={"staging": 1})
        self.move(service, "fraud#1", STAGING)
        self.move(service, "fraud#2", STAGING)
        assert [service.get_version(f"fraud#{n}").stage for n in (1, 2)] == [DEVELOPMENT, STAGING]

    def test_a_failed_gate_is_refused_with_every_reason(self, service: RegistryService) -> None:
        self.make(service, metrics={"accuracy": 0.7})
        requirements = {"min_accuracy": 0.85, "max_latency_ms": 40, "tests_passed": True}
        with self.refused(service, GateRefused) as caught:
            self.move(service, "fraud", STAGING, requirements=requirements)
        assert len(caught.value.reasons) == 3
        assert "missing" in " ".join(caught.value.reasons)
        assert caught.value.data["verdict"]["passed"] is False

    def test_policy_and_caller_must_both_be_met_and_a_caller_only_adds(
        self, service: RegistryService
    ) -> None:
        self.make(service, metrics={"accuracy": 0.9, "f1_score": 0.5})
        self.policy(service, gates={"staging": {"min_accuracy": 0.95}})
        for requirements in ({}, {"min_accuracy": 0.1}, {"min_f1": 0.1}):
            with self.refused(service, GateRefused, "policy"):
                self.move(service, "fraud", STAGING, requirements=requirements)
        self.policy(service, gates={"staging": {"min_accuracy": 0.85}})
        with self.refused(service, GateRefused, "caller"):
            self.move(service, "fraud", STAGING, requirements={"min_f1": 0.6})
        assert self.move(service, "fraud", STAGING, requirements={"min_f1": 0.5}).stage is STAGING

    def test_an_unknown_requirement_is_an_error_of_the_caller(self, service: RegistryService) -> None:
        self.make(service)
        with self.refused(service, InvalidInput, "not known"):
            self.move(service, "fraud", STAGING, requirements={"accuracy": 0.9})

    def test_a_check_opens_the_gate_that_asks_for_it(self, service: RegistryService) -> None:
        self.make(service)
        with self.refused(service, GateRefused):
            self.move(service, "fraud", STAGING, requirements={"tests_passed": True})
        service.record_check(ask.RecordCheck(ref="fraud", check="tests_passed", passed=True))
        assert self.move(service, "fraud", STAGING, requirements={"tests_passed": True}).stage is STAGING

    @examples(200)
    @given(
        requirements=_REQUIREMENTS,
        policy=_REQUIREMENTS,
        target=st.sampled_from([TESTING, STAGING, PRODUCTION]),
        measured=st.dictionaries(
            st.sampled_from(["accuracy", "f1_score", "latency_ms", "auc"]), st.floats(0, 1)
        ),
        tested=st.booleans(),
        held=st.booleans(),
    )
    def test_a_dry_run_gives_the_verdict_that_the_real_move_gets(
        self,
        service: RegistryService,
        requirements: dict[str, Any],
        policy: dict[str, Any],
        target: ModelStage,
        measured: dict[str, float],
        tested: bool,
        held: bool,
    ) -> None:
        name = f"m{service.stats().total_models}"
        if held:
            self.move(
                service, self.make(service, name, metrics={"accuracy": 0.5, "f1_score": 0.5}).model_id, target
            )
        ref = self.make(service, name, metrics=measured).model_id
        if tested:
            service.record_check(ask.RecordCheck(ref=ref, check="tests_passed", passed=True))
        with suppress(InvalidPolicy):  # a metric that this version lacks
            service.set_policy(ask.SetPolicy(model=name, policy={"gates": {target.value: policy}}))
        request = ask.Promote(ref=ref, target=target, requirements=requirements, dry_run=True)
        dry = self.outcome(service, request)
        assert dry[0] == "refused" or service.get_version(ref).stage is DEVELOPMENT
        real = self.outcome(service, ask.Promote(ref=ref, target=target, requirements=requirements))
        assert real == dry

    def outcome(self, service: RegistryService, request: ask.Promote) -> tuple[str, Any]:
        """Verdict and displaced versions, or the refusal's text, alike for a dry run and a real one."""
        try:
            done = service.promote(request)
        except GateRefused as refused:
            return "judged", refused.data["verdict"]
        except ModelyardError as refused:
            return "refused", str(refused)
        return "judged", done.verdict.to_mapping()

    def test_a_dry_run_moves_nothing(self, service: RegistryService) -> None:
        self.live(service)
        self.make(service)
        before = self.snapshot(service)
        done = service.promote(ask.Promote(ref="fraud#2", target=PRODUCTION, dry_run=True))
        assert not done.moved
        assert [service.get_version(i).number for i in done.displaced] == [1]
        assert self.snapshot(service) == before

    def test_promotion_to_the_stage_held_is_no_event(self, service: RegistryService) -> None:
        self.live(service)
        before = self.snapshot(service)
        assert service.promote(ask.Promote(ref="fraud", target=PRODUCTION)).moved is False
        assert self.snapshot(service) == before

    @pytest.mark.parametrize(
        ("path", "target"),
        [
            ((TESTING,), PRODUCTION),
            ((PRODUCTION,), TESTING),
            ((PRODUCTION, DEPRECATED), PRODUCTION),
            ((PRODUCTION, DEPRECATED), STAGING),
            ((ARCHIVED,), PRODUCTION),
            ((ARCHIVED,), STAGING),
            ((), DEPRECATED),
        ],
        ids=str,
    )
    def test_a_move_that_the_table_lacks_is_refused_with_the_legal_ones(
        self, service: RegistryService, path: tuple[ModelStage, ...], target: ModelStage
    ) -> None:
        ref = self.make(service).model_id
        for stage in path:
            self.move(service, ref, stage)
        with self.refused(service, TransitionNotAllowed) as caught:
            self.move(service, ref, target)
        for stage in caught.value.data["legal"]:
            assert service.promote(ask.Promote(ref=ref, target=ModelStage(stage), dry_run=True))

    def test_the_short_cut_to_production_closes_with_the_first_gate(self, service: RegistryService) -> None:
        self.make(service, metrics={"accuracy": 0.9})
        self.policy(service, gates={"staging": {"min_accuracy": 0.5}})
        with self.refused(service, TransitionNotAllowed, "gates this model"):
            self.move(service, "fraud", PRODUCTION)

    def test_the_strict_table_knows_one_way_up_and_no_staying(self, service: RegistryService) -> None:
        self.make(service)
        self.policy(service, lifecycle="strict")
        for wrong in (STAGING, PRODUCTION, DEVELOPMENT):
            with self.refused(service, TransitionNotAllowed):
                self.move(service, "fraud", wrong)
        for stage in (TESTING, STAGING, PRODUCTION, DEPRECATED, ARCHIVED):
            assert self.move(service, "fraud#1", stage).stage is stage

    def test_a_model_may_bring_its_own_table(self, service: RegistryService) -> None:
        self.make(service)
        self.policy(service, transitions={"development": ["production"], "production": ["development"]})
        with self.refused(service, TransitionNotAllowed):
            self.move(service, "fraud", STAGING)
        assert self.move(service, "fraud", PRODUCTION).stage is PRODUCTION
        assert self.move(service, "fraud", DEVELOPMENT).stage is DEVELOPMENT

    def test_no_way_into_production_leads_past_the_gates(self, service: RegistryService) -> None:
        self.make(service, metrics={"accuracy": 0.5})
        self.policy(service, gates={"production": {"min_accuracy": 0.9}})
        self.move(service, "fraud", STAGING)
        with self.refused(service, GateRefused):
            self.move(service, "fraud", PRODUCTION)
        with self.refused(service, TransitionNotAllowed):
            self.make(service, stage=PRODUCTION, metrics={"accuracy": 0.95})
        with self.refused(service, NotAllowed):
            service.roll_back(ask.RollBack(ref="fraud", target="#1"))
        with self.refused(service, InvalidName):
            self.alias(service, "#1", "production")
        with self.refused(service, GateRefused):
            self.move(
                service, "fraud", PRODUCTION, requirements={"min_accuracy": 0.1}, force=True, reason="please"
            )

    def test_registering_into_a_stage_passes_its_gates(self, service: RegistryService) -> None:
        self.make(service, metrics={"accuracy": 0.5})
        self.policy(service, gates={"staging": {"min_accuracy": 0.9}})
        with self.refused(service, GateRefused):
            self.make(service, stage=STAGING, metrics={"accuracy": 0.8})
        made = self.make(service, stage=STAGING, metrics={"accuracy": 0.95})
        assert (made.stage, self.holder(service, "fraud@staging")) == (STAGING, made.number)
        assert self.log(service)[-1].after["verdict"]["passed"] is True

    def test_registering_into_production_displaces_the_incumbent(self, service: RegistryService) -> None:
        first = self.make(service, stage=PRODUCTION)
        second = self.make(service, stage=PRODUCTION)
        assert service.get_version(first.model_id).successor == second.model_id
        assert self.holder(service, "fraud@production") == 2

    def test_expected_is_a_compare_and_set(self, service: RegistryService) -> None:
        first = self.live(service)
        self.make(service)
        with self.refused(service, Conflict, first.model_id) as caught:
            self.move(service, "fraud#2", PRODUCTION, expected="#2")
        assert caught.value.data == {"holder": 1, "pointer": "stage:production"}
        with self.refused(service, Conflict, "not by nobody"):
            self.move(service, "fraud#2", PRODUCTION, expected="")
        for expected in ("#1", first.version, first.model_id, "fraud@production"):
            done = service.promote(
                ask.Promote(ref="fraud#2", target=PRODUCTION, expected=expected, dry_run=True)
            )
            assert done.verdict.passed
        assert self.move(service, "fraud#2", PRODUCTION, expected="fraud#1").stage is PRODUCTION

    def test_expecting_somebody_where_nobody_is_is_a_conflict(self, service: RegistryService) -> None:
        self.make(service)
        with self.refused(service, Conflict, "held by nobody, not by #1"):
            self.move(service, "fraud#1", PRODUCTION, expected="#1")

    def test_expecting_nobody_holds_only_while_nobody_does(self, service: RegistryService) -> None:
        self.make(service)
        self.make(service)
        self.move(service, "fraud#1", PRODUCTION, expected="")
        with self.refused(service, Conflict):
            self.move(service, "fraud#2", PRODUCTION, expected="")

    def test_one_of_many_with_the_same_expectation_wins(self, service: RegistryService) -> None:
        self.live(service)
        refs = [self.make(service).model_id for _ in range(8)]
        before = len(self.log(service))
        start = Barrier(len(refs))

        def promote(ref: str) -> bool:
            start.wait()
            try:
                return service.promote(ask.Promote(ref=ref, target=PRODUCTION, expected="fraud#1")).moved
            except Conflict:
                return False

        with ThreadPoolExecutor(len(refs)) as pool:
            assert sorted(pool.map(promote, refs)) == [False] * 7 + [True]
        assert len(self.log(service)) == before + 1
        assert len(service.get_model("fraud").holders["production"]) == 1

    def test_archiving_waits_until_nothing_points_there(self, service: RegistryService) -> None:
        self.live(service)
        self.alias(service, "#1")
        with self.refused(service, Protected, "cannot be archived") as caught:
            self.move(service, "fraud#1", ARCHIVED, force=True)
        assert caught.value.reasons == ("alias 'champion'",)
        assert self.move(service, "fraud#1", ARCHIVED, force=True, reason="it leaks").stage is ARCHIVED

    def test_a_restored_version_may_rise_again(self, service: RegistryService) -> None:
        self.make(service)
        self.move(service, "fraud#1", ARCHIVED)
        self.move(service, "fraud#1", DEVELOPMENT)
        assert self.move(service, "fraud#1", PRODUCTION).stage is PRODUCTION

    def test_what_the_scan_calls_unsafe_stays_in_development_without_an_alias(
        self, service: RegistryService
    ) -> None:
        made = self.make(service, data=UNSAFE)
        assert made.scan == "unsafe"
        for target in (TESTING, STAGING, PRODUCTION):
            with self.refused(service, GateRefused):
                self.move(service, made.model_id, target)
        with self.refused(service, NotAllowed, "unsafe"):
            self.alias(service, "#1")
        with self.refused(service, NotAllowed, "unsafe"):
            self.make(service, files=made.files, alias="champion")

    def test_a_policy_with_a_slip_is_refused_when_it_is_saved(self, service: RegistryService) -> None:
        self.make(service, metrics={"accuracy": 0.9})
        slips: tuple[dict[str, Any], ...] = (
            {"gates": {"production": {"min_acuracy": 0.9}}},
            {"gates": {"nowhere": {}}},
            {"lifecycel": "strict"},
            {"holders": {"production": -1}},
        )
        for wrong in slips:
            with self.refused(service, InvalidPolicy):
                service.set_policy(ask.SetPolicy(model="fraud", policy=wrong))

    def test_a_policy_may_not_allow_fewer_holders_than_there_are(self, service: RegistryService) -> None:
        self.make(service)
        self.make(service)
        self.policy(service, holders={"production": 2})
        for number in (1, 2):
            self.move(service, f"fraud#{number}", PRODUCTION, keep_existing=True)
        with self.refused(service, NotAllowed, "#1, #2"):
            self.policy(service, holders={"production": 1})
        self.move(service, "fraud#1", DEPRECATED)
        self.policy(service, holders={"production": 1})

    def test_policies_are_versioned_and_compared_before_they_are_replaced(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        self.make(service)
        self.policy(service, lifecycle="strict")
        policy = service.get_model("fraud").policy
        assert (policy.version, policy.at, policy.by) == (1, clock.now(), "ann")
        with self.refused(service, Conflict, "version 1, not 0"):
            service.set_policy(ask.SetPolicy(model="fraud", policy={}, expected=0))
        service.set_policy(ask.SetPolicy(model="fraud", policy={}, expected=1))
        assert self.log(service)[-1].before["policy"]["lifecycle"] == "strict"
