"""Many versions in one table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from modelyard.domain.errors import InvalidInput
from modelyard.domain.records import Metric, ModelVersion
from modelyard.domain.versions_table import chosen, metric_columns

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def version(number: int, *metrics: Metric) -> ModelVersion:
    return ModelVersion(
        model_id=str(number),
        name="fraud",
        number=number,
        version=f"1.{number}.0",
        created_at=NOW,
        created_by="ann",
        metrics=metrics,
    )


def metric(name: str, value: float, **facts: Any) -> Metric:
    return Metric(name=name, value=value, at=NOW, **facts)


def test_a_metric_measured_on_the_same_data_everywhere_keeps_its_name() -> None:
    rows = [
        version(1, metric("accuracy", 0.8, split="test"), metric("accuracy", 0.9, split="test")),
        version(2, metric("loss", 3.0)),
        version(3),
    ]
    assert metric_columns(rows) == {"accuracy": [0.9, None, None], "loss": [None, 3.0, None]}
    assert metric_columns([]) == {}


def test_different_data_have_columns_of_their_own() -> None:
    rows = [
        version(1, metric("accuracy", 0.8, split="test"), metric("accuracy", 0.99, split="train")),
        version(2, metric("accuracy", 0.7)),
    ]
    assert metric_columns(rows) == {
        "accuracy": [None, 0.7],
        "accuracy[test]": [0.8, None],
        "accuracy[train]": [0.99, None],
    }


def test_a_data_set_that_was_changed_is_another_one() -> None:
    rows = [
        version(1, metric("accuracy", 0.8, split="test", dataset_digest="sha256:0123456789abcdef")),
        version(2, metric("accuracy", 0.7, split="test")),
        version(3, metric("loss", 0.7, dataset_digest="sha256:1")),
        version(4, metric("loss", 0.8, dataset_digest="sha256:2")),
    ]
    assert list(metric_columns(rows)) == [
        "accuracy[test, no digest]",
        "accuracy[test, sha256:01234567]",
        "loss[sha256:1]",
        "loss[sha256:2]",
    ]


def test_a_name_alone_means_all_its_places_and_an_unknown_one_is_an_error() -> None:
    columns: dict[str, list[float | None]] = {"f1": [1.0], "accuracy[a]": [1.0], "accuracy[b]": [2.0]}
    assert list(chosen(columns, ["accuracy", "f1"])) == ["accuracy[a]", "accuracy[b]", "f1"]
    assert chosen(columns, ["accuracy[b]"]) == {"accuracy[b]": [2.0]}
    with pytest.raises(
        InvalidInput, match=r"'acc' was measured in no version; measured are: f1, accuracy\[a\]"
    ):
        chosen(columns, ["acc"])
