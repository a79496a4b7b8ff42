"""What travels with models besides their versions: lineage, what was withdrawn, experiments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from modelyard.domain import manifest
from modelyard.domain.errors import IntegrityError
from modelyard.domain.records import LineageEdge
from modelyard.ports import service as ask
from modelyard.ports.service import Bundle, GivenOutcome, RegistryService
from modelyard.testing.service_transfer import Carrying

WRONG: dict[str, Callable[[Bundle], Bundle]] = {
    "another variant": lambda b: _with_trial(b, minimum_sample=1),
    "another model": lambda b: _with_trial(b, model="ghost"),
    "an outcome of no experiment": lambda b: replace(b, experiments=()),
    "an outcome of no variant": lambda b: replace(b, outcomes=(replace(b.outcomes[0], variant="Z"),)),
    "an outcome of another model": lambda b: replace(b, outcomes=(replace(b.outcomes[0], model="ghost"),)),
    "a count of no variant": lambda b: replace(b, exposures=(replace(b.exposures[0], counts={"Z": 1}),)),
}


def _with_trial(bundle: Bundle, **facts: Any) -> Bundle:
    return replace(bundle, experiments=(replace(bundle.experiments[0], **facts),))


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
        begun = service.begin_experiment(ask.BeginExperiment(model="fraud", variants={"A": "1", "B": "2"}))
        given = tuple(GivenOutcome(assignment=name, value=1) for name in ("A", "B"))
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
