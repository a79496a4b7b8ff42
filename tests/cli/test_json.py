"""With ``--json`` every verb prints exactly one JSON document, and errors are JSON too."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from modelyard.cli import answers
from modelyard.cli.verbs import VERBS
from modelyard.domain.records import Metric

COMMANDS: dict[str, tuple[str, ...]] = {
    "register": ("--model-path", "model.joblib", "--name", "other"),
    "save": ("--model-name", "other", "--model-file", "model.joblib"),
    "bulk-register": ("models.json",),
    "list": (),
    "search": ("fraud",),
    "info": ("fraud:1.0.0",),
    "link": ("fraud:1.0.0", "dataset", "s3://data"),
    "load": ("fraud", "--output", "copy.joblib"),
    "download": ("fraud", "files"),
    "gates": ("fraud:1.2.0", "--target-stage", "staging"),
    "promote": ("fraud:1.2.0", "--target-stage", "staging"),
    "rollback": ("fraud", "--drill"),
    "archive": ("fraud:1.2.0",),
    "withdraw": ("fraud:1.0.0", "--reason", "it leaks"),
    "reinstate": ("fraud:1.0.0",),
    "alias": ("list",),
    "policy": ("show", "fraud"),
    "check": ("fraud", "tests_passed", "--passed"),
    "metrics": ("fraud", '{"accuracy": 0.5}'),
    "tag": ("fraud", "team=risk"),
    "describe": ("fraud", "text"),
    "card": ("fraud", '{"owner": "risk"}'),
    "status": ("fraud",),
    "compare": ("fraud:1.0.0", "fraud:1.1.0"),
    "diff": ("fraud:1.0.0", "fraud:1.1.0"),
    "history": ("fraud",),
    "as-of": ("fraud", "now"),
    "lineage": ("fraud",),
    "affected": ("fraud:1.0.0",),
    "stats": (),
    "monitor": (),
    "delete": ("fraud:1.2.0",),
    "undelete": ("fraud:1.2.0",),
    "cleanup": ("--older-than-days", "0"),
    "gc": (),
    "fsck": ("--deep",),
    "audit": ("verify",),
    "export": ("registry.json",),
    "import": ("before.json",),
    "config": ("show",),
    "doctor": (),
    "completion": ("bash",),
}
MORE: tuple[tuple[str, ...], ...] = (
    ("alias", "set", "fraud", "blue", "fraud:1.0.0"),
    ("alias", "protect", "fraud", "champion"),
    ("alias", "unprotect", "fraud", "champion"),
    ("alias", "delete", "fraud", "champion"),
    ("policy", "set", "fraud", '{"gates": {"production": {"min_accuracy": 0.9}}}'),
    ("metrics", "fraud"),
    ("card", "fraud"),
    ("compare", "--model-name", "fraud"),
    ("promote", "fraud:1.2.0", "--target-stage", "staging", "--dry-run"),
    ("rollback", "fraud", "--no-load-check"),
    ("tag", "fraud", "a=b", "--whole-model"),
    ("describe", "fraud", "text", "--whole-model"),
    ("register", "--no-files", "--name", "facts", "--metrics", '{"accuracy": 1}'),
)


ELSEWHERE = {
    *("validate",),  # needs an installed validator: test_validate.py
    *("env", "experiment"),  # test_env.py, test_experiment.py
    *(
        "server",
        "token",
        "session",
        "login",
        "logout",
    ),  # need a server or a token: tests/server, access, oidc
    *("push", "pull"),  # need two registries: test_push_pull.py
    *("backup", "restore"),  # tests/client/test_backup.py
    *("migrate",),  # needs two registries: test_migrate.py
}


def test_every_verb_is_tried() -> None:
    assert set(COMMANDS) | ELSEWHERE == set(VERBS)


@pytest.mark.parametrize("words", [(k, *v) for k, v in COMMANDS.items()] + list(MORE), ids=" ".join)
def test_the_answer_is_one_json_document(fraud: Any, place: Path, words: tuple[str, ...]) -> None:
    (place / "models.json").write_text('[{"name": "bulk", "model_path": "model.joblib"}]')
    if words[0] == "undelete":
        fraud("delete", "fraud:1.2.0")
    if words[0] == "import":
        fraud("export", "before.json")
    ran = fraud(*words, "--json")
    assert json.loads(ran.out) is not None
    assert ran.out.isascii()
    assert "next:" not in ran.err


def test_json_may_stand_before_the_verb(fraud: Any) -> None:
    assert fraud("--json", "info", "fraud:1.0.0").json["version"] == "1.0.0"


def test_a_version_has_its_computed_facts_and_times_in_utc(fraud: Any) -> None:
    version = fraud("info", "fraud:1.1.0", "--json").json
    assert version["performance_metrics"] == {"accuracy": 0.92}
    assert version["size"] == sum(file["size"] for file in version["files"])
    assert version["scan"] == "clean"
    assert version["created_at"].endswith("Z")


def test_nan_is_told_as_text_because_json_has_none() -> None:
    """Nobody may give one any more; registries hold some from before."""
    metric = Metric(name="loss", value=float("nan"), at=datetime(2026, 1, 1, tzinfo=UTC))
    assert answers.to_json(metric)["value"] == "NaN"
    assert answers.to_json([float("inf"), float("-inf")]) == ["Infinity", "-Infinity"]


def test_a_metric_that_is_not_a_number_is_refused_with_its_name(fraud: Any) -> None:
    done = fraud("metrics", "fraud:1.2.0", '{"loss": NaN}', code=2)
    assert "Metric 'loss': expected a finite number, found NaN" in done.err


@pytest.mark.parametrize(
    ("words", "code", "name"),
    [
        (("info", "fraud:9.9.9"), 3, "version_not_found"),
        (("info", "nobody"), 3, "model_not_found"),
        (("info", "fraud@nowhere"), 3, "alias_not_found"),
        (("search", "metrics.accuracy >"), 2, "invalid_query"),
        (("info", "fraud:::"), 2, "invalid_ref"),
        (("promot",), 2, "usage"),
        (("promote", "fraud"), 2, "usage"),
        (("promote", "fraud:1.2.0", "--target-stage", "deprecated"), 4, "transition_not_allowed"),
    ],
)
def test_an_error_is_one_json_document_on_standard_error(
    fraud: Any, words: tuple[str, ...], code: int, name: str
) -> None:
    ran = fraud(*words, "--json", code=code)
    error = json.loads(ran.err)
    assert error["code"] == name
    assert error["detail"]
    assert isinstance(error["reasons"], list)
    assert ran.out == ""


def test_a_refusal_carries_reasons_and_verdict(fraud: Any) -> None:
    fraud("promote", "fraud:1.2.0", "--target-stage", "staging")
    words = (
        "promote",
        "fraud:1.2.0",
        "--target-stage",
        "production",
        "--requirements",
        '{"min_accuracy": 0.99}',
    )
    error = json.loads(fraud(*words, "--json", code=4).err)
    assert error["code"] == "gate_refused"
    assert "0.94" in " ".join(error["reasons"])
    assert error["data"]["verdict"]["passed"] is False
