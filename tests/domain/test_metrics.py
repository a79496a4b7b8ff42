"""Reading metrics, finding one, and knowing which way is up."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import InvalidInput, NotFound
from modelyard.domain.metrics import (
    DIRECTIONS,
    SHORT_NAMES,
    append,
    direction,
    find,
    higher_is_better,
    latest,
    match_names,
    parse_metrics,
    qualified,
    resolve,
)
from modelyard.domain.records import Metric, ModelVersion

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def read(given_metrics: Any) -> tuple[Metric, ...]:
    return parse_metrics(given_metrics, at=NOW, by="ann")


def metric(name: str, value: float = 0.5, **facts: Any) -> Metric:
    return Metric(**{"name": name, "value": value, "at": NOW, "by": "ann", **facts})


# --- reading ---


def test_plain_numbers_and_full_records_are_read() -> None:
    found = read(
        {
            "accuracy": 0.92,
            "f1_score": {
                "value": 1,
                "n": 569,
                "sd": 0.1,
                "dataset": "wdbc",
                "dataset_digest": "sha256:ab",
                "split": "test",
                "higher_is_better": True,
            },
        }
    )
    assert found == (
        metric("accuracy", 0.92),
        metric(
            "f1_score",
            1.0,
            n=569,
            sd=0.1,
            dataset="wdbc",
            dataset_digest="sha256:ab",
            split="test",
            higher_is_better=True,
        ),
    )


def test_a_list_carries_one_name_on_several_data_sets() -> None:
    ready = metric("loss", 0.1)
    found = read(
        [{"name": "accuracy", "value": 0.9, "split": "test"}, {"name": "accuracy", "value": 1}, ready]
    )
    assert [qualified(m) for m in found] == ["accuracy[test]", "accuracy", "loss"]
    assert found[2] is ready


def test_nothing_given_is_no_metric() -> None:
    assert read(None) == read({}) == read([]) == ()


@pytest.mark.parametrize(
    "loss", [math.nan, np.float32("nan"), "NaN", {"value": math.nan, "n": 5}, math.inf, -math.inf]
)
def test_what_is_not_finite_is_refused_with_name_and_value(loss: Any) -> None:
    with pytest.raises(InvalidInput, match=r"Metric 'loss': expected a finite number, found (NaN|-?inf)"):
        read({"accuracy": 0.9, "loss": loss})
    value = loss["value"] if isinstance(loss, dict) else float(loss)
    with pytest.raises(InvalidInput, match=r"Metric 'loss': expected a finite number"):
        read([metric("loss", value)])


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5), np.array(0.5), 0.5])
def test_scalars_of_numpy_become_plain_floats(value: Any) -> None:
    found = read({"accuracy": value})[0].value
    assert found == 0.5
    assert type(found) is float


@pytest.mark.parametrize(
    ("given_metrics", "message"),
    [
        ({"accuracy": True}, "'accuracy': expected a number, found True"),
        ({"accuracy": np.bool_(True)}, "'accuracy': expected a number"),
        ({"accuracy": "0.9"}, "'accuracy': expected a number, found '0.9'"),
        ({"accuracy": None}, "'accuracy': expected a number, found None"),
        ({"accuracy": [0.9, 0.8]}, "'accuracy': expected a number"),
        ({"accuracy": math.inf}, "'accuracy': expected a finite number, found inf"),
        ({"accuracy": 10**400}, "'accuracy': expected a number"),
        ({"accuracy": {"n": 3}}, "'value' is missing"),
        ({"accuracy": {"value": 1, "splt": "test"}}, "unknown key 'splt'.*Did you mean 'split'"),
        ({"accuracy": {"value": 1, "n": 0}}, "n: expected a whole number from 1"),
        ({"accuracy": {"value": 1, "n": 1e300}}, "n: expected a whole number from 1"),
        ({"accuracy": {"value": 1, "n": 2.5}}, "n: expected a whole number"),
        ({"accuracy": {"value": 1, "sd": -1}}, "sd: expected a standard deviation"),
        ({"accuracy": {"value": 1, "sd": math.nan}}, "sd: expected a standard deviation"),
        ({"accuracy": {"value": 1, "split": 7}}, "split: expected printable text"),
        ({"accuracy": {"value": 1, "dataset": "a\nb"}}, "dataset: expected printable text"),
        ({"accuracy": {"value": 1, "higher_is_better": 1}}, "higher_is_better: expected true or false"),
        ({"": 1}, "Metric name ''"),
        ({" a": 1}, "Metric name ' a'"),
        ({"a\u202eb": 1}, "Metric name"),
        ({"a\ufe0f": 1}, "Metric name"),
        ({7: 1}, "Metric name 7"),
        ({"a" * 201: 1}, "Metric name"),
        ("accuracy", "expected a mapping"),
        (7, "expected a mapping"),
        ([7], "expected a mapping with 'name'"),
        ([{"value": 1}], "expected a mapping with 'name'"),
    ],
)
def test_what_is_no_metric_is_refused_by_name(given_metrics: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read(given_metrics)


# --- finding ---

RECORDED = (
    metric("accuracy", 0.7, split="train"),
    metric("accuracy", 0.8, dataset="iris", split="test"),
    metric("accuracy", 0.9, dataset="iris", split="test"),
    metric("accuracy", 0.6),
    metric("f1_score", 0.5),
    metric("roc_auc", 0.4, split="test"),
    metric("precision[macro]", 0.3),
)


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ("accuracy[train]", 0.7),
        ("accuracy[iris]", 0.9),
        ("accuracy[test]", 0.9),
        ("accuracy[iris/test]", 0.9),
        ("accuracy[]", 0.6),
        ("f1", 0.5),
        ("F1", 0.5),
        ("f1_score", 0.5),
        ("auc", 0.4),
        ("auc[test]", 0.4),
        ("precision[macro]", 0.3),
    ],
)
def test_a_metric_is_found_by_name_place_or_short_name(spec: str, value: float) -> None:
    assert find(RECORDED, spec).value == value


def test_several_places_need_a_qualifier() -> None:
    with pytest.raises(
        InvalidInput,
        match=r"several places: write one of accuracy\[train\], accuracy\[iris/test\], accuracy\[\]",
    ):
        find(RECORDED, "accuracy")


def test_a_place_that_was_not_measured_is_missing() -> None:
    with pytest.raises(NotFound, match=r"'f1_score\[test\]' is missing: recorded are f1_score\[\]"):
        find(RECORDED, "f1_score[test]")


def test_an_unknown_metric_is_missing_and_the_nearest_is_named() -> None:
    with pytest.raises(NotFound, match=r"'acuracy' is missing.*Did you mean 'accuracy'"):
        find(RECORDED, "acuracy")
    with pytest.raises(NotFound, match=r"'\[test\]' is missing"):
        find(RECORDED, "[test]")
    with pytest.raises(NotFound, match="none is recorded"):
        find((), "accuracy")


def test_a_short_name_for_two_metrics_is_refused() -> None:
    with pytest.raises(InvalidInput, match="may mean f1_macro, f1_micro"):
        find((metric("f1_macro"), metric("f1_micro")), "f1")


@pytest.mark.parametrize(
    ("name", "recorded", "meant"),
    [
        ("f1", ["f1", "f1_score"], ("f1",)),
        ("auc", ["roc_auc", "pr_auc"], ("roc_auc", "pr_auc")),
        ("accuracy", ["val_accuracy"], ("val_accuracy",)),
        ("accuracy", ["balanced_accuracy"], ()),
        ("precision", ["average_precision"], ()),
        ("loss", ["log_loss"], ()),
        ("score_f1", ["f1_score"], ()),
        ("curacy", ["accuracy"], ()),
    ],
)
def test_a_short_name_stands_for_whole_words_and_never_for_another_known_metric(
    name: str, recorded: list[str], meant: tuple[str, ...]
) -> None:
    assert match_names(name, recorded) == meant


def test_a_version_is_asked_for_its_last_value() -> None:
    old = (metric("loss", 0.5),)
    new = (metric("loss", 0.4),)
    assert append(old, new) == (*old, *new)
    assert latest(append(old, new)) == {("loss", "", ""): new[0]}
    version = ModelVersion(
        model_id="x",
        name="fraud",
        number=1,
        version="0.1.0",
        created_at=NOW,
        created_by="ann",
        metrics=append(old, new),
    )
    assert resolve(version, "loss").value == 0.4


names = st.text(min_size=1, max_size=8).filter(lambda t: t.isprintable() and t == t.strip())
places = st.sampled_from(["", "test", "iris"])
metrics = st.lists(st.builds(metric, names, st.floats(0, 1), dataset=places, split=places), max_size=8)


@given(metrics)
def test_whatever_is_recorded_is_found_under_its_exact_name(recorded: list[Metric]) -> None:
    """A name measured in one place resolves to its last value, whatever else is recorded."""
    last = latest(recorded)
    for (name, *_), expected in last.items():
        if sum(1 for other, *_ in last if other == name) == 1:
            assert find(recorded, name) == expected


# --- direction ---


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", True),
        ("AUC", True),
        ("val_log_loss", False),
        ("p95_latency", False),
        ("latency_ms", False),
        ("test/accuracy", True),
        ("accuracy_loss", None),
        ("fairness", None),
        ("", None),
    ],
)
def test_the_direction_comes_from_the_longest_known_name(name: str, expected: bool | None) -> None:
    assert higher_is_better(name) is expected


def test_what_was_recorded_about_the_direction_wins_over_the_table() -> None:
    assert direction(metric("accuracy", higher_is_better=False)) is False
    assert direction(metric("accuracy")) is True
    assert direction(metric("fairness")) is None


def test_every_row_of_the_table_is_spelled_as_it_is_looked_up() -> None:
    assert {name: higher_is_better(name) for name in DIRECTIONS} == dict(DIRECTIONS)
    assert all(name == name.casefold() for name in DIRECTIONS | dict.fromkeys(SHORT_NAMES))
