"""Versions as a pandas table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelyard.domain.frames import pandas_for
from modelyard.domain.records import ModelVersion
from modelyard.domain.versions_table import chosen, metric_columns


def of_versions(versions: Sequence[ModelVersion], metrics: Sequence[str] | None) -> Any:
    """A ``DataFrame`` with one row per version: label, number and stage, a column per metric, then the other facts.

    A metric that is called like a fact appears as ``metrics.<name>``.

    Raises:
        MissingDependency: pandas is not installed.
        InvalidInput: ``metrics`` names one that no version has.
    """
    pd = pandas_for("compare_versions")
    columns = metric_columns(versions)
    if metrics is not None:
        columns = chosen(columns, metrics)
    first = {name: [getattr(v, name) for v in versions] for name in ("version", "number")}
    first["stage"] = [v.stage.value for v in versions]
    last = {
        name: [getattr(v, name) for v in versions]
        for name in ("created_at", "created_by", "framework", "algorithm", "size", "description", "model_id")
    }
    measured = {
        f"metrics.{name}" if name in first or name in last else name: pd.Series(values, dtype="float64")
        for name, values in columns.items()
    }
    return pd.DataFrame({**first, **measured, **last})
