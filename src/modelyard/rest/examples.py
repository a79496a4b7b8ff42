"""One example for each question that people ask first. Tests ask them, in this order, of a real server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

DIGEST: Final = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
"""Of the five bytes ``hello``."""

BODIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "create_version": {
        "version": "1.0.0",
        "files": [{"path": "model.bin", "size": 5, "digest": DIGEST}],
        "flavor": {"name": "file", "entry": "model.bin"},
        "metrics": {"accuracy": 0.93},
        "tags": {"team": "risk"},
    },
    "record_metrics": {"metrics": {"recall": {"value": 0.81, "n": 5000, "split": "test"}}},
    "record_check": {"check": "tests_passed", "passed": True},
    "annotate": {"description": "Trained on the spring data.", "tags": {"team": "fraud"}},
    "link": {"kind": "dataset", "target": "s3://data/spring.parquet"},
    "set_policy": {"policy": {"gates": {"production": {"min_accuracy": 0.9}}}, "reason": "agreed in March"},
    "promote": {"target": "staging", "requirements": {"min_accuracy": 0.9}, "reason": "better"},
    "set_alias": {"ref": "fraud:1.0.0", "reason": "first champion"},
}
"""JSON bodies by operation."""

QUERIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "search": {"text": "metrics.accuracy >= 0.9 order by created desc", "limit": 10},
    "list_models": {"contains": "fraud"},
    "history": {"ref": "fraud", "limit": 10},
    "affected": {"target": "s3://data/spring.parquet", "kind": "dataset"},
    "as_of": {"at": "2030-01-01T00:00:00Z", "pointer": "champion"},
}
"""Parameters behind the question mark by operation."""

PATHS: Final[Mapping[str, str]] = {
    "name": "fraud",
    "model": "fraud",
    "ref": "fraud:1.0.0",
    "alias": "champion",
    "digest": DIGEST,
}
"""Parameters in the address by name."""
