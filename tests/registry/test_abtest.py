"""The public A/B test: served by several processes, recorded durably, judged any time, promoted through the gates."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from modelyard import (
    AlreadyExists,
    GateRefused,
    InvalidInput,
    LoadRefused,
    ModelABTest,
    ModelRegistry,
    ModelyardWarning,
    NotAllowed,
    NotFound,
    VersionNotFound,
)

numpy = pytest.importorskip("numpy")


class Constant:
    """A model that always says the same."""

    def __init__(self, answer):
        self.answer = answer

    def predict(self, rows):
        return numpy.full(len(rows), self.answer)


@pytest.fixture
def served(registry, estimator):
    """Five versions of ``fraud_detection``."""
    model, _ = estimator
    for _ in range(5):
        registry.register_model(model, "fraud_detection")
    return registry


def a_test(registry, **facts):
    given = {"variant_a_version": "4", "variant_b_version": "5", "registry": registry}
    return ModelABTest("fraud_detection", **(given | facts))


def outcomes(test, right, count=100):
    """So many outcomes per variant, of which so many are right."""
    return test.record_outcomes(
        {"variant": name, "correct": place < good} for name, good in right.items() for place in range(count)
    )


# --- the documented way ----------------------------------------------------------------------------------------------


def test_predict_record_and_look(served, estimator):
    _, rows = estimator
    ab_test = ModelABTest(
        model_name="fraud_detection",
        variant_a_version="4",
        variant_b_version="5",
        split=0.5,
        registry=served.location,
    )
    prediction, variant = ab_test.predict(rows[0:1], user_id="user_12345")
    assert variant in ("A", "B")
    assert variant.version == {"A": "0.1.3", "B": "0.1.4"}[variant]
    assert prediction == served.load_model(variant.model_id).predict(rows[0:1])
    ab_test.record_outcome(variant, correct=True)
    results = ab_test.get_results()
    mine = results[f"variant_{variant.lower()}"]
    assert (mine["predictions"], mine["accuracy"]) == (1, 1.0)
    assert results["winner"] is None
    assert results["verdict"] == "undecided"
    ab_test.close()


def test_the_registry_is_found_as_everywhere_else(served, monkeypatch):
    monkeypatch.setenv("MODELYARD_URL", served.location)
    with ModelABTest("fraud_detection", "4", "5") as test:
        assert test.experiment == a_test(served).experiment
        assert repr(test) == f"ModelABTest({test.experiment.experiment_id!r}, 'A=0.1.3 / B=0.1.4')"


def test_without_outcomes_nobody_has_won(served):
    results = a_test(served).get_results()
    assert (results["winner"], results["reasons"]) == (None, ["there are no outcomes yet"])
    assert results["variant_a"]["accuracy"] is None


def test_a_user_keeps_the_variant(served, estimator):
    _, rows = estimator
    test = a_test(served)
    seen = {test.predict(rows[:1], user_id=42)[1] for _ in range(10)}
    assert seen == {test.assign("42")}


def test_a_variant_is_text_that_remembers_its_assignment(served):
    variant = a_test(served).assign("bob")
    again = pickle.loads(pickle.dumps(variant))
    assert json.dumps(variant) in ('"A"', '"B"')
    assert (again, again.assignment_id, again.version, again.model_id) == (
        variant,
        variant.assignment_id,
        variant.version,
        variant.model_id,
    )


def test_an_outcome_may_come_by_id_by_request_or_by_variant(served):
    test = a_test(served)
    assert test.record_outcome(test.assign("bob").assignment_id, correct=True).recorded == 1
    assert test.record_outcome(test.assign("bob", request="order-77"), correct=True).recorded == 1
    assert test.record_outcome(test.assign("bob", request="order-77"), correct=True).repeated == 1
    assert test.record_outcome("A", correct=False).recorded == 1
    with pytest.raises(AlreadyExists):
        test.record_outcome(test.assign("bob", request="order-77"), correct=False)


# --- many rows -------------------------------------------------------------------------------------------------------


@pytest.fixture
def constants(registry):
    """Version 1 says 1, version 2 says 2."""
    for answer in (1, 2):
        registry.register_model(Constant(answer), "constant")
    return ModelABTest("constant", 1, 2, registry=registry)


@pytest.mark.parametrize("kind", ["array", "list", "pandas", "polars"])
def test_every_row_is_answered_by_its_own_users_variant(constants, kind):
    users = [f"user {i}" for i in range(50)]
    table = {
        "array": lambda: numpy.arange(50),
        "list": lambda: list(range(50)),
        "pandas": lambda: pytest.importorskip("pandas").DataFrame({"x": range(50)}),
        "polars": lambda: pytest.importorskip("polars").DataFrame({"x": range(50)}),
    }[kind]()
    predictions, variants = constants.predict(table, users)
    assert isinstance(predictions, numpy.ndarray)
    assert set(variants) == {"A", "B"}
    assert [{"A": 1, "B": 2}[variant] for variant in variants] == predictions.tolist()
    served = constants.get_results()
    assert served["variant_a"]["predictions"] == variants.count("A")
    assert served["variant_b"]["predictions"] == variants.count("B")


def test_rows_and_users_have_to_match(constants):
    with pytest.raises(InvalidInput, match="one for each of 3 rows, found 2"):
        constants.predict([1, 2, 3], ["a", "b"])
    with pytest.raises(InvalidInput, match="expected rows"):
        constants.predict(7, ["a", "b"])
    assert constants.predict([], [])[1] == []


def test_answers_that_are_no_arrays_stay_a_list(constants, monkeypatch):
    monkeypatch.setattr(constants, "model", lambda name: _Lists())
    assert constants.predict([1, 2, 3], ["a", "b", "c"])[0] == ["one", "one", "one"]
    monkeypatch.setattr(constants, "model", lambda name: _Lists(short=True))
    with pytest.raises(InvalidInput, match="one prediction for each"):
        constants.predict([1, 2, 3], ["a", "b", "c"])


class _Lists:
    """A model that answers with a list."""

    def __init__(self, short=False):
        self.short = short

    def predict(self, rows):
        return ["one"] * (len(rows) - self.short)


def test_what_cannot_predict_says_so(registry):
    registry.register_model({"weights": [1, 2]}, "bag")
    test = ModelABTest("bag", 1, 1, registry=registry)
    with pytest.raises(InvalidInput, match="has no predict"):
        test.predict([1], user_id="bob")


def test_models_are_loaded_under_the_load_contract(folder):
    code = (
        "from modelyard import ModelRegistry\n"
        "import types, sys\n"
        "module = types.ModuleType('elsewhere'); sys.modules['elsewhere'] = module\n"
        "exec('class M:\\n def predict(self, x): return x', module.__dict__)\n"
        f"ModelRegistry({str(folder)!r}).register_model(module.M(), 'odd')\n"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env={**os.environ, "MODELYARD_CONFIG_DIR": str(folder.parent / "other")},
    )
    with pytest.raises(LoadRefused):
        ModelABTest("odd", 1, 1, registry=folder).predict([1], user_id="bob")


# --- several processes ----------------------------------------------------------------------------------------------

WORKER = """
import sys
from modelyard import ModelABTest
location, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with ModelABTest("fraud_detection", "4", "5", registry=location) as test:
    print(test.experiment.experiment_id)
    for number in range(first, last):
        variant = test.assign(f"user {number}", request="only")
        test.record_outcome(variant, correct=number % 3 > 0)
"""


def test_processes_and_a_restart_continue_the_same_test(served):
    def start(first, last):
        return subprocess.Popen(
            [sys.executable, "-c", WORKER, served.location, str(first), str(last)],
            stdout=subprocess.PIPE,
            text=True,
        )

    together = [start(0, 20), start(10, 30)]  # ten users are seen by both: they count once
    ids = {process.communicate()[0].strip() for process in together}
    restarted = start(30, 40)
    ids.add(restarted.communicate()[0].strip())
    assert {process.returncode for process in (*together, restarted)} == {0}
    test = a_test(served)
    assert ids == {test.experiment.experiment_id}
    standings = test.verdict().standings
    assert sum(standing.outcomes for standing in standings) == 40
    expected = [test.assign(f"user {number}") for number in range(40)]
    assert [s.units for s in standings] == [expected.count("A"), expected.count("B")]


def test_two_that_begin_at_once_begin_one(served):
    with ThreadPoolExecutor(8) as pool:
        tests = list(pool.map(lambda _: a_test(served).experiment.experiment_id, range(16)))
    assert len(set(tests)) == 1
    assert len(served.service.list_experiments()) == 1


def test_an_end_in_between_makes_outcomes_late_and_loses_none(served):
    test = a_test(served)
    begun, answers = threading.Event(), []

    def record():
        for number in range(60):
            answers.append(test.record_outcome(test.assign(f"user {number}"), correct=True))
            begun.set()

    thread = threading.Thread(target=record)
    thread.start()
    assert begun.wait(30)
    a_test(served).stop("enough")
    thread.join()
    counted = sum(answer.recorded for answer in answers)
    assert counted + sum(answer.late for answer in answers) == 60
    assert sum(standing.outcomes for standing in test.verdict().standings) == counted


def test_a_forked_child_counts_for_itself(constants):
    constants.predict([1], user_id="parent")
    child = os.fork()
    if child == 0:
        try:
            constants.predict([1, 2, 3], ["a", "b", "c"])
            constants.verdict()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    constants.predict([1], user_id="parent")
    assert sum(standing.predictions for standing in constants.verdict().standings) == 5


def test_predictions_are_told_without_being_asked_for(constants, monkeypatch):
    monkeypatch.setattr("modelyard.experiments.REPORT_AFTER", 10)
    constants.predict(list(range(9)), [f"u{i}" for i in range(9)])
    other = ModelABTest.open(constants.experiment.experiment_id, registry=constants.registry)
    assert sum(standing.predictions for standing in other.verdict().standings) == 0
    constants.predict([1], user_id="u10")
    assert sum(standing.predictions for standing in other.verdict().standings) == 10


# --- deciding --------------------------------------------------------------------------------------------------------


def test_the_winner_is_promoted_through_the_gates(served):
    served.promote_model("fraud_detection#5", "staging")
    served.set_policy("fraud_detection", {"gates": {"production": {"tests_passed": True}}})
    test = a_test(served)
    outcomes(test, {"A": 50, "B": 95})
    assert test.get_results()["winner"] == "B"
    with pytest.raises(GateRefused):
        test.promote_winner()
    assert test.experiment.running
    served.record_check("fraud_detection#5", "tests_passed")
    assert not test.promote_winner(dry_run=True).moved
    assert test.promote_winner(reason="clearly better").moved
    assert served.status("fraud_detection").live.number == 5
    assert (test.experiment.running, test.experiment.winner) == (False, "B")
    assert test.record_outcome("A", correct=True).late == 1


def test_without_evidence_nothing_is_promoted(served):
    test = a_test(served)
    outcomes(test, {"A": 50, "B": 52})
    with pytest.raises(NotAllowed, match="no winner") as caught:
        test.promote_winner()
    assert caught.value.reasons == ("no variant is better than every other beyond alpha = 0.05",)


def test_many_variants_have_weights_and_guardrails(served):
    test = ModelABTest(
        "fraud_detection",
        variants={"old": "1", "new": 2, "tiny": "0.1.2"},
        weights={"old": 0.4, "new": 0.4, "tiny": 0.2},
        metric="revenue",
        kind="numeric",
        higher_is_better=True,
        guardrails={"max_latency_ms": 40},
        minimum_sample=30,
        registry=served,
    )
    chance, given = numpy.random.default_rng(3), []
    for number in range(1000):
        variant = test.assign(number)
        better = {"old": 0, "new": 5, "tiny": 1}[variant]
        value = chance.normal(10 + better, 2)
        given.append({"variant": variant, "value": value, "guardrails": {"latency_ms": 20 + better}})
    test.record_outcomes(given)
    results = test.get_results()
    assert results["winner"] == "new"
    assert results["variant_new"]["revenue"] == pytest.approx(15, abs=0.5)
    assert test.split == 0.4
    finding = test.verdict().guardrails[1]
    assert (finding.variant, finding.observed, finding.state) == ("new", 25.0, "kept")


def test_an_open_test_is_found_by_id_or_name(served):
    test = a_test(served, name="checkout")
    assert ModelABTest.open("checkout", registry=served).experiment == test.experiment
    assert ModelABTest.open(test.experiment.experiment_id, registry=served).experiment == test.experiment
    with pytest.raises(NotFound):
        ModelABTest.open("nothing", registry=served)


@pytest.mark.parametrize(
    ("facts", "kind", "says"),
    [
        ({"variant_b_version": None}, InvalidInput, "variant_b_version"),
        ({"variants": {"A": "1", "B": "2"}}, InvalidInput, "found both"),
        ({"weights": {"A": 0.5, "B": 0.5}}, InvalidInput, "with weights"),
        ({"split": 1}, InvalidInput, "split"),
        ({"split": float("nan")}, InvalidInput, "split"),
        ({"variant_a_version": 4.0}, InvalidInput, "variant 'A'"),
        ({"variant_a_version": True}, InvalidInput, "variant 'A'"),
        ({"variant_a_version": "17"}, VersionNotFound, "17"),
        ({"guardrails": {"latency": 1}}, InvalidInput, "latency"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_odd_arguments_are_named(served, facts, kind, says):
    with pytest.raises(kind, match=says):
        a_test(served, **facts)
    assert served.service.list_experiments() == ()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"variant": "A"}, "both or neither"),
        ({"variant": "A", "correct": True, "value": 1.0}, "both or neither"),
        ({"variant": None, "correct": True}, "variant"),
        ({"variant": "A", "correct": 2}, "True or False"),
        ({"variant": "A", "correct": True, "extra": 1}, "expected a mapping"),
        (("A", True), "expected a mapping"),
        ({"variant": "A", "correct": True, "guardrails": [1]}, "guardrails"),
    ],
)
def test_odd_outcomes_are_named(served, given, says):
    test = a_test(served)
    with pytest.raises(InvalidInput, match=says):
        test.record_outcomes([given])
    assert test.get_results()["reasons"] == ["there are no outcomes yet"]


def test_a_closed_test_has_closed_only_its_own_registry(served):
    a_test(served).close()
    assert served.service.list_experiments()
    own = ModelABTest("fraud_detection", "4", "5", registry=served.location)
    own.close()
    with pytest.raises(OSError, match="closed"):
        own.verdict()


def test_a_refused_test_leaves_no_open_registry(folder):
    ModelRegistry(folder).close()
    with pytest.raises(LookupError):
        ModelABTest("nobody", "1", "2", registry=folder)


@pytest.mark.parametrize(
    "facts",
    [
        {"variants": ["1", "2"]},
        {"variants": {"A": 1, "B": 2}, "weights": [0.5, 0.5]},
        {"variants": {"A": 1, "B": 2}, "guardrails": ["max_cost"]},
    ],
    ids=str,
)
def test_arguments_of_another_type_are_refused_by_name(served, facts):
    with pytest.raises(InvalidInput, match=list(facts)[-1]):
        ModelABTest("fraud_detection", registry=served, **facts)


@pytest.mark.parametrize("outcomes", [None, 5, "A", b"A", {"variant": "A", "correct": True}], ids=str)
def test_outcomes_are_a_list_of_mappings(served, outcomes):
    with pytest.raises(InvalidInput, match="outcome"):
        a_test(served).record_outcomes(outcomes)


def test_an_outcome_with_guardrails_of_another_type_is_refused(served):
    with pytest.raises(InvalidInput, match="guardrails"):
        a_test(served).record_outcome("A", correct=True, guardrails=["cost"])


@pytest.mark.parametrize(
    "users", [{"a", "b"}, frozenset({"a", "b"}), {"a": 1, "b": 2}], ids=lambda u: type(u).__name__
)
def test_users_without_an_order_are_refused(served, estimator, users):
    with pytest.raises(InvalidInput, match="in the order of the rows"):
        a_test(served).predict(estimator[1][:2], users)


def test_no_rows_get_an_empty_array(served, estimator):
    predictions, variants = a_test(served).predict(estimator[1][:0], [])
    assert isinstance(predictions, numpy.ndarray)
    assert (predictions.shape, variants) == ((0,), [])
    assert a_test(served).predict([], []) == ([], [])


def test_going_on_with_what_was_stopped_is_warned_of(served):
    a_test(served).stop("enough")
    with pytest.warns(ModelyardWarning, match="was stopped.*another name") as caught:
        assert not a_test(served).experiment.running
    assert caught[0].filename == __file__
