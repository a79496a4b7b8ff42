"""What travels with models besides their versions: lineage, what was withdrawn, experiments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from modelyard.client import bundle_records
from modelyard.domain import manifest
from modelyard.domain.errors import IntegrityError
from modelyard.domain.records import LineageEdge, Source, Withdrawal
from modelyard.ports import service as ask
from modelyard.ports.service import Bundle, GivenOutcome, RegistryService
from modelyard.testing.service_transfer import Carrying

WRONG: dict[str, Callable[[Bundle], Bundle]] = {
    "another variant": lambda b: _with_trial(b, minimum_sample=1),
    "another model": lambda b: _with_trial(b, model="ghost"),
    "another beginning": lambda b: _with_trial(b, created_by="eve"),
    "an end that nobody decided": lambda b: _with_trial(b, stopped_at=b.events[-1].at),
    "a winner before the end": lambda b: _with_trial(b, winner="B"),
    "a reason before the end": lambda b: _with_trial(b, reason="why not"),
    "an experiment twice": lambda b: replace(b, experiments=b.experiments * 2),
    "an outcome of no experiment": lambda b: replace(b, experiments=()),
    "an outcome of no variant": lambda b: replace(b, outcomes=(replace(b.outcomes[0], variant="Z"),)),
    "an outcome of another model": lambda b: replace(b, outcomes=(replace(b.outcomes[0], model="ghost"),)),
    "an outcome twice": lambda b: replace(b, outcomes=(*b.outcomes, b.outcomes[0])),
    "an outcome that is not right or wrong": lambda b: _with_outcome(b, value=2.0),
    "an outcome that is no number": lambda b: _with_outcome(b, value=float("nan")),
    "an outcome with a metric that nothing looks at": lambda b: _with_outcome(b, guardrails={"x y\x1b": 1.0}),
    "an outcome with a guardrail that is no number": lambda b: _with_outcome(b, guardrails={"cost": 1e300}),
    "an outcome of a unit in another form": lambda b: _with_outcome(b, unit="direct-\x1b[31m"),
    "an outcome of a draw in another form": lambda b: _with_outcome(b, draw="zz"),
    "an outcome of a unit that another variant serves": lambda b: _with_outcome(
        b, unit="00000000" * 4 if b.outcomes[0].variant == "B" else "ffffffff" * 4
    ),
    "a count of no variant": lambda b: _with_count(b, counts={"Z": 1}),
    "a count below nothing": lambda b: _with_count(b, counts={"A": -5}),
    "a count that is no number": lambda b: _with_count(b, counts={"A": True}),
    "a count of a writer in another form": lambda b: _with_count(b, writer="\x1b[31m"),
    "a count twice": lambda b: replace(b, exposures=b.exposures * 2),
}

ODD_SOURCES: dict[str, Callable[[Source], tuple[Source, ...]]] = {
    "of a kind that there is not": lambda s: (replace(s, kind="nonsense"),),
    "of a version": lambda s: (replace(s, kind="parent"),),
    "with a space before its name": lambda s: (replace(s, target=f" {s.target}"),),
    "without a name": lambda s: (replace(s, target=" "),),
    "without a reason": lambda s: (replace(s, withdrawn=Withdrawal(reason=" ", at=s.withdrawn.at)),),  # type: ignore[union-attr]
    "twice": lambda s: (s, s),
}


def _with_trial(bundle: Bundle, **facts: Any) -> Bundle:
    return replace(bundle, experiments=(replace(bundle.experiments[0], **facts),))


def _with_outcome(bundle: Bundle, **facts: Any) -> Bundle:
    return replace(bundle, outcomes=(replace(bundle.outcomes[0], **facts), *bundle.outcomes[1:]))


def _with_count(bundle: Bundle, **facts: Any) -> Bundle:
    return replace(bundle, exposures=(replace(bundle.exposures[0], **facts),))


class CarryingMore(Carrying):
    """``export`` and ``import_`` of what is not a version."""

    def test_withdrawn_sources_are_withdrawn_here_too(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        link = LineageEdge(kind="dataset", target="s3://train")
        self.make(service, lineage=(link,))
        self.make(service, "another", lineage=(replace(link, target="s3://other"),))
        for target in ("s3://train", "s3://other"):
            service.withdraw(ask.Withdraw(target=target, kind="dataset", reason="consent"))
        done = self.carry(service, other, service.export(["fraud"]))
        assert done.notes == ("1 source(s) that were withdrawn there are withdrawn here now",)
        assert [source.target for source in other.export().sources] == ["s3://train"]
        assert self.carry(service, other, service.export(["fraud"])).models == {"fraud": "unchanged"}
        assert other.verify_audit().ok

    @pytest.mark.parametrize("change", ODD_SOURCES.values(), ids=ODD_SOURCES)
    def test_a_source_that_nobody_could_withdraw_is_refused(
        self,
        service: RegistryService,
        other: RegistryService,
        change: Callable[[Source], tuple[Source, ...]],
    ) -> None:
        self.make(service, lineage=(LineageEdge(kind="dataset", target="s3://train"),))
        service.withdraw(ask.Withdraw(target="s3://train", kind="dataset", reason="consent"))
        bundle = service.export()
        with self.refused(other, IntegrityError, "nothing was imported"):
            other.import_(replace(bundle, sources=change(bundle.sources[0])))

    def test_a_renumbered_version_keeps_its_links_to_what_is_here(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        base = self.make(service, "base")
        gone = self.make(service, "gone")
        first = self.make(service, data=b"1")
        kinds = {"fine_tuned_from": base, "merged_from": gone}
        edges = tuple(LineageEdge(kind=kind, target=v.model_id) for kind, v in kinds.items())
        self.make(service, data=b"2", lineage=(*edges, LineageEdge(kind="dataset", target="s3://t")))
        service.link(ask.Link(ref="fraud#2", kind="distilled_from", target=first.model_id))
        service.withdraw(ask.Withdraw(target="fraud#2", reason="leaks"))
        self.make(other, data=b"mine")
        done = self.carry(service, other, service.export(["base", "fraud"]))
        mine = self.taken_from(other, service.get_version("fraud#2"))
        assert [(e.kind, e.target) for e in mine.lineage] == [
            ("fine_tuned_from", base.model_id),
            ("dataset", "s3://t"),
        ]
        assert mine.links[0].target == self.taken_from(other, first).model_id
        assert mine.withdrawn == service.get_version("fraud#2").withdrawn
        assert done.notes[-1].endswith(f"; its merged_from {gone.model_id} is not here")
        assert other.check(ask.Check()).findings == ()

    def test_versions_that_would_come_from_each_other_are_refused(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        one = self.make(service, "one")
        self.make(service, "two", parent=one.model_id)
        bundle = service.export()
        other.import_(service.export(["one"]))
        two = bundle.versions[-1]
        circle = replace(two, lineage=(LineageEdge(kind="parent", target=two.model_id),), parent=two.model_id)
        circle = replace(circle, digest=manifest.build(circle).digest)
        event = bundle.events[-1]
        after = {**event.after, "version:1": {**event.after["version:1"], "digest": circle.digest}}
        forged = replace(bundle, models=bundle.models[1:], versions=(circle,))
        forged = self.rehashed(forged, [replace(event, after=after)])
        with self.refused(other, IntegrityError, "circle"):
            other.import_(forged)

    def try_out(self, service: RegistryService) -> str:
        """A running experiment with two outcomes and a count."""
        for label in ("1.0.0", "1.1.0"):
            self.make(service, version=label)
        request = ask.BeginExperiment(
            model="fraud", variants={"A": "1", "B": "2"}, guardrails={"max_cost": 40}
        )
        begun = service.begin_experiment(request)
        given = tuple(GivenOutcome(assignment=name, value=1, guardrails={"cost": 3}) for name in ("A", "B"))
        service.record_outcomes(ask.RecordOutcomes(experiment_id=begun.experiment_id, outcomes=given))
        counted = ask.CountExposures(experiment_id=begun.experiment_id, writer="w", counts={"A": 3})
        service.count_exposures(counted)
        return begun.experiment_id

    def test_an_experiment_goes_on_where_its_model_goes(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        trial = self.try_out(service)
        bundle = service.export()
        assert (len(bundle.outcomes), len(bundle.exposures)) == (2, 1)
        assert self.carry(service, other).notes == ("4 record(s) of experiments were taken",)
        assert other.export() == replace(
            bundle, models=other.export().models, versions=other.export().versions
        )
        assert self.carry(service, other).models == {"fraud": "unchanged"}
        assert other.get_experiment(trial).running
        given = GivenOutcome(assignment="A", value=0)
        service.record_outcomes(ask.RecordOutcomes(experiment_id=trial, outcomes=(given,)))
        service.stop_experiment(ask.StopExperiment(experiment_id=trial, reason="enough"))
        assert self.carry(service, other).models == {"fraud": "forwarded"}
        assert len(other.export().outcomes) == 3
        assert not other.get_experiment(trial).running
        assert other.check(ask.Check()).findings == ()

    def test_whole_numbers_are_the_same_after_they_were_written_as_json(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        """JSON writes 1.0 as 1, and a row's digest knows the difference."""
        self.try_out(service)
        document = bundle_records.document(service.export())
        for _ in range(2):
            self.carry(service, other, bundle_records.parse(document, "it"))
            assert other.check(ask.Check()).findings == ()
            assert bundle_records.document(other.export()) == document

    @pytest.mark.parametrize("kind", ["stopped", "deleted"])
    def test_the_end_of_an_experiment_is_what_its_history_says(
        self, service: RegistryService, other: RegistryService, kind: str
    ) -> None:
        trial = self.try_out(service)
        if kind == "stopped":
            service.stop_experiment(ask.StopExperiment(experiment_id=trial, reason="enough"))
        else:
            service.delete(ask.Delete(ref="fraud#1", force=True, reason="enough"))
        bundle = service.export()
        ended = bundle.experiments[0]
        last = bundle.events[-1]
        assert (ended.stopped_at, ended.stopped_by, ended.reason) == (last.at, "ann", "enough")
        later = last.at + timedelta(microseconds=1)
        wrong: list[dict[str, Any]] = [
            {"winner": "B"},
            {"winner": "zz"},
            {"stopped_by": "eve"},
            {"stopped_at": later},
            {"stopped_at": None},
            {"reason": "another"},
        ]
        for facts in wrong:
            with self.refused(other, IntegrityError, "nothing was imported"):
                other.import_(_with_trial(bundle, **facts))
        assert self.carry(service, other, bundle).models == {"fraud": "taken"}
        assert other.get_experiment(trial) == replace(ended, revision=1)
        assert other.check(ask.Check()).findings == ()

    def test_an_experiment_that_ended_elsewhere_goes_on_here(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        """Its end is in no history here."""
        trial = self.try_out(service)
        self.carry(service, other)
        self.make(other, version="9.0.0")
        service.stop_experiment(ask.StopExperiment(experiment_id=trial, reason="enough"))
        done = self.carry(service, other)
        assert done.notes[-1] == f"experiment {trial} of fraud has ended there and goes on here"
        assert other.get_experiment(trial).running
        assert other.check(ask.Check()).findings == ()

    def test_outcomes_come_along_although_no_event_tells_of_them(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        trial = self.try_out(service)
        self.carry(service, other)
        given = GivenOutcome(assignment="B", value=0)
        service.record_outcomes(ask.RecordOutcomes(experiment_id=trial, outcomes=(given,)))
        assert self.carry(service, other).models == {"fraud": "unchanged"}
        assert len(other.export().outcomes) == 3

    def test_a_model_with_another_history_leaves_its_experiments_behind_and_says_so(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        trial = self.try_out(service)
        self.make(other, version="9.0.0")
        done = self.carry(service, other)
        assert any(trial in note for note in done.notes)
        assert other.export().outcomes == ()
        assert other.check(ask.Check()).findings == ()

    @pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
    def test_records_of_an_experiment_that_do_not_fit_are_refused(
        self, service: RegistryService, other: RegistryService, change: Callable[[Bundle], Bundle]
    ) -> None:
        self.try_out(service)
        with self.refused(other, IntegrityError, "nothing was imported"):
            other.import_(change(service.export()))
