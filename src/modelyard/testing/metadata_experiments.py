"""What every metadata store owes to experiments: subclass beside ``MetadataContract``, with the same fixture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from modelyard.domain.abtest import tallies
from modelyard.domain.errors import Conflict, InvalidInput, InvalidQuery
from modelyard.domain.experiments import Experiment, ExperimentVariant, Exposure, Outcome
from modelyard.ports.metadata import (
    Changes,
    ExperimentKey,
    ExperimentQuery,
    ExposureKey,
    ExposureQuery,
    Guard,
    IdentityKey,
    MetadataStore,
    OutcomeKey,
    OutcomeQuery,
    OutcomeTallyQuery,
)
from modelyard.testing.metadata import T0, a_model, changed, everything, put, seed


def an_experiment(number: int = 1, **fields: Any) -> Experiment:
    """An experiment as its first commit writes it."""
    variants = tuple(
        ExperimentVariant(
            name=name, model_id=f"{index:026d}", number=index, version=f"1.{index}.0", weight=0.5
        )
        for index, name in enumerate("AB", 1)
    )
    given: dict[str, Any] = {
        "experiment_id": f"{number:026d}",
        "model": "Fraud",
        "name": "",
        "identity": f"{number:064x}",
        "variants": variants,
        "metric": "accuracy",
        "kind": "binary",
        "higher_is_better": False,
        "guardrails": {},
        "minimum_sample": 100,
        "alpha": 0.05,
        "created_at": T0,
        "created_by": "ada",
        "revision": 1,
    }
    return Experiment(**(given | fields))


def an_outcome(unit: str = "u", draw: str = "d", **fields: Any) -> Outcome:
    """An outcome of the first experiment."""
    given: dict[str, Any] = {
        "experiment_id": f"{1:026d}",
        "model": "Fraud",
        "variant": "A",
        "value": 1.0,
        "at": T0,
        "revision": 1,
    }
    return Outcome(unit=unit, draw=draw, **(given | fields))


def an_exposure(writer: str = "w", **fields: Any) -> Exposure:
    """What one process has served of the first experiment."""
    given: dict[str, Any] = {
        "experiment_id": f"{1:026d}",
        "model": "Fraud",
        "counts": {"A": 3, "B": 0},
        "revision": 1,
    }
    return Exposure(writer=writer, **(given | fields))


class ExperimentRecordsContract:
    """Experiments, outcomes and exposures in every store; subclasses give a migrated, empty ``store``."""

    @pytest.fixture
    def store(self) -> Iterator[MetadataStore]:
        raise NotImplementedError("a subclass gives the store")

    def test_every_field_of_an_experiment_comes_back_as_it_was(self, store: MetadataStore) -> None:
        full = an_experiment(
            2,
            name="checkout",
            guardrails={"max_latency_ms": 40.0},
            stopped_at=T0 + timedelta(days=1),
            stopped_by="bob",
            reason="enough",
            winner="B",
        )
        seed(store, a_model(), an_experiment(), full)
        for experiment in (an_experiment(), full):
            assert store.get(ExperimentKey(experiment.experiment_id)) == experiment
            assert store.get(IdentityKey(experiment.identity)) == experiment

    def test_every_field_of_outcomes_and_exposures_comes_back_as_it_was(self, store: MetadataStore) -> None:
        full = an_outcome("v", value=-1.5, guardrails={"latency_ms": 1.25, "cost": 2.0}, late=True, by="ada")
        seed(store, an_outcome(), full, an_exposure())
        assert store.get(OutcomeKey(full.experiment_id, "u", "d")) == an_outcome()
        assert store.get(OutcomeKey(full.experiment_id, "v", "d")) == full
        assert store.get(ExposureKey(full.experiment_id, "w")) == an_exposure()

    def test_an_empty_store_has_no_experiments(self, store: MetadataStore) -> None:
        for key in (ExperimentKey("x"), IdentityKey("x"), OutcomeKey("x", "y", "z"), ExposureKey("x", "y")):
            assert store.get(key) is None
        for query in (ExperimentQuery(), OutcomeQuery(experiment_id="x"), ExposureQuery(experiment_id="x")):
            assert everything(store, query) == []
        assert store.find(OutcomeTallyQuery(experiment_id="x")).items == ()

    def test_running_experiments_are_part_of_their_model(self, store: MetadataStore) -> None:
        model = a_model(experiments={"01j9": (1, 2), "01ja": (7,)})
        seed(store, model)
        assert everything(store, ExperimentQuery()) == []
        kept = store.find(ExperimentQuery(model_key="fraud")).items
        assert kept == ()
        seed(store, changed(model, experiments={}))

    @pytest.mark.parametrize("record", [an_experiment(), an_exposure()], ids=lambda r: type(r).__name__)
    def test_nothing_is_written_over_another_revision(self, store: MetadataStore, record: Any) -> None:
        seed(store, record)
        for wrong in (record, replace(record, revision=3)):
            with pytest.raises(Conflict):
                seed(store, wrong)

    def test_an_experiments_end_and_a_process_counts_are_written_on_top(self, store: MetadataStore) -> None:
        seed(store, an_experiment(), an_exposure())
        ended = changed(an_experiment(), stopped_at=T0, winner="A")
        more = changed(an_exposure(), counts={"A": 4, "B": 9})
        seed(store, ended, more)
        assert store.get(ExperimentKey(ended.experiment_id)) == ended
        assert store.get(ExposureKey(more.experiment_id, "w")) == more

    def test_an_outcome_is_never_written_over(self, store: MetadataStore) -> None:
        seed(store, an_outcome(guardrails={"cost": 1.0}))
        with pytest.raises(Conflict):
            seed(store, an_outcome(value=0.0))
        with pytest.raises(InvalidInput, match="written once"):
            seed(store, changed(an_outcome(), value=0.0))
        assert store.get(OutcomeKey(f"{1:026d}", "u", "d")) == an_outcome(guardrails={"cost": 1.0})

    def test_the_same_arguments_are_one_experiment(self, store: MetadataStore) -> None:
        seed(store, an_experiment())
        with pytest.raises(Conflict):
            seed(store, an_experiment(2, identity=f"{1:064x}"))
        with pytest.raises(Conflict):
            store.commit(Changes(puts=(put(an_experiment(3)), put(an_experiment(4, identity=f"{3:064x}")))))
        assert len(everything(store, ExperimentQuery())) == 1

    def test_an_outcome_can_be_guarded_by_its_experiment(self, store: MetadataStore) -> None:
        seed(store, an_experiment())
        seed(store, changed(an_experiment(), stopped_at=T0))
        guard = Guard(key=ExperimentKey(f"{1:026d}"), expected=1)
        with pytest.raises(Conflict):
            store.commit(Changes(puts=(put(an_outcome()),), guards=(guard,)))
        assert store.get(OutcomeKey(f"{1:026d}", "u", "d")) is None

    def test_one_outcome_cannot_be_written_twice_at_once(self, store: MetadataStore) -> None:
        with pytest.raises(InvalidInput, match="twice"):
            seed(store, an_outcome(), an_outcome(value=0.0))

    @pytest.mark.parametrize("limit", [1, 2, 100])
    def test_all_come_in_order_page_by_page(self, store: MetadataStore, limit: int) -> None:
        experiments = [an_experiment(n, model="Fraud" if n != 2 else "churn") for n in (1, 2, 3)]
        outcomes = [an_outcome(unit, draw) for unit in "xyz" for draw in "ab"]
        exposures = [an_exposure(writer) for writer in "pqr"]
        seed(store, *reversed(experiments), *reversed(outcomes), *reversed(exposures))
        seed(store, an_outcome(experiment_id="other"), an_exposure(experiment_id="other"))
        first = f"{1:026d}"
        assert everything(store, ExperimentQuery(limit=limit)) == experiments
        assert everything(store, ExperimentQuery(model_key="fraud", limit=limit)) == [
            experiments[0],
            experiments[2],
        ]
        assert everything(store, OutcomeQuery(experiment_id=first, limit=limit)) == outcomes
        assert everything(store, ExposureQuery(experiment_id=first, limit=limit)) == exposures

    def test_a_cursor_of_another_experiment_is_refused(self, store: MetadataStore) -> None:
        seed(store, an_outcome("u"), an_outcome("v"))
        cursor = store.find(OutcomeQuery(experiment_id=f"{1:026d}", limit=1)).next
        with pytest.raises(InvalidQuery):
            store.find(OutcomeQuery(experiment_id="other", after=cursor))

    def test_outcomes_are_summed_by_variant_and_unit(self, store: MetadataStore) -> None:
        outcomes = [
            an_outcome(f"u{n}", f"d{m}", variant="AB"[n % 2], value=float(n * m), guardrails={"cost": n / 4})
            for n in range(8)
            for m in range(1 + n % 3)
        ]
        outcomes += [an_outcome("late", variant="A", value=99.0, late=True, guardrails={"cost": 99.0})]
        outcomes += [an_outcome("plain", variant="B", value=2.0)]
        seed(store, *outcomes, an_outcome("u", experiment_id="other", value=50.0))
        for metric in ("", "cost", "nothing"):
            found = store.find(OutcomeTallyQuery(experiment_id=f"{1:026d}", metric=metric)).items
            expected = tallies(outcomes, metric)
            assert [(t.variant, t.outcomes, t.units) for t in found] == [
                (t.variant, t.outcomes, t.units) for t in expected
            ]
            for tally, wanted in zip(found, expected, strict=True):
                assert (tally.mean, tally.squares) == pytest.approx((wanted.mean, wanted.squares))

    def test_large_values_keep_what_tells_them_apart(self, store: MetadataStore) -> None:
        seed(store, *(an_outcome(f"u{n}", value=1e12 + n) for n in range(4)))
        (tally,) = store.find(OutcomeTallyQuery(experiment_id=f"{1:026d}")).items
        assert tally.squares == pytest.approx(5.0)

    def test_a_store_with_experiments_has_no_findings(self, store: MetadataStore) -> None:
        seed(store, an_experiment(), an_outcome(guardrails={"cost": 1.0}), an_outcome("v"), an_exposure())
        assert list(store.check()) == []
