"""Two versions side by side."""

from __future__ import annotations

import json
import math
import random
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelyard.adapters.statistics import ScipyStatistics
from modelyard.domain import compare as comparing
from modelyard.domain.compare import ADVICE, Comparison, MetricComparison
from modelyard.domain.errors import InvalidInput, MissingDependency, NotFound
from modelyard.domain.records import FileEntry, Metric, ModelVersion
from modelyard.domain.results import Results

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def compare(a: ModelVersion, b: ModelVersion, *wanted: Any, **given: Any) -> Comparison:
    """With the tests that a registry makes."""
    return comparing.compare(a, b, *wanted, **{"judge": ScipyStatistics().judge, **given})


def version(model_id: str, *metrics: Metric, **facts: Any) -> ModelVersion:
    return ModelVersion(
        model_id=model_id,
        name="fraud",
        number=1,
        version=f"0.1.0-{model_id}",
        created_at=NOW,
        created_by="ann",
        metrics=metrics,
        **facts,
    )


def metric(name: str, value: float, **facts: Any) -> Metric:
    return Metric(name=name, value=value, at=NOW, **facts)


def one(left: Metric, right: Metric) -> MetricComparison:
    (found,) = compare(version("a", left), version("b", right)).metrics
    return found


# --- bare numbers ---


def test_bare_numbers_give_a_winner_by_heuristic_and_say_so() -> None:
    found = compare(version("a", metric("accuracy", 0.9)), version("b", metric("accuracy", 0.92)))
    assert (found.winner, found.confidence_kind) == ("b", "heuristic")
    assert found.confidence_score == pytest.approx(0.5 + 0.45 * (0.3 + 0.7 * 0.02 / 0.92))
    (row,) = found.metrics
    assert (row.delta, row.direction, row.better) == (pytest.approx(0.02), "higher", "b")
    assert (row.test, row.p_value, row.p_adjusted, row.interval, row.n) == ("", None, None, None, None)


@pytest.mark.parametrize(
    ("test", "train"),
    [
        (metric("accuracy", 0.85, n=500, split="test"), metric("accuracy", 0.95, n=10**5, split="train")),
        (metric("accuracy", 0.85, n=500), metric("accuracy", 0.95, n=10**5, split="Training")),
        (metric("accuracy", 0.85, n=500), metric("train_accuracy", 0.95, n=10**5)),
        (metric("mae", 3.0, split="val"), metric("accuracy", 0.95, n=10**5, dataset="iris", split="train")),
    ],
)
def test_what_was_measured_on_training_data_is_listed_and_does_not_decide(
    test: Metric, train: Metric
) -> None:
    """The overfitted one is better on what it has seen, and nowhere else."""
    worse = 0.03 if test.name == "mae" else -0.03
    a = version("a", test, train)
    b = version("b", replace(test, value=test.value + worse), replace(train, value=0.99))
    found, (row,) = compare(a, b), [m for m in compare(a, b).metrics if "rain" in m.name]
    assert found.winner != "b"
    assert (row.delta, row.better, row.comparable) == (pytest.approx(0.04), None, False)
    assert (row.p_value, row.note) == (
        None,
        "left out: measured on training data, and other data was measured too",
    )


@pytest.mark.parametrize(
    "other",
    [
        (),
        (metric("latency_ms", 10),),
        (metric("fairness", 0.5, split="test"),),
        (metric("accuracy", math.nan, split="test"),),
    ],
)
def test_training_data_decides_where_nothing_better_was_measured(other: tuple[Metric, ...]) -> None:
    a = version("a", metric("accuracy", 0.85, n=10**5, split="train"), *other)
    b = version("b", metric("accuracy", 0.99, n=10**5, split="train"), *other)
    assert compare(a, b).winner == "b"
    assert compare(a, b, ["accuracy[train]"]).winner == "b"


def test_training_data_of_one_side_only_is_noted_as_such() -> None:
    test = metric("accuracy", 0.85, split="test")
    found = compare(version("a", test, metric("accuracy", 0.9, split="train")), version("b", test))
    assert found.metrics[1].name == "accuracy[train]"
    assert found.metrics[1].note == "recorded on one side only"


def test_lower_wins_where_lower_is_better() -> None:
    found = compare(version("a", metric("loss", 0.5)), version("b", metric("loss", 0.7)))
    assert found.winner == "a"
    assert found.metrics[0].direction == "lower"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((), ()),
        ((metric("accuracy", 0.9),), (metric("accuracy", 0.9),)),
        ((metric("accuracy", 0.0),), (metric("accuracy", 0.0),)),
        ((metric("fairness", 0.1),), (metric("fairness", 0.9),)),
        ((metric("accuracy", 0.1),), (metric("loss", 0.9),)),
        ((metric("accuracy", 0.1),), (metric("accuracy", math.nan),)),
        ((metric("q", 0.1, higher_is_better=True),), (metric("q", 0.9, higher_is_better=False),)),
        (
            (metric("accuracy", 0.8), metric("precision", 0.9)),
            (metric("accuracy", 0.9), metric("precision", 0.8)),
        ),
    ],
)
def test_where_nothing_supports_a_winner_there_is_none(
    left: tuple[Metric, ...], right: tuple[Metric, ...]
) -> None:
    found = compare(version("a", *left), version("b", *right))
    assert (found.winner, found.confidence_score, found.confidence_kind) == (None, 0.5, "heuristic")


def test_what_one_side_lacks_is_listed_and_does_not_count() -> None:
    found = compare(
        version("a", metric("accuracy", 0.9, split="test")),
        version("b", metric("accuracy", 0.8), metric("loss", math.nan)),
    )
    assert [(m.name, m.a, m.b) for m in found.metrics[:2]] == [
        ("accuracy", None, 0.8),
        ("accuracy[test]", 0.9, None),
    ]
    assert found.winner is None
    assert [(m["name"], m["b"]) for m in found.to_mapping()["metrics"]][2] == ("loss", "NaN")


def test_winning_more_metrics_or_by_more_raises_the_score() -> None:
    def score(*values: float) -> float:
        names = ("accuracy", "precision", "recall")
        left = [metric(name, 0.5) for name in names]
        right = [metric(name, value) for name, value in zip(names, values, strict=True)]
        return compare(version("a", *left), version("b", *right)).confidence_score

    assert (
        0.5
        < score(0.6, 0.5, 0.5)
        < score(0.6, 0.6, 0.5)
        < score(0.6, 0.6, 0.6)
        < score(0.9, 0.6, 0.6)
        <= 0.95
    )


# --- choosing metrics ---


def test_only_the_metrics_asked_for_count() -> None:
    a = version("a", metric("accuracy", 0.9), metric("f1_score", 0.5))
    b = version("b", metric("accuracy", 0.8), metric("f1_score", 0.6))
    assert compare(a, b, ["accuracy"]).winner == "a"
    assert compare(a, b, ["f1", "f1"]).winner == "b"
    assert [m.name for m in compare(a, b, ["f1", "accuracy"]).metrics] == ["f1", "accuracy"]


def test_of_two_versions_without_any_metric_each_asked_for_is_a_row_without_a_value() -> None:
    found = compare(version("a"), version("b"), ["accuracy", "f1"])
    assert found.winner is None
    assert found.metrics == tuple(
        MetricComparison(name=name, a=None, b=None, note="recorded on neither side")
        for name in ("accuracy", "f1")
    )


def test_a_metric_that_nobody_has_is_an_error_and_one_that_one_side_has_is_a_row() -> None:
    a, b = version("a", metric("accuracy", 0.9)), version("b")
    with pytest.raises(NotFound, match=r"Neither fraud:0.1.0-a nor fraud:0.1.0-b has a metric 'recall'"):
        compare(a, b, ["recall"])
    with pytest.raises(
        NotFound, match=r"^fraud:0.1.0-a has no metric 'acuracy'; recorded are: accuracy. Did you"
    ):
        compare(a, a, ["acuracy"])
    with pytest.raises(InvalidInput, match="expected a list of names, found the text 'accuracy'"):
        compare(a, b, "accuracy")
    gap = "recorded on one side only"
    assert compare(a, b, ["accuracy"]).metrics == (
        MetricComparison(name="accuracy", a=0.9, b=None, note=gap),
    )
    assert compare(b, a, ["accuracy"]).metrics == (
        MetricComparison(name="accuracy", a=None, b=0.9, note=gap),
    )
    with pytest.raises(InvalidInput, match="may mean"):
        compare(version("a", metric("f1_a", 1), metric("f1_b", 1)), b, ["f1"])


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        ({"split": "train"}, {"split": "test"}, "split train and test"),
        ({"dataset": "iris"}, {"dataset": "wine"}, "data set iris and wine"),
        ({"dataset_digest": "sha256:1"}, {"dataset_digest": "sha256:2"}, "digest sha256:1 and sha256:2"),
    ],
)
def test_values_on_different_data_are_listed_and_left_out_of_the_verdict(
    left: dict[str, str], right: dict[str, str], said: str
) -> None:
    a = version("a", metric("accuracy", 0.5, n=1000, **left), metric("loss", 2.0))
    b = version("b", metric("accuracy", 0.9, n=1000, **right), metric("loss", 3.0))
    found = compare(a, b, ["accuracy", "loss"])
    row = found.metrics[0]
    assert (row.delta, row.better, row.comparable, row.test) == (pytest.approx(0.4), None, False, "")
    assert row.note == f"left out: measured on different data ({said})"
    assert (found.winner, found.confidence_kind) == ("a", "heuristic")


def test_values_whose_data_one_side_does_not_name_are_not_tested() -> None:
    found = one(metric("accuracy", 0.5, n=1000, dataset_digest="sha256:1"), metric("accuracy", 0.9, n=1000))
    assert (found.comparable, found.better, found.test) == (True, "b", "")
    assert found.note == "not known to be measured on the same data"


# --- tests ---


def test_shares_with_sample_sizes_are_tested_as_two_proportions() -> None:
    """Newcombe 1998, table II, example (a): 56/70 and 48/80; method 10 gives 0.0524 to 0.3339."""
    found = one(metric("accuracy", 48 / 80, n=80), metric("accuracy", 56 / 70, n=70))
    assert found.test == "two-proportion z"
    assert found.n == (80, 70)
    assert found.interval == (pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))
    pooled = 104 / 150
    z = 0.2 / math.sqrt(pooled * (1 - pooled) * (1 / 70 + 1 / 80))
    assert found.p_value == found.p_adjusted == pytest.approx(math.erfc(z / math.sqrt(2)))
    few = one(metric("accuracy", 0.9, n=10), metric("accuracy", 0.8, n=10))
    assert (few.test, few.p_value) == ("Fisher exact", 1.0)


def test_means_with_their_spread_are_tested_by_welch() -> None:
    found = one(metric("mae", 10.0, n=100, sd=2.0), metric("mae", 9.0, n=50, sd=3.0))
    assert found.test == "Welch t"
    assert found.p_value == pytest.approx(0.0364, abs=1e-4)  # t = 2.132 at 71.4 degrees of freedom
    assert found.better == "b"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (metric("accuracy", 0.9, n=100), metric("accuracy", 0.95)),
        (metric("accuracy", 0.9), metric("accuracy", 0.95, n=100)),
        (metric("accuracy", 90.0, n=1000), metric("accuracy", 95.0, n=1000)),
        (metric("precision", 0.5, n=1000), metric("precision", 0.9, n=1000)),
        (metric("fairness", 0.5, n=1000, sd=1.0), metric("fairness", 0.9, n=1000, sd=1.0)),
        (metric("mae", 10.0, n=1, sd=2.0), metric("mae", 9.0, n=50, sd=3.0)),
        (metric("mae", 10.0, n=50, sd=0.0), metric("mae", 9.0, n=50, sd=0.0)),
        (metric("mae", 10.0, n=50, sd=1.0), metric("mae", 9.0, n=50)),
        (
            metric("accuracy", 0.5, n=1000, dataset_digest="a"),
            metric("accuracy", 0.9, n=1000, dataset_digest="b"),
        ),
    ],
)
def test_no_test_is_made_where_its_conditions_do_not_hold(left: Metric, right: Metric) -> None:
    found = one(left, right)
    assert found.test == ""
    assert found.note


def test_differences_too_large_to_write_down_stay_finite() -> None:
    left, right = (metric("mae", value, n=100, sd=1e308) for value in (-1.7e308, 1.7e308))
    found = one(left, right)
    assert (found.test, found.better, found.delta) == ("", "a", sys.float_info.max)


@pytest.mark.parametrize("name", ["accuracy", "Test_Accuracy", "val_error_rate"])
def test_a_share_of_examples_is_recognised_with_its_split(name: str) -> None:
    assert one(metric(name, 0.5, n=1000), metric(name, 0.9, n=1000)).test == "two-proportion z"


def test_a_significant_difference_wins_and_an_insignificant_one_does_not() -> None:
    a = version("a", metric("accuracy", 0.90, n=10_000), metric("loss", 0.1))
    clear = compare(a, version("b", metric("accuracy", 0.92, n=10_000), metric("loss", 9.9)))
    assert (clear.winner, clear.confidence_kind) == ("b", "statistical")
    assert clear.confidence_score > 0.975
    unclear = compare(a, version("b", metric("accuracy", 0.901, n=10_000)))
    assert (unclear.winner, unclear.confidence_kind) == (None, "statistical")
    assert 0.5 < unclear.confidence_score < 0.975


def test_tests_that_contradict_each_other_leave_no_winner() -> None:
    a = version("a", metric("accuracy", 0.8, n=5000), metric("mae", 1.0, n=5000, sd=1.0))
    b = version("b", metric("accuracy", 0.9, n=5000), metric("mae", 2.0, n=5000, sd=1.0))
    found = compare(a, b)
    assert (found.winner, found.confidence_score, found.confidence_kind) == (None, 0.5, "statistical")


def test_several_tests_are_corrected_for_their_number() -> None:
    """Holm: the smallest of three p-values counts threefold, the next twofold, and they never fall."""
    left = [metric("accuracy", 0.50, n=1000, split=s) for s in "xyz"]
    right = [metric("accuracy", v, n=1000, split=s) for s, v in (("x", 0.545), ("y", 0.543), ("z", 0.50))]
    found = compare(version("a", *left), version("b", *right))
    x, y, z = found.metrics
    assert x.p_value is not None
    assert y.p_value is not None
    assert x.p_value < 0.05 < 3 * x.p_value
    assert x.p_adjusted == pytest.approx(3 * x.p_value)
    assert y.p_adjusted == pytest.approx(max(3 * x.p_value, 2 * y.p_value))
    assert (z.p_value, z.p_adjusted) == (1.0, 1.0)
    assert found.winner is None


# --- per-example results ---


def results(**columns: list[float]) -> Results:
    ids = tuple(f"e{index:03}" for index in range(len(next(iter(columns.values())))))
    return Results(ids=ids, columns=columns)


RIGHT = [1.0] * 60 + [0.0] * 40
BETTER = [1.0] * 80 + [0.0] * 20


def paired(a: ModelVersion, b: ModelVersion, *wanted: Any, place: str = "", **given: Any) -> Comparison:
    shared = {place: (results(accuracy=RIGHT), results(accuracy=BETTER))}
    return compare(a, b, *wanted, results=shared, **given)


def test_right_and_wrong_on_the_same_examples_are_compared_in_pairs() -> None:
    """20 examples became right and none wrong: p is 2 / 2**20."""
    found = paired(version("a", metric("accuracy", 0.6)), version("b", metric("accuracy", 0.8)))
    (row,) = found.metrics
    assert (row.test, row.n, row.p_value) == ("McNemar exact", (100, 100), pytest.approx(2 / 2**20))
    assert (found.winner, found.confidence_kind, found.notes) == ("b", "statistical", ())


def test_losses_on_the_same_examples_are_compared_in_pairs() -> None:
    losses = [index / 100 for index in range(100)]
    less = [value - 0.1 + 0.05 * (index % 2) for index, value in enumerate(losses)]
    found = compare(
        version("a"), version("b"), results={"test": (results(log_loss=losses), results(log_loss=less))}
    )
    (row,) = found.metrics
    assert (row.name, row.test, row.better) == ("log_loss[test]", "paired bootstrap-t", "b")
    assert (row.a, row.delta) == (pytest.approx(0.495), pytest.approx(-0.075))


def test_results_without_a_recorded_metric_become_a_row_of_their_own() -> None:
    found = paired(version("a"), version("b"), place="test")
    assert [(row.name, row.a, row.b) for row in found.metrics] == [("accuracy[test]", 0.6, 0.8)]
    assert paired(version("a"), version("b"), ["accuracy"], place="test").winner == "b"


@pytest.mark.parametrize("facts", [{"split": "test"}, {"dataset": "iris", "split": "test"}, {}])
def test_results_belong_to_the_metric_that_names_their_place_or_none(facts: dict[str, str]) -> None:
    a, b = version("a", metric("accuracy", 0.6, **facts)), version("b", metric("accuracy", 0.8, **facts))
    assert paired(a, b, place="test").metrics[0].test == "McNemar exact"
    assert paired(a, b, place="").metrics[0].test == "McNemar exact"


def test_results_of_another_place_prove_nothing() -> None:
    a = version("a", metric("accuracy", 0.6, split="train"))
    b = version("b", metric("accuracy", 0.8, split="train"))
    found = paired(a, b, place="test")
    assert [(row.name, row.test) for row in found.metrics] == [("accuracy[train]", "")]


def test_the_most_exact_place_counts() -> None:
    facts = {"dataset": "iris", "split": "test"}
    a, b = version("a", metric("accuracy", 0.6, **facts)), version("b", metric("accuracy", 0.8, **facts))
    shared = {
        "test": (results(accuracy=BETTER), results(accuracy=RIGHT)),
        "iris/test": (results(accuracy=RIGHT), results(accuracy=BETTER)),
    }
    assert compare(a, b, results=shared).winner == "b"


def test_results_that_contradict_the_record_are_not_used() -> None:
    a = version("a", metric("accuracy", 0.7, n=100))
    found = paired(a, version("b", metric("accuracy", 0.8, n=100)))
    (row,) = found.metrics
    assert row.test == "two-proportion z"
    assert row.note == "not paired: 0.7 is recorded, and the mean of the per-example results is 0.6"
    found = paired(version("a", metric("accuracy", 0.7)), version("b", metric("accuracy", 0.8)))
    assert found.metrics[0].note.endswith("is 0.6; no sample size recorded")


def test_results_on_other_examples_are_not_used_and_this_is_said() -> None:
    other = Results(ids=tuple(f"e{index:03}" for index in range(50, 150)), columns={"accuracy": BETTER})
    found = compare(version("a"), version("b"), results={"test": (results(accuracy=RIGHT), other)})
    assert found.metrics == ()
    (note,) = found.notes
    assert note == (
        "per-example results of test not used: they are about different examples (50 only of a, 50 only of b, "
        "50 of both)"
    )


def test_results_never_bridge_different_data() -> None:
    a = version("a", metric("accuracy", 0.6, dataset_digest="sha256:1"))
    b = version("b", metric("accuracy", 0.8, dataset_digest="sha256:2"))
    assert paired(a, b).metrics[0].comparable is False


# --- what was found out besides ---


def test_without_statistics_the_score_is_a_heuristic_and_says_what_to_install() -> None:
    a, b = version("a", metric("accuracy", 0.9, n=100)), version("b", metric("accuracy", 0.95, n=100))
    found = comparing.compare(a, b, notes=["first"])
    assert (found.winner, found.confidence_kind) == ("b", "heuristic")
    assert found.notes == ("first", "no statistics are at hand here")
    assert found.metrics[0].note == "no statistics are at hand here"


def test_bare_numbers_come_with_the_advice_to_record_more() -> None:
    found = compare(version("a", metric("accuracy", 0.9)), version("b", metric("accuracy", 0.95)))
    assert found.notes == (ADVICE,)
    assert compare(version("a"), version("b")).notes == ()


def test_a_metric_whose_direction_nobody_knows_is_not_tested() -> None:
    found = one(metric("fairness", 0.5, n=50, sd=1.0), metric("fairness", 0.9, n=50, sd=1.0))
    assert (found.test, found.note) == ("", "nobody knows which direction is better")


def test_equal_versions_with_many_metrics_have_a_winner_no_more_often_than_promised() -> None:
    """Five metrics without a true difference, 400 times: Holm keeps the share of winners at 5 %, and three
    standard errors above it are 8.3 %.
    """
    chance = random.Random(4)

    def drawn(model_id: str) -> ModelVersion:
        shares = [sum(chance.random() < 0.7 for _ in range(150)) / 150 for _ in range(5)]
        return version(model_id, *(metric("accuracy", p, n=150, split=str(i)) for i, p in enumerate(shares)))

    winners = sum(compare(drawn("a"), drawn("b")).winner is not None for _ in range(400))
    assert 0.005 < winners / 400 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


# --- what they are made of ---


def test_differences_name_both_sides_and_leave_out_what_is_equal() -> None:
    a = version(
        "a",
        hyperparams={"C": 1.0, "tol": 0.1, "gone": None},
        environment={"python": "3.11", "packages": {"numpy": "2.0", "scipy": "1.0"}},
        files=(
            FileEntry(path="m", size=1, digest="sha256:1"),
            FileEntry(path="x", size=1, digest="sha256:2"),
        ),
        signature={"inputs": [1]},
    )
    b = version(
        "b",
        hyperparams={"C": 0.5, "tol": 0.1},
        environment={"python": "3.11", "packages": {"numpy": "2.1"}},
        files=(FileEntry(path="m", size=1, digest="sha256:3"),),
        signature={"inputs": [2]},
    )
    found = compare(a, b)
    assert found.params_diff == {"C": {"a": 1.0, "b": 0.5}, "gone": {"a": None}}
    assert found.environment_diff == {
        "packages.numpy": {"a": "2.0", "b": "2.1"},
        "packages.scipy": {"a": "1.0"},
    }
    assert found.files_diff == {"m": {"a": "sha256:1", "b": "sha256:3"}, "x": {"a": "sha256:2"}}
    assert found.signature_verdict == "breaking"
    assert found.signature_reasons
    assert compare(a, replace(b, signature=a.signature)).signature_verdict == "identical"
    assert compare(a, replace(b, signature=None)).signature_verdict == "unknown"


# --- output ---


def test_a_frame_has_one_row_per_metric() -> None:
    found = compare(version("a", metric("accuracy", 0.9)), version("b", metric("accuracy", 0.8)))
    frame = found.to_frame()
    assert list(frame.index) == ["accuracy"]
    assert frame.loc["accuracy", "a"] == 0.9
    assert frame.loc["accuracy", "better"] == "a"
    assert list(compare(version("a"), version("b")).to_frame().index) == []


def test_without_pandas_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingDependency, match="pip install pandas"):
        compare(version("a"), version("b")).to_frame()


# --- the law ---

names = st.sampled_from(["accuracy", "loss", "mae", "fairness", "f1_score"])
metrics = st.builds(
    metric,
    names,
    st.floats(0, 1) | st.floats(allow_infinity=False),
    n=st.none() | st.integers(1, 10**6),
    sd=st.none() | st.floats(0, allow_infinity=False),
    split=st.sampled_from(["", "test"]),
    higher_is_better=st.sampled_from([None, True, False]),
)


def mirrored(found: Comparison) -> dict[str, Any]:
    """What the comparison the other way round should say."""
    swapped: dict[str, Any] = found.to_mapping()
    swapped["a"], swapped["b"] = swapped["b"], swapped["a"]
    for row in swapped["metrics"]:
        row["a"], row["b"] = row["b"], row["a"]
        row["delta"] = None if row["delta"] is None else -row["delta"]
        row["n"] = None if row["n"] is None else row["n"][::-1]
        row["interval"] = None if row["interval"] is None else [-bound for bound in row["interval"]][::-1]
        row["note"] = ""
    swapped["notes"] = []
    for diff in ("params_diff", "files_diff", "environment_diff", "card_diff"):
        other = {"a": "b", "b": "a"}
        swapped[diff] = {
            key: {other[side]: v for side, v in row.items()} for key, row in swapped[diff].items()
        }
    return swapped


def close(left: Any, right: Any) -> bool:
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(close(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(close, left, right))
    if isinstance(left, float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12)
    return bool(left == right)


@given(st.lists(metrics, max_size=6), st.lists(metrics, max_size=6))
@example([metric("accuracy", 0.9, n=100)], [metric("accuracy", 0.8, n=90)])
def test_the_comparison_the_other_way_round_is_the_mirror_image(
    left: list[Metric], right: list[Metric]
) -> None:
    """``compare(b, a)`` says of b and a what ``compare(a, b)`` says of a and b, and both are strict JSON."""
    a, b = version("a", *left, hyperparams={"C": 1}), version("b", *right, hyperparams={"D": 1})
    found = compare(a, b)
    other = compare(b, a).to_mapping()
    assert close(
        {**other, "notes": [], "metrics": [{**row, "note": ""} for row in other["metrics"]]}, mirrored(found)
    )
    assert 0.5 <= found.confidence_score <= (1 if found.confidence_kind == "statistical" else 0.95 + 1e-12)
    json.dumps(found.to_mapping(), allow_nan=False)
    assert compare(a, replace(a, model_id="b")).winner is None
