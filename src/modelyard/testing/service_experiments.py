"""Experiments: begun once however often they are asked for, judged honestly, ended once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from modelyard.domain import abtest
from modelyard.domain.errors import (
    AlreadyExists,
    GateRefused,
    InvalidInput,
    ModelNotFound,
    ModelyardError,
    NotAllowed,
    NotFound,
    Protected,
    VersionNotFound,
)
from modelyard.domain.experiments import Experiment
from modelyard.ports import service as ask
from modelyard.ports.service import RegistryService
from modelyard.testing.clock import SettableClock
from modelyard.testing.service_room import PRODUCTION, STAGING, ServiceRoom

NAN = float("nan")


class Experimenting(ServiceRoom):
    """What an experiment promises, wherever the service runs."""

    def begin(self, service: RegistryService, **facts: Any) -> Experiment:
        """Version 1 against version 2 of ``fraud``."""
        given: dict[str, Any] = {"model": "fraud", "variants": {"A": "1", "B": "2"}, "minimum_sample": 20}
        return service.begin_experiment(ask.BeginExperiment(**(given | facts)))

    def begun(self, service: RegistryService, **facts: Any) -> Experiment:
        """The same, over two fresh versions."""
        self.make(service, version="1.0.0")
        self.make(service, version="1.1.0")
        return self.begin(service, **facts)

    def told(
        self, service: RegistryService, experiment: Experiment, right: dict[str, int], units: int = 60
    ) -> ask.Recorded:
        """Outcomes of ``units`` units per variant, of which so many are right."""
        outcomes = tuple(
            ask.GivenOutcome(assignment=name, value=place < good)
            for name, good in right.items()
            for place in range(units)
        )
        return self.record(service, experiment, *outcomes)

    def record(
        self, service: RegistryService, experiment: Experiment, *outcomes: ask.GivenOutcome
    ) -> ask.Recorded:
        request = ask.RecordOutcomes(experiment_id=experiment.experiment_id, outcomes=outcomes)
        return service.record_outcomes(request)

    def assignment(self, experiment: Experiment, unit: str, draw: str = "0" * 16) -> str:
        """The id that ``assign`` would give."""
        name = abtest.place(experiment.identity, unit)[:16].hex()
        return abtest.sealed(experiment.experiment_id, experiment.identity, name, draw)

    def stop(self, service: RegistryService, experiment: Experiment, reason: str = "") -> Experiment:
        return service.stop_experiment(
            ask.StopExperiment(experiment_id=experiment.experiment_id, reason=reason)
        )

    # --- beginning ---------------------------------------------------------------------------------------------------

    def test_an_experiment_pins_its_versions_and_is_one_event(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        found = self.begun(service, weights={"A": 0.8, "B": 0.2}, name="checkout")
        assert [(v.name, v.number, v.version, v.weight) for v in found.variants] == [
            ("A", 1, "1.0.0", 0.8),
            ("B", 2, "1.1.0", 0.2),
        ]
        assert (found.created_at, found.created_by) == (self.log(service)[-1].at, "ann")
        assert found.running
        assert clock.now() <= found.created_at < clock.now() + timedelta(seconds=1)
        assert service.get_model("fraud").experiments == {found.experiment_id: (1, 2)}
        last = self.log(service)[-1]
        key = f"experiment:{found.experiment_id}"
        assert (last.action, last.subject) == ("experiment.started", key)
        assert (last.after[key], last.after["experiment"]["name"]) == ([1, 2], "checkout")
        assert last in self.log(service, "fraud#1")
        assert service.get_experiment(found.experiment_id) == found
        assert service.get_experiment("checkout") == found
        assert service.list_experiments() == service.list_experiments("Fraud") == (found,)

    def test_the_same_arguments_are_the_same_experiment(self, service: RegistryService) -> None:
        found = self.begun(service, guardrails={"max_latency_ms": 40})
        before = self.snapshot(service)
        same: list[dict[str, Any]] = [
            {},
            {"variants": {"A": "1.0.0", "B": "v1.1.0"}},
            {"variants": {"A": "#1", "B": "fraud:1.1.0"}, "weights": {"A": 0.5, "B": 0.5}},
            {"variants": {"A": found.variants[0].model_id, "B": "models:/fraud/2"}},
            {"model": "FRAUD", "higher_is_better": True},
        ]
        for facts in same:
            assert self.begin(service, guardrails={"max_latency_ms": 40.0}, **facts) == found
        assert self.snapshot(service) == before

    @pytest.mark.parametrize(
        "facts",
        [
            {"name": "again"},
            {"variants": {"A": "2", "B": "1"}},
            {"variants": {"x": "1", "y": "2"}},
            {"weights": {"A": 0.4, "B": 0.6}},
            {"metric": "f1"},
            {"kind": "numeric"},
            {"higher_is_better": False},
            {"minimum_sample": 21},
            {"alpha": 0.01},
            {"guardrails": {"min_revenue": 1}},
        ],
        ids=lambda facts: next(iter(facts)),
    )
    def test_other_arguments_are_another_experiment(
        self, service: RegistryService, facts: dict[str, Any]
    ) -> None:
        found = self.begun(service)
        other = self.begin(service, **facts)
        assert other.experiment_id != found.experiment_id
        assert other.identity != found.identity

    def test_a_pointer_is_pinned_when_the_experiment_begins(self, service: RegistryService) -> None:
        self.make(service, version="1.0.0")
        self.make(service, version="1.1.0")
        self.make(service, version="1.2.0")
        self.alias(service, "1.0.0")
        found = self.begin(service, variants={"A": "@champion", "B": "3"})
        self.alias(service, "1.1.0")
        assert self.begin(service, variants={"A": "@champion", "B": "3"}) == found
        assert found.variants[0].number == 1

    def test_a_version_may_be_tried_against_itself(self, service: RegistryService) -> None:
        found = self.begun(service, variants={"A": "1", "B": "1"})
        assert found.numbers == (1,)

    @pytest.mark.parametrize(
        ("facts", "kind", "says"),
        [
            ({"model": "nobody"}, ModelNotFound, "nobody"),
            ({"variants": {"A": "1", "B": "9"}}, VersionNotFound, "9"),
            ({"variants": {"A": "1", "B": "other:1.0.0"}}, NotAllowed, "other"),
            ({"variants": {"A": "1"}}, InvalidInput, "2 to 100"),
            ({"variants": {"A": "1", "a": "2"}}, InvalidInput, "same name"),
            ({"variants": {"A": "1", "B": None}}, InvalidInput, "variant"),
            ({"variants": ["1", "2"]}, InvalidInput, "variants"),
            ({"weights": {"A": 0.5, "B": 0.6}}, InvalidInput, "sum to 1"),
            ({"weights": {"A": 0.5, "C": 0.5}}, InvalidInput, "one for each of A, B"),
            ({"weights": {"A": 0.5}}, InvalidInput, "one for each of A, B, found A"),
            ({"weights": [0.5, 0.5]}, InvalidInput, "weights"),
            ({"weights": {"A": NAN, "B": 0.5}}, InvalidInput, "'A'"),
            ({"name": "a\nb"}, InvalidInput, "experiment name"),
            ({"metric": ""}, InvalidInput, "metric name"),
            ({"kind": "ternary"}, InvalidInput, "binary or numeric"),
            ({"kind": "numeric", "metric": "vibes"}, InvalidInput, "say higher_is_better"),
            ({"higher_is_better": "yes"}, InvalidInput, "true or false"),
            ({"guardrails": {"latency": 1}}, InvalidInput, "max_<metric>"),
            ({"guardrails": {"max_latency": NAN}}, InvalidInput, "finite"),
            ({"minimum_sample": 19}, InvalidInput, "from 20"),
            ({"minimum_sample": 2.5}, InvalidInput, "whole number"),
            ({"minimum_sample": True}, InvalidInput, "whole number"),
            ({"alpha": 0}, InvalidInput, "above 0"),
            ({"alpha": 0.6}, InvalidInput, "up to 0.5"),
            ({"alpha": NAN}, InvalidInput, "alpha"),
        ],
        ids=lambda value: str(value) if isinstance(value, dict) else "",
    )
    def test_what_cannot_be_tried_is_refused(
        self, service: RegistryService, facts: dict[str, Any], kind: type[ModelyardError], says: str
    ) -> None:
        self.make(service, version="1.0.0")
        self.make(service, version="1.1.0")
        self.make(service, "other", version="1.0.0")
        with self.refused(service, kind, says):
            self.begin(service, **facts)

    def test_what_is_right_or_wrong_is_better_right(self, service: RegistryService) -> None:
        assert self.begun(service, metric="vibes").higher_is_better
        assert not self.begin(service, metric="latency_ms", kind="numeric").higher_is_better

    @pytest.mark.parametrize("name", ["", "nobody", "01j9zx4m8n2p6q7r5s3t1v0w9y"])
    def test_an_unknown_experiment_is_not_found(self, service: RegistryService, name: str) -> None:
        self.begun(service)
        with self.refused(service, NotFound, "no experiment"):
            service.get_experiment(name)

    def test_a_name_that_two_models_use_names_none(self, service: RegistryService) -> None:
        found = self.begun(service, name="checkout")
        for label in ("1.0.0", "1.1.0"):
            self.make(service, "churn", version=label)
        other = self.begin(service, model="churn", name="checkout")
        with self.refused(service, NotFound, "use an id") as caught:
            service.get_experiment("checkout")
        assert caught.value.reasons == (
            f"{found.experiment_id} of fraud",
            f"{other.experiment_id} of churn",
        )

    def test_a_name_is_not_given_to_another_experiment_of_the_same_model(
        self, service: RegistryService
    ) -> None:
        found = self.begun(service, name="checkout")
        with self.refused(service, AlreadyExists, f"'checkout'.*{found.experiment_id}.*alpha"):
            self.begin(service, name="checkout", alpha=0.01)
        self.stop(service, found)
        with self.refused(service, AlreadyExists, "minimum_sample, alpha"):
            self.begin(service, name="checkout", alpha=0.01, minimum_sample=30)
        assert self.begin(service, name="checkout").experiment_id == found.experiment_id

    def test_what_is_withdrawn_is_not_tried(self, service: RegistryService) -> None:
        self.make(service, version="1.0.0")
        self.make(service, version="1.1.0")
        service.withdraw(ask.Withdraw(target="fraud#2", reason="it leaks"))
        with self.refused(service, NotAllowed, "B.*1.1.0.*withdrawn.*it leaks"):
            self.begin(service)
        service.reinstate(ask.Reinstate(target="fraud#2"))
        assert self.begin(service).running

    def test_a_withdrawal_reaches_the_experiments_that_run(self, service: RegistryService) -> None:
        found = self.begun(service)
        ended = self.begin(service, name="over")
        self.stop(service, ended)
        reached = service.withdraw(ask.Withdraw(target="fraud#2", reason="it leaks"))
        assert [(item.kind, item.name, item.path) for item in reached.of("experiment")] == [
            ("experiment", found.experiment_id, ("fraud:1.1.0", found.experiment_id))
        ]
        assert self.begin(service) == found

    # --- outcomes ----------------------------------------------------------------------------------------------------

    def test_outcomes_write_no_event(self, service: RegistryService) -> None:
        found = self.begun(service)
        before = self.log(service), service.get_model("fraud")
        assert self.told(service, found, {"A": 30, "B": 30}) == ask.Recorded(recorded=120)
        assert (self.log(service), service.get_model("fraud")) == before

    def test_an_outcome_counts_once_however_often_it_comes(self, service: RegistryService) -> None:
        found = self.begun(service)
        once = ask.GivenOutcome(assignment=self.assignment(found, "bob"), value=True)
        assert self.record(service, found, once) == ask.Recorded(recorded=1)
        assert self.record(service, found, once, once) == ask.Recorded(recorded=0, repeated=2)
        new = ask.GivenOutcome(assignment=self.assignment(found, "bob", "1" * 16), value=True)
        assert self.record(service, found, new, new) == ask.Recorded(recorded=1, repeated=1)
        standing = next(s for s in service.judge_experiment(found.experiment_id).standings if s.units)
        assert (standing.outcomes, standing.units) == (2, 1)

    def test_an_outcome_is_never_changed(self, service: RegistryService) -> None:
        found = self.begun(service, guardrails={"max_cost": 1})
        assignment = self.assignment(found, "bob")
        first = ask.GivenOutcome(assignment=assignment, value=True, guardrails={"cost": 1})
        self.record(service, found, first)
        for other in ({"value": False, "guardrails": {"cost": 1}}, {"value": True}):
            with pytest.raises(AlreadyExists, match="never changed"):
                self.record(service, found, ask.GivenOutcome(assignment=assignment, **other))

    def test_outcomes_are_recorded_all_or_none(self, service: RegistryService) -> None:
        found = self.begun(service)
        good = ask.GivenOutcome(assignment="A", value=True)
        for bad, kind in (
            (ask.GivenOutcome(assignment="C", value=True), NotFound),
            (ask.GivenOutcome(assignment=self.assignment(found, "bob")[:-1], value=True), NotFound),
            (ask.GivenOutcome(assignment="A", value=NAN), InvalidInput),
            (ask.GivenOutcome(assignment="A", value=0.5), InvalidInput),
            (ask.GivenOutcome(assignment="A", value=True, guardrails={"cost": 1}), InvalidInput),
        ):
            with pytest.raises(kind):
                self.record(service, found, good, bad)
        assert service.judge_experiment(found.experiment_id).reasons == ("there are no outcomes yet",)

    def test_too_many_at_once_are_refused(self, service: RegistryService) -> None:
        found = self.begun(service)
        with pytest.raises(InvalidInput, match="at most 10000"):
            self.record(service, found, *[ask.GivenOutcome(assignment="A", value=True)] * 10_001)

    def test_an_outcome_after_the_end_is_kept_and_not_counted(self, service: RegistryService) -> None:
        found = self.begun(service)
        self.told(service, found, {"A": 3, "B": 3}, units=5)
        before = service.judge_experiment(found.experiment_id)
        self.stop(service, found)
        late = ask.GivenOutcome(assignment=self.assignment(found, "bob"), value=True)
        assert self.record(service, found, late) == ask.Recorded(recorded=0, late=1)
        assert self.record(service, found, late) == ask.Recorded(recorded=0, repeated=1)
        assert service.judge_experiment(found.experiment_id) == before

    def test_what_processes_have_served_is_added_up(self, service: RegistryService) -> None:
        found = self.begun(service)

        def count(writer: str, counts: dict[str, Any]) -> None:
            service.count_exposures(
                ask.CountExposures(experiment_id=found.experiment_id, writer=writer, counts=counts)
            )

        count("one", {"A": 3})
        count("one", {"A": 5, "B": 1})
        count("one", {"A": 5, "B": 1})
        count("two", {"B": 2})
        served = {s.variant: s.predictions for s in service.judge_experiment(found.experiment_id).standings}
        assert served == {"A": 5, "B": 3}
        for odd in ({"A": -1}, {"A": 1.5}, {"A": True}):
            with pytest.raises(InvalidInput, match="whole number"):
                count("two", odd)
        with pytest.raises(NotFound, match="no variant 'C'"):
            count("two", {"C": 1})

    # --- judging and ending ------------------------------------------------------------------------------------------

    def test_guardrails_are_judged_by_their_own_values(self, service: RegistryService) -> None:
        found = self.begun(service, guardrails={"max_cost": 1.0})
        outcomes = [
            ask.GivenOutcome(assignment=name, value=name == "B", guardrails={"cost": cost})
            for name, cost in (("A", 0.5), ("B", 1.5))
            for _ in range(40)
        ]
        self.record(service, found, *outcomes)
        verdict = service.judge_experiment(found.experiment_id)
        assert [(f.variant, f.observed, f.state) for f in verdict.guardrails] == [
            ("A", 0.5, "kept"),
            ("B", 1.5, "broken"),
        ]
        assert verdict.winner is None

    def test_the_winner_goes_through_the_gates_and_ends_the_experiment(
        self, service: RegistryService
    ) -> None:
        found = self.begun(service)
        self.move(service, "fraud#2", STAGING)
        self.policy(service, gates={"production": {"tests_passed": True}})
        self.told(service, found, {"A": 10, "B": 55})
        assert service.judge_experiment(found.experiment_id).winner == "B"
        request = ask.PromoteWinner(experiment_id=found.experiment_id)
        with self.refused(service, GateRefused):
            service.promote_winner(request)
        assert service.get_experiment(found.experiment_id).running
        service.record_check(ask.RecordCheck(ref="fraud#2", check="tests_passed", passed=True))
        planned = service.promote_winner(
            ask.PromoteWinner(experiment_id=found.experiment_id, dry_run=True, requirements={"min_f1": 1})
        )
        assert (planned.moved, planned.verdict.passed) == (False, False)
        outcome = service.promote_winner(request)
        assert (outcome.moved, self.holder(service, "fraud@production")) == (True, 2)
        promoted, stopped = self.log(service)[-2:]
        assert (promoted.action, stopped.action) == ("version.promoted", "experiment.stopped")
        assert promoted.reason == stopped.reason == f"winner of experiment {found.experiment_id}"
        told = stopped.after["experiment"]
        assert (told["winner"], told["promoted"], told["units"]) == ("B", True, {"A": 60, "B": 60})
        ended = service.get_experiment(found.experiment_id)
        assert (ended.running, ended.winner, ended.stopped_by) == (False, "B", "ann")
        assert service.get_model("fraud").experiments == {}

    def test_promoting_again_changes_nothing(self, service: RegistryService) -> None:
        found = self.begun(service)
        self.told(service, found, {"A": 10, "B": 55})
        request = ask.PromoteWinner(experiment_id=found.experiment_id, target=STAGING, reason="try it")
        service.promote_winner(request)
        before = self.snapshot(service)
        assert not service.promote_winner(request).moved
        assert self.snapshot(service) == before

    def test_without_a_winner_nothing_is_promoted(self, service: RegistryService) -> None:
        found = self.begun(service)
        with self.refused(service, NotAllowed, "no winner") as caught:
            service.promote_winner(ask.PromoteWinner(experiment_id=found.experiment_id))
        assert caught.value.reasons == ("there are no outcomes yet",)

    def test_an_experiment_ends_once(self, service: RegistryService) -> None:
        found = self.begun(service)
        ended = self.stop(service, found, "enough")
        before = self.snapshot(service)
        assert (ended.reason, ended.winner, ended.running) == ("enough", "", False)
        assert self.stop(service, found, "again") == ended
        assert self.begin(service) == ended
        assert self.snapshot(service) == before

    # --- what it protects --------------------------------------------------------------------------------------------

    def test_a_running_experiment_protects_its_versions(self, service: RegistryService) -> None:
        found = self.begun(service)
        with self.refused(service, Protected) as caught:
            service.delete(ask.Delete(ref="fraud#1"))
        assert caught.value.reasons == (f"running experiment {found.experiment_id}",)
        self.stop(service, found)
        assert service.delete(ask.Delete(ref="fraud#1")).deleted

    def test_deleting_by_force_ends_what_needed_the_version(self, service: RegistryService) -> None:
        found = self.begun(service)
        other = self.begin(service, variants={"A": "1", "B": "1"}, name="A/A")
        service.delete(ask.Delete(ref="fraud#2", force=True, reason="it leaks"))
        ended = service.get_experiment(found.experiment_id)
        assert (ended.running, ended.reason, ended.winner) == (False, "it leaks", "")
        assert service.get_experiment(other.experiment_id).running
        assert service.get_model("fraud").experiments == {other.experiment_id: (1,)}
        assert self.log(service)[-1].after[f"experiment:{found.experiment_id}"] is None

    def test_the_same_arguments_find_an_experiment_whose_version_is_gone(
        self, service: RegistryService
    ) -> None:
        found = self.begun(service)
        service.delete(ask.Delete(ref="fraud#2", force=True, reason="it leaks"))
        assert self.begin(service).experiment_id == found.experiment_id
        with self.refused(service, VersionNotFound, "deleted"):
            self.begin(service, name="another")

    def test_the_history_proves_which_experiments_run(self, service: RegistryService) -> None:
        found = self.begun(service)
        self.begin(service, name="other")
        self.stop(service, found)
        assert service.verify_audit().ok

    def test_an_experiment_that_ended_there_ends_here(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        found = self.begun(service)
        other.import_(service.export())
        self.told(service, found, {"A": 1, "B": 2}, units=3)
        self.stop(service, found, "enough")
        other.import_(service.export())
        assert other.get_experiment(found.experiment_id) == service.get_experiment(found.experiment_id)
        assert other.judge_experiment(found.experiment_id) == service.judge_experiment(found.experiment_id)
        again = other.import_(service.export())
        assert (again.versions, again.notes) == (0, ())

    def test_production_is_where_a_winner_goes(self, service: RegistryService) -> None:
        found = self.begun(service)
        self.told(service, found, {"A": 55, "B": 10})
        service.promote_winner(ask.PromoteWinner(experiment_id=found.experiment_id))
        assert service.get_version("fraud@production").stage is PRODUCTION
