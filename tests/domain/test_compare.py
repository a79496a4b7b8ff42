"""Two versions side by side."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelyard.domain.compare import Comparison, MetricComparison, compare
from modelyard.domain.errors import InvalidInput, MissingDependency, NotFound
from modelyard.domain.records import FileEntry, Metric, ModelVersion

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


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
    assert compare(a, b, ["accuracy"]).metrics == (MetricComparison(name="accuracy", a=0.9, b=None),)
    assert compare(b, a, ["accuracy"]).metrics == (MetricComparison(name="accuracy", a=None, b=0.9),)
    with pytest.raises(InvalidInput, match="may mean"):
        compare(version("a", metric("f1_a", 1), metric("f1_b", 1)), b, ["f1"])


def test_values_on_unlike_data_are_compared_on_request_but_never_tested() -> None:
    a = version("a", metric("accuracy", 0.5, n=1000, split="train"))
    b = version("b", metric("accuracy", 0.9, n=1000, split="test"))
    found = compare(a, b, ["accuracy"])
    assert (found.winner, found.confidence_kind) == ("b", "heuristic")


# --- tests ---


def test_two_proportions_are_tested_against_a_published_example() -> None:
    """Newcombe 1998, table II, example (a): 56/70 and 48/80; method 10 gives 0.0524 to 0.3339."""
    found = one(metric("accuracy", 48 / 80, n=80), metric("accuracy", 56 / 70, n=70))
    assert found.test == "two-proportion z"
    assert found.n == (80, 70)
    assert found.interval == (pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))
    pooled = 104 / 150
    z = 0.2 / math.sqrt(pooled * (1 - pooled) * (1 / 70 + 1 / 80))
    assert found.p_value == found.p_adjusted == pytest.approx(math.erfc(z / math.sqrt(2)))


def test_welch_uses_the_normal_approximation_for_large_samples() -> None:
    found = one(metric("mae", 10.0, n=100, sd=2.0), metric("mae", 9.0, n=50, sd=3.0))
    error = math.sqrt(4 / 100 + 9 / 50)
    assert found.test == "Welch (normal approximation)"
    assert found.interval == (pytest.approx(-1 - 1.959964 * error), pytest.approx(-1 + 1.959964 * error))
    assert found.p_value == pytest.approx(math.erfc(1 / error / math.sqrt(2)))
    assert found.better == "b"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (metric("accuracy", 0.9, n=100), metric("accuracy", 0.95)),
        (metric("accuracy", 0.9), metric("accuracy", 0.95, n=100)),
        (metric("accuracy", 0.9, n=10), metric("accuracy", 0.95, n=10)),
        (metric("accuracy", 1.0, n=1000), metric("accuracy", 1.0, n=1000)),
        (metric("accuracy", 90.0, n=1000), metric("accuracy", 95.0, n=1000)),
        (metric("precision", 0.5, n=1000), metric("precision", 0.9, n=1000)),
        (metric("fairness", 0.5, n=1000, sd=1.0), metric("fairness", 0.9, n=1000, sd=1.0)),
        (metric("mae", 10.0, n=29, sd=2.0), metric("mae", 9.0, n=50, sd=3.0)),
        (metric("mae", 10.0, n=50, sd=0.0), metric("mae", 9.0, n=50, sd=0.0)),
        (metric("mae", 10.0, n=50, sd=1.0), metric("mae", 9.0, n=50)),
        (
            metric("accuracy", 0.5, n=1000, dataset_digest="a"),
            metric("accuracy", 0.9, n=1000, dataset_digest="b"),
        ),
    ],
)
def test_no_test_is_made_where_its_conditions_do_not_hold(left: Metric, right: Metric) -> None:
    assert one(left, right).test == ""


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
    assert found.signature_verdict == "different"
    assert compare(a, replace(b, signature=a.signature)).signature_verdict == "same"
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
    for diff in ("params_diff", "files_diff", "environment_diff"):
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
    assert close(compare(b, a).to_mapping(), mirrored(found))
    assert 0.5 <= found.confidence_score <= (1 if found.confidence_kind == "statistical" else 0.95 + 1e-12)
    json.dumps(found.to_mapping(), allow_nan=False)
    assert compare(a, replace(a, model_id="b")).winner is None
