"""A16: every call by every role, on its own models and on those of others, to every stage, from one table."""

from __future__ import annotations

import pytest

from modelyard.domain.errors import ModelyardError, NotFound, PermissionDenied
from modelyard.domain.permissions import ROLES, Action, Grant, can
from modelyard.domain.records import ModelStage
from modelyard.edge.needs import might
from modelyard.ports import service as ask
from modelyard.testing.clock import START
from modelyard.wire.operations import TABLE, bind

from .room import SHARED, digest, guarded, make_token, principal, serving, talking, two_teams

READERS, WRITERS, DECIDERS = "reader writer approver admin", "writer admin", "approver admin"

# What each role may ask about a model that its grant names. Written out by hand, so that a change of the code that
# changes an answer fails here.
ALLOWED = {
    "create_version": WRITERS,
    "create_versions": WRITERS,
    "get_version": READERS,
    "get_model": READERS,
    "search": READERS,
    "list_models": READERS,
    "record_metrics": WRITERS,
    "record_check": WRITERS,
    "annotate": WRITERS,
    "delete": WRITERS,
    "undelete": WRITERS,
    "link": WRITERS,
    "unlink": WRITERS,
    "withdraw": WRITERS,
    "reinstate": DECIDERS,
    "promote": DECIDERS,
    "roll_back": DECIDERS,
    "set_alias": DECIDERS,
    "delete_alias": DECIDERS,
    "protect_alias": "admin",
    "set_policy": "admin",
    "begin_experiment": WRITERS,
    "get_experiment": READERS,
    "list_experiments": READERS,
    "record_outcomes": WRITERS,
    "count_exposures": WRITERS,
    "judge_experiment": READERS,
    "stop_experiment": WRITERS,
    "promote_winner": DECIDERS,
    "compare": READERS,
    "lineage": READERS,
    "lineage_graph": READERS,
    "affected": READERS,
    "history": f"{READERS} auditor",
    "as_of": READERS,
    "status": READERS,
    # about the registry as a whole: only with a grant for "*"
    "stats": READERS,
    "retire": "admin",
    "collect": "admin",
    "check": "admin",
    "verify_audit": "auditor admin",
    "export": "admin",
    "check_import": "admin",
    "import_": "admin",
    "create_token": "admin",
    "list_tokens": "admin",
    "revoke_token": "admin",
    "list_sessions": "admin",
    "end_sessions": "admin",
}
WHOLE = set(list(ALLOWED)[list(ALLOWED).index("stats") :])
LISTS = {"search", "list_models", "list_experiments"}
"""Asked of everything; they answer with what may be seen."""


def call(name, service, model="ours/fraud"):
    """Arguments for one call about a model, all of whose versions and experiments exist."""
    ref = f"{model}#2"
    trial = f"trial {model[:5]}"
    bundle = {"bundle": service.export(["ours/fraud"])} if name in ("check_import", "import_") else None
    arguments = {
        "create_version": ask.CreateVersion(name=model, version="9.9.9"),
        "create_versions": ask.CreateVersions(versions=(ask.CreateVersion(name=model, version="9.9.9"),)),
        "get_version": {"ref": ref},
        "get_model": {"name": model},
        "search": ask.Search(),
        "list_models": {},
        "record_metrics": ask.RecordMetrics(ref=ref, metrics={"f1": 0.5}),
        "record_check": ask.RecordCheck(ref=ref, check="tests_passed", passed=True),
        "annotate": ask.Annotate(ref=ref, description="x"),
        "delete": ask.Delete(ref=ref),
        "undelete": {"ref": ref},
        "link": ask.Link(ref=ref, kind="dataset", target="s3://x"),
        "unlink": ask.Unlink(ref=ref, kind="dataset", target="s3://x"),
        "withdraw": ask.Withdraw(target=ref, reason="x"),
        "reinstate": ask.Reinstate(target=ref),
        "promote": ask.Promote(ref=ref, target=ModelStage.TESTING),
        "roll_back": ask.RollBack(ref=model),
        "set_alias": ask.SetAlias(model=model, alias="next", ref="#2"),
        "delete_alias": ask.DeleteAlias(model=model, alias="champion"),
        "protect_alias": ask.ProtectAlias(model=model, alias="champion"),
        "set_policy": ask.SetPolicy(model=model, policy={}),
        "begin_experiment": ask.BeginExperiment(model=model, variants={"A": "#1", "B": "#2"}, name="n"),
        "get_experiment": {"experiment": trial},
        "list_experiments": {},
        "record_outcomes": ask.RecordOutcomes(experiment_id=trial, outcomes=()),
        "count_exposures": ask.CountExposures(experiment_id=trial, writer="w", counts={"A": 1}),
        "judge_experiment": {"experiment": trial},
        "stop_experiment": ask.StopExperiment(experiment_id=trial),
        "promote_winner": ask.PromoteWinner(experiment_id=trial),
        "compare": {"a": f"{model}#1", "b": ref},
        "lineage": {"ref": ref},
        "lineage_graph": ask.Trace(ref=ref),
        "affected": {"target": ref},
        "history": ask.History(ref=model),
        "as_of": ask.AsOf(model=model, at=START),
        "status": {"name": model},
        "stats": {},
        "retire": ask.Retire(dry_run=True),
        "collect": ask.Collect(),
        "check": ask.Check(),
        "verify_audit": {},
        "export": {},
        "check_import": bundle,
        "import_": bundle,
        "create_token": ask.CreateToken(name="n", grants=(Grant(role="reader", models="ours/fraud"),)),
        "list_tokens": {},
        "revoke_token": ask.RevokeToken(token="nobody's"),
        "list_sessions": {},
        "end_sessions": ask.EndSessions(who="nobody"),
    }[name]
    return arguments if isinstance(arguments, dict) else {"request": arguments}


def outcome(one, row, given):
    """``yes`` (also where the call fails for another reason), ``no`` or ``not there``."""
    try:
        one.call(row, given)
    except PermissionDenied:
        return "no"
    except NotFound as error:
        return "not there" if "may see" in error.detail else "yes"
    except ModelyardError:
        return "yes"
    return "yes"


def test_the_table_names_every_operation():
    assert set(ALLOWED) == {row.name for row in TABLE}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_A16_each_role_on_models_that_it_was_given(role, row):
    """``*``, a pattern and a name: the same answers, but for the registry as a whole, which only ``*`` covers."""
    for pattern in ("*", "ours/*", "Ours/Fraud"):
        service = two_teams()
        expected = "yes" if role in ALLOWED[row.name].split() else "no"
        if row.name in WHOLE and pattern != "*":
            expected = "no"
        if row.name in LISTS:
            expected = "yes"
        found = outcome(guarded(service, f"{role} on {pattern}"), row, call(row.name, service))
        assert found == expected, (role, row.name, pattern)
        service.close()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_A16_of_other_teams_models_no_role_learns_that_they_are_there(role, row):
    if row.name in WHOLE | LISTS:
        return
    service = two_teams()
    one = guarded(service, f"{role} on ours/*")
    assert outcome(one, row, call(row.name, service, "theirs/secret")) == "not there"
    service.close()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_A16_whoever_was_given_nothing_may_do_nothing(row):
    service = two_teams()
    found = outcome(guarded(service), row, call(row.name, service))
    assert found in (("yes",) if row.name in LISTS else ("no", "not there"))
    for name in LISTS:
        nothing = guarded(service).call(next(r for r in TABLE if r.name == name), call(name, service))
        assert not getattr(nothing, "items", nothing)
    service.close()


OTHER_FORMS = {
    "record_check": ask.RecordCheck(ref="ours/fraud#2", check="validation", passed=True),
    "annotate": ask.Annotate(ref="ours/fraud", description="x", whole_model=True),
    "promote": ask.Promote(ref="ours/fraud#2", target=ModelStage.STAGING, dry_run=True),
    "withdraw": ask.Withdraw(target="s3://shared", kind="dataset", reason="x"),
    "reinstate": ask.Reinstate(target="s3://shared", kind="dataset"),
    "history": ask.History(ref=""),
}
"""Calls that need something else than their row says."""


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_nobody_is_refused_before_it_is_known_what_they_ask(action, row):
    """The look at a caller before its body is read refuses only what would be refused after."""
    service = two_teams()
    one = guarded(service, Grant(role="admin", actions=(action,)))
    forms = [call(row.name, service)]
    forms += [{"request": OTHER_FORMS[row.name]}] if row.name in OTHER_FORMS else []
    if any(outcome(one, row, form) == "yes" for form in forms) and row.name not in LISTS:
        assert might(one.principal, row)
    service.close()


@pytest.mark.parametrize("stage", list(ModelStage))
@pytest.mark.parametrize("granted", [(), *((stage,) for stage in ModelStage)])
@pytest.mark.parametrize("model", ["ours/fraud", "theirs/secret"])
def test_A16_promotions_to_every_stage_under_every_grant(stage, granted, model):
    """Version 2 stands in development, so nothing is taken away from anywhere."""
    service = two_teams()
    one = guarded(service, Grant(role="approver", models="ours/*", stages=granted))
    row = next(row for row in TABLE if row.name == "promote")
    found = outcome(one, row, {"request": ask.Promote(ref=f"{model}#2", target=stage, reason="x")})
    allowed = not granted or stage in granted
    assert found == ("not there" if model.startswith("theirs") else "yes" if allowed else "no")
    service.close()


@pytest.mark.parametrize("action", list(Action))
def test_a_token_for_one_action_does_that_and_nothing_else(action):
    one = principal(Grant(role="admin", actions=(action,)))
    assert [a for a in Action if can(one, a, model="m")] == [action]


# --- the same over the network ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world():
    service = two_teams()
    roles = {role: make_token(service, f"{role} on ours/*", name=role) for role in ROLES}
    roles["other team"] = make_token(service, "admin on theirs/*", name="other team")
    roles["everything"] = make_token(service, "admin", name="everything")
    with serving(service) as url:
        yield service, url, roles
    service.close()


@pytest.mark.parametrize("who", [*ROLES, "other team"])
def test_A16_over_http_whoever_may_not_is_refused_and_changes_nothing(world, who):
    service, url, roles = world
    before = service.export()
    with talking(url, roles[who]) as client:
        for row in TABLE:
            if row.name in LISTS or (who in ALLOWED[row.name].split() and row.name not in WHOLE):
                continue
            path, query, body = bind(row, *call(row.name, service).values())
            answer = client.request(row.method, path, params=query, json=body)
            wanted = 404 if who == "other team" and row.name not in WHOLE else 403
            assert answer.status_code == wanted, (row.name, answer.text)
            assert answer.json()["code"] in (
                "permission_denied",
                "not_found",
                "model_not_found",
                "version_not_found",
            )
    assert service.export() == before


@pytest.mark.parametrize("who", ["reader", "approver", "everything"])
def test_A16_over_http_whoever_may_is_let_in(world, who):
    service, url, roles = world
    with talking(url, roles[who]) as client:
        for row in TABLE:
            may = who == "everything" or (who in ALLOWED[row.name].split() and row.name not in WHOLE)
            if row.name in LISTS or not may or not row.safe:
                continue
            path, query, body = bind(row, *call(row.name, service).values())
            answer = client.request(row.method, path, params=query, json=body)
            assert answer.status_code not in (401, 403), (row.name, answer.text)


@pytest.mark.parametrize(
    ("who", "method", "path", "code"),
    [
        ("reader", "GET", f"/blobs/{digest(SHARED)}", 200),
        ("reader", "HEAD", f"/blobs/{digest(SHARED)}", 200),
        ("auditor", "GET", f"/blobs/{digest(SHARED)}", 404),
        ("other team", "GET", f"/blobs/{digest(SHARED)}", 200),
        ("other team", "GET", f"/blobs/{digest(b'second')}", 404),
        ("other team", "HEAD", f"/blobs/{digest(b'second')}", 404),
        ("other team", "GET", f"/blobs/{digest(b'nobody has these')}", 404),
        ("reader", "POST", "/blobs/missing", 403),
        ("auditor", "POST", "/blobs/missing", 403),
        ("writer", "POST", "/blobs/missing", 200),
        ("reader", "PUT", f"/blobs/{digest(b'x')}", 403),
        ("auditor", "PUT", f"/blobs/{digest(b'x')}", 403),
        ("writer", "PUT", f"/blobs/{digest(b'x')}", 201),
        ("auditor", "GET", "/whoami", 200),
    ],
)
def test_A16_over_http_bytes(world, who, method, path, code):
    _, url, roles = world
    body = {"json": {"digests": []}} if method == "POST" else {"content": b"x"} if method == "PUT" else {}
    with talking(url, roles[who]) as client:
        answer = client.request(method, f"/api/v1{path}", **body)
        assert answer.status_code == code, answer.text


def test_A16_over_http_metrics_are_for_auditors_of_everything(world):
    service, url, roles = world
    auditor = make_token(service, "auditor", name="auditor of all")
    for secret, code in ((roles["auditor"], 403), (roles["reader"], 403), (auditor, 200)):
        with talking(url, secret) as client:
            assert client.get("/metrics").status_code == code
