"""A version again, under another label or another model's name: the same files, stored once."""

from __future__ import annotations

import math
from typing import Any

from modelyard.domain.metrics import FIELDS, latest
from modelyard.domain.records import LineageEdge, ModelVersion
from modelyard.ports.service import CreateVersion


def request(source: ModelVersion, **other: Any) -> CreateVersion:
    """What registers the content of a version again; ``other`` goes before what the version says.

    Files, flavor, parameters, signature, environment and data lineage are the content. Checks, aliases and what was
    decided about the version stay with it, and so does a metric whose latest value is NaN, which nobody may give.
    """
    facts: dict[str, Any] = {
        "name": source.name,
        "files": source.files,
        "flavor": source.flavor,
        "description": source.description,
        "metrics": [
            {"name": m.name} | _measured(m)
            for m in latest(source.metrics).values()
            if not math.isnan(m.value)
        ],
        "hyperparams": source.hyperparams,
        "tags": source.tags,
        "attributes": source.attributes,
        "data_lineage": source.data_lineage,
        "lineage": (LineageEdge(kind="promoted_from", target=source.model_id),),
        "signature": source.signature,
        "environment": source.environment,
        "framework": source.framework,
        "algorithm": source.algorithm,
        "card": source.card,
    }
    return CreateVersion(**(facts | other))


def _measured(metric: Any) -> dict[str, Any]:
    """What is known of a measurement, without what is not."""
    known = {name: getattr(metric, name) for name in FIELDS}
    return {name: value for name, value in known.items() if value not in (None, "")}
