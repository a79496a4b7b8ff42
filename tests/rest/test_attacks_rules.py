"""Ways around the rules: every address that changes something, and files that run code when they are read."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import pickle

import pytest

from modelyard.wire.operations import TABLE

from .serving import problem

CHANGES = frozenset(row.name for row in TABLE if row.method != "GET")

HARMLESS = frozenset(
    {
        *("record_metrics", "record_check", "delete", "undelete", "link", "unlink", "withdraw", "reinstate"),
        *("protect_alias", "begin_experiment", "record_outcomes", "count_exposures", "stop_experiment"),
        *(
            "retire",
            "collect",
            "check",
            "export",
            "check_import",
            "create_token",
            "revoke_token",
            "end_sessions",
            "set_policy",
        ),
    }
)
"""Changes that put nothing into production: no parameter of theirs names a stage or an alias to move there."""

MOVERS = frozenset(
    {
        "create_version",
        "create_versions",
        "annotate",
        "promote",
        "roll_back",
        "set_alias",
        "delete_alias",
        "promote_winner",
        "import_",
    }
)


def test_a61_every_change_is_known_to_move_production_or_not_to():
    assert CHANGES == HARMLESS | MOVERS
    for row in TABLE:
        if row.name in HARMLESS:
            assert not {"stage", "target_stage", "alias_target"} & row.parameters.keys()


@pytest.fixture(scope="module")
def gated(server):
    """A model whose production asks for what nobody reaches; its first version got there before."""
    for number in (1, 2):
        body = {"version": f"{number}.0.0", "metrics": {"accuracy": 0.5}}
        assert server.ask("create_version", name="gated", json=body).is_success
    for stage in ("testing", "staging", "production"):
        assert server.ask("promote", ref="gated#1", json={"target": stage}).is_success
    for stage in ("testing", "staging"):
        assert server.ask("promote", ref="gated#2", json={"target": stage}).is_success
    policy = {"gates": {"production": {"min_accuracy": 0.99}}}
    assert server.ask("set_policy", model="gated", json={"policy": policy}).is_success
    return server


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("promote", {"ref": "gated#2", "json": {"target": "production"}}),
        ("promote", {"ref": "gated#2", "json": {"target": "production", "force": True, "reason": "x"}}),
        (
            "promote",
            {"ref": "gated#2", "json": {"target": "production", "requirements": {"min_accuracy": 0}}},
        ),
        (
            "promote",
            {"ref": "gated#2", "json": {"target": "production", "requirements": {}, "keep_existing": True}},
        ),
        ("create_version", {"name": "gated", "json": {"version": "3.0.0", "stage": "production"}}),
        ("create_version", {"name": "gated", "json": {"version": "3.0.1", "alias": "production"}}),
        ("annotate", {"ref": "gated#2", "json": {"stage": "production"}}),
        (
            "annotate",
            {
                "ref": "gated#2",
                "json": {"attributes": {"stage": "production"}, "tags": {"stage": "production"}},
            },
        ),
        ("set_alias", {"model": "gated", "alias": "production", "json": {"ref": "gated#2"}}),
        (
            "set_alias",
            {
                "model": "gated",
                "alias": "Production",
                "json": {"ref": "gated#2", "force": True, "reason": "x"},
            },
        ),
        ("delete_alias", {"model": "gated", "alias": "production"}),
        ("roll_back", {"ref": "gated", "json": {"target": "gated#2"}}),
        ("roll_back", {"ref": "gated@production", "json": {"target": "gated#2", "reason": "x"}}),
        ("promote_winner", {"experiment_id": "x", "json": {}}),
        ("import_", {"json": {"bundle": {"models": [], "versions": [], "events": []}}}),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.get("json"))[:40],
)
def test_a61_no_way_into_production_goes_around_the_gate(gated, operation, given):
    answer = gated.ask(operation, **given)
    if not answer.is_success:
        assert problem(answer)["status"] in (400, 404, 409, 412, 422)
    held = gated.ask("get_version", ref="gated@production").json()
    assert held["number"] == 1


def sequence(server, name):
    return server.ask("get_model", name=name).json()["sequence"]


STEPS = [
    ("create_version", {"name": "told", "json": {"version": "2.0.0"}}),
    ("annotate", {"ref": "told#1", "json": {"tags": {"a": "1"}}}),
    ("record_metrics", {"ref": "told#1", "json": {"metrics": {"auc": 0.5}}}),
    ("record_check", {"ref": "told#1", "json": {"check": "tests_passed", "passed": True}}),
    ("link", {"ref": "told#1", "json": {"kind": "dataset", "target": "d"}}),
    ("unlink", {"ref": "told#1", "params": {"kind": "dataset", "target": "d"}}),
    ("promote", {"ref": "told#1", "json": {"target": "testing"}}),
    ("set_alias", {"model": "told", "alias": "best", "json": {"ref": "told#1"}}),
    ("protect_alias", {"model": "told", "alias": "best", "json": {"protected": True}}),
    ("protect_alias", {"model": "told", "alias": "best", "json": {"protected": False}}),
    ("delete_alias", {"model": "told", "alias": "best"}),
    ("set_policy", {"model": "told", "json": {"policy": {"clean_git": True}}}),
    ("withdraw", {"json": {"target": "told#1", "reason": "x"}}),
    ("reinstate", {"json": {"target": "told#1", "reason": "x"}}),
    ("delete", {"ref": "told#1", "params": {"reason": "x"}}),
    ("undelete", {"ref": "told#1", "json": {}}),
]
"""Changes that build on each other."""


def test_a66_a_change_is_one_event_by_whoever_the_token_belongs_to(server):
    assert server.ask("create_version", name="told", json={"version": "1.0.0"}).is_success
    caller = server.http.get("/whoami").json()["actor"]["name"]
    for operation, given in STEPS:
        before = sequence(server, "told")
        answer = server.ask(operation, **given, headers={"X-Actor": "eve", "X-Forwarded-User": "eve"})
        assert answer.is_success, answer.text
        assert sequence(server, "told") == before + 1, operation
        (event,) = server.ask("history", params={"ref": "told", "limit": 1}).json()["items"]
        assert event["actor"] == caller


def test_a66_a_call_that_is_refused_is_no_event(server):
    before = sequence(server, "fraud")
    assert not server.ask(
        "promote", ref="fraud#1", json={"target": "testing", "expected": "fraud#99"}
    ).is_success
    assert not server.ask("annotate", ref="fraud#1", json={"tags": {"": "x"}}).is_success
    assert sequence(server, "fraud") == before


class Canary:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("wrap", ["plain", "gzip", "zip", "wrong suffix", "cut off"])
def test_a52_a53_a_hostile_pickle_is_stored_judged_compared_and_never_run(server, tmp_path, wrap):
    import gzip
    import io
    import zipfile

    canary = tmp_path / "ran"
    body = pickle.dumps(Canary(canary))
    if wrap == "gzip":
        body = gzip.compress(body)
    elif wrap == "zip":
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("model.pkl", body)
        body = archive.getvalue()
    elif wrap == "cut off":
        body = body[:-3]
    path = "model.png" if wrap == "wrong suffix" else "model.pkl"
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    name = f"evil {wrap}"
    assert server.http.put(f"/blobs/{digest}", content=body).is_success
    files = [{"path": path, "size": len(body), "digest": digest}]
    assert server.ask("create_version", name=name, json={"version": "1.0.0", "files": files}).is_success
    assert server.ask("create_version", name=name, json={"version": "2.0.0", "files": files}).is_success
    found = server.ask("get_version", ref=f"{name}#1").json()
    assert {scan["verdict"] for scan in found["scans"].values()} <= {"unsafe", "unknown", "error"}
    server.ask("compare", params={"a": f"{name}#1", "b": f"{name}#2"})
    server.ask("status", name=name)
    server.http.post("/care/check", json={"deep": True})
    for stage in ("testing", "staging", "production"):
        server.ask("promote", ref=f"{name}#1", json={"target": stage})
    assert server.http.get(f"/blobs/{digest}").content == body
    assert not canary.exists()


@pytest.mark.parametrize("package", ["rest", "edge", "server", "wire", "service"])
def test_a52_no_part_of_the_server_imports_what_runs_model_files(package):
    from pathlib import Path

    spec = importlib.util.find_spec(f"modelyard.{package}")
    for folder in spec.submodule_search_locations:
        for file in Path(folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                roots = {name.split(".")[0] for name in names}
                assert not roots & {
                    "pickle",
                    "joblib",
                    "cloudpickle",
                    "dill",
                    "torch",
                    "shelve",
                    "marshal",
                }, file
