"""Records of experiments from elsewhere are held to what is asked of a caller here."""

from dataclasses import replace

import pytest

from modelyard.domain.errors import InvalidInput, NotFound
from modelyard.domain.experiment_checks import check_experiment, check_exposure, check_outcome
from modelyard.domain.experiments import Exposure

from .trials import ID, an_experiment, an_outcome

LOW, HIGH = "0" * 32, "f" * 32
DRAW = "0123456789abcdef"


@pytest.mark.parametrize("name", ["", "checkout"])
def test_an_experiment_as_this_registry_begins_it_is_taken(name):
    check_experiment(an_experiment(name=name, guardrails={"max_cost": 1.0}))


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"name": "a\x1b"}, "experiment name"),
        ({"metric": ""}, "metric"),
        ({"kind": "ternary"}, "kind"),
        ({"guardrails": {"x": 1.0}}, "guardrail"),
        ({"minimum_sample": 2}, "minimum_sample"),
        ({"alpha": 5.0}, "alpha"),
        ({"identity": "zz"}, "identity"),
        ({"weights": (0.9, 0.9)}, "sum to 1"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_experiment_that_nobody_could_begin_is_refused(facts, says):
    with pytest.raises(InvalidInput, match=says):
        check_experiment(an_experiment(**facts))


def test_two_variants_of_one_name_are_refused():
    trial = an_experiment()
    with pytest.raises(InvalidInput, match="each once"):
        check_experiment(replace(trial, variants=(trial.variants[0], trial.variants[0])))


@pytest.mark.parametrize(("variant", "unit"), [("A", LOW), ("B", HIGH), ("B", f"direct-{LOW}")])
def test_an_outcome_of_the_variant_that_serves_its_unit_is_taken(variant, unit):
    check_outcome(an_experiment(), an_outcome(variant=variant, unit=unit, draw=DRAW))


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"unit": "bob"}, "unit"),
        ({"unit": LOW.upper().replace("0", "A")}, "unit"),
        ({"draw": f"{DRAW}0"}, "draw"),
        ({"variant": "B"}, "expected an outcome of A"),
        ({"value": 0.5}, "True or False"),
        ({"guardrails": {"cost": 1.0}}, "guardrail metric"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_outcome_that_nobody_could_record_is_refused(facts, says):
    with pytest.raises(InvalidInput, match=says):
        check_outcome(an_experiment(), an_outcome(**({"unit": LOW, "draw": DRAW} | facts)))


def test_counts_are_of_the_variants_and_whole():
    count = Exposure(experiment_id=ID, model="fraud", writer="w", counts={"A": 1})
    check_exposure(an_experiment(), count)
    for counts, kind in (({"A": -1}, InvalidInput), ({"A": 1.0}, InvalidInput), ({"Z": 1}, NotFound)):
        with pytest.raises(kind):
            check_exposure(an_experiment(), replace(count, counts=counts))
