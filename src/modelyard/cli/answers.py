"""Any answer of the registry as JSON values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from modelyard.domain.records import ModelVersion


def to_json(value: Any) -> Any:
    """Records, enums, times, paths and tuples as JSON values.

    Times are ISO 8601 in UTC with microseconds. JSON has no NaN or infinity; those become the texts ``"NaN"``,
    ``"Infinity"`` and ``"-Infinity"``, as in the registry's own canonical form.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime):
        from modelyard.domain.canonical import utc_text

        return utc_text(value)
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return _record(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form: {value!r:.80}")


def _record(value: Any) -> dict[str, Any]:
    result = {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, ModelVersion):
        result |= {
            "performance_metrics": to_json(value.performance_metrics),
            "size": value.size,
            "scan": value.scan,
        }
    return result


def dump(value: Any) -> str:
    """One JSON document in ASCII: escapes leave nothing in it that a terminal could act on."""
    return json.dumps(to_json(value), indent=2, allow_nan=False)
