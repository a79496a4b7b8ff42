"""Versions as people see them: the row of a list, the page of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from modelyard.cli import figures, render, signatures
from modelyard.cli.render import Column
from modelyard.domain.records import ModelVersion
from modelyard.domain.text import plain

LIST: Final = (
    Column(title="MODEL"),
    Column(title="VERSION", keep=True),
    Column(title="#", right=True, keep=True),
    Column(title="STAGE", keep=True),
    Column(title="ALIASES"),
    Column(title="METRICS", cut="end"),
    Column(title="CREATED", keep=True),
)


def rows(versions: Iterable[ModelVersion], now: datetime) -> list[list[str]]:
    """Cells of :data:`LIST`."""
    return [
        [
            version.name,
            version.version,
            str(version.number),
            "deleted" if version.deleted else version.stage.value,
            " ".join(version.aliases),
            measured(version.performance_metrics),
            figures.ago(version.created_at, now),
        ]
        for version in versions
    ]


def listing(versions: Sequence[ModelVersion], now: datetime, width: int, paint: render.Paint) -> list[str]:
    """A table of versions."""
    return render.table(LIST, rows(versions, now), width, paint)


def measured(metrics: Mapping[str, Any]) -> str:
    """``accuracy=0.92 f1_score=0.89``."""
    return " ".join(f"{name}={figures.number(value)}" for name, value in metrics.items())


def page(version: ModelVersion, now: datetime, width: int) -> list[str]:
    """Everything about one version that people ask for; ``--json`` has the rest."""
    title = f"{version.name} {version.version} (#{version.number})"
    facts = render.facts(_facts(version, now), width, whole=("path",))
    table = signatures.lines(version.signature, width)
    return [render.shorten(plain(title), width), *facts, *([""] if table else []), *table]


def _facts(version: ModelVersion, now: datetime) -> list[tuple[str, str]]:
    return [
        ("id", version.model_id),
        ("stage", _stage(version, now)),
        ("aliases", ", ".join(version.aliases)),
        ("about", version.description),
        ("made", f"{figures.when(version.created_at, now)} by {version.created_by or '?'}"),
        ("warning", _withdrawn(version, now)),
        ("from", version.parent or ""),
        ("kind", _kind(version)),
        ("metrics", measured(version.performance_metrics)),
        ("params", _pairs(version.hyperparams)),
        ("tags", _pairs(version.tags)),
        ("more", _pairs(version.attributes)),
        ("data", _pairs(version.data_lineage)),
        ("links", ", ".join(f"{edge.kind} {edge.target}" for edge in version.edges if edge.kind != "parent")),
        ("checks", ", ".join(f"{name} {'yes' if c.passed else 'NO'}" for name, c in version.checks.items())),
        ("card", ", ".join(version.card)),
        ("files", ", ".join(f"{f.path} ({figures.size(f.size)})" for f in version.files)),
        ("scan", version.scan),
        ("digest", version.digest),
        ("path", version.artifact_path),
        ("notes", "; ".join(version.warnings)),
        ("hold", version.legal_hold),
    ]


def _stage(version: ModelVersion, now: datetime) -> str:
    if version.deleted:
        return f"deleted {figures.ago(version.deleted_at, now)} (was {version.stage.value})"
    since = f" since {figures.when(version.staged_at, now)}" if version.staged_at else ""
    return version.stage.value + since


def _withdrawn(version: ModelVersion, now: datetime) -> str:
    gone = version.withdrawn
    return f"withdrawn {figures.ago(gone.at, now)} by {gone.by or '?'}: {gone.reason}" if gone else ""


def _kind(version: ModelVersion) -> str:
    framework = version.framework
    if version.flavor and version.flavor.framework_version:
        framework = f"{framework} {version.flavor.framework_version}"
    written = f"as {version.flavor.name}" if version.flavor else ""
    return ", ".join(part for part in (version.algorithm, framework, written) if part)


def _pairs(values: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in values.items())
