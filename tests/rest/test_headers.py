"""What HTTP has headers for: repeated calls, changes meant for one state, answers one has already."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from .serving import problem, running


@pytest.fixture
def name(server):
    """A model of one's own with one version."""
    found = f"m{uuid.uuid4().hex[:12]}"
    assert server.ask("create_version", name=found, json={"version": "1.0.0", "tags": {"a": "1"}}).is_success
    return found


def create(server, name, key, **body):
    return server.ask("create_version", name=name, json=body, headers={"Idempotency-Key": key})


# --- Idempotency-Key -------------------------------------------------------------------------------------------------


def test_a68_a_repeated_call_gets_the_same_answer_and_makes_nothing(server, name):
    first = create(server, name, "key-1" + name, description="x")
    again = create(server, name, "key-1" + name, description="x")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json()["model_id"] == first.json()["model_id"]
    assert server.ask("get_model", name=name).json()["last_number"] == 2


def test_a68_the_same_key_with_another_body_is_refused(server, name):
    create(server, name, "key-2" + name, description="x")
    told = problem(create(server, name, "key-2" + name, description="y"))
    assert told["status"] in (400, 409, 422)
    assert server.ask("get_model", name=name).json()["last_number"] == 2


def test_a68_twenty_at_once_with_one_key_make_one_version(server, name):
    with ThreadPoolExecutor(20) as crowd:
        found = list(crowd.map(lambda _: create(server, name, "key-3" + name, description="x"), range(20)))
    assert {answer.status_code for answer in found} == {201}
    assert len({answer.json()["model_id"] for answer in found}) == 1
    assert server.ask("get_model", name=name).json()["last_number"] == 2


def test_a68_a_key_of_another_user_means_nothing(server, name):
    body = {"name": name, "owner": {"name": "bob"}, "grants": [{"role": "writer"}]}
    made = server.ask("create_token", json=body)
    assert made.status_code == 201, made.text
    mine = create(server, name, "key-4" + name, description="x")
    body, headers = {"description": "y"}, {"Idempotency-Key": "key-4" + name}
    headers["Authorization"] = f"Bearer {made.json()['secret']}"
    theirs = server.ask("create_version", name=name, json=body, headers=headers)
    assert theirs.status_code == 201, theirs.text
    assert theirs.json()["model_id"] != mine.json()["model_id"]


def test_a_key_in_the_body_and_in_the_header_are_the_same_thing(server, name):
    first = create(server, name, "key-5" + name, description="x")
    body = {"description": "x", "idempotency_key": "key-5" + name}
    again = server.ask("create_version", name=name, json=body)
    assert again.json()["model_id"] == first.json()["model_id"]


def test_a68_a_key_is_refused_where_it_would_not_keep_its_promise(server, name):
    """Passed over in silence, the second of two equal calls would be a second rollback, or a second token."""
    headers = {"Idempotency-Key": "once"}
    token = {"name": f"{name}-twice", "grants": [{"role": "reader"}]}
    for answer, hint in (
        (server.ask("roll_back", ref=name, json={}, headers=headers), "expected"),
        (server.ask("create_token", json=token, headers=headers), "ask for what is there"),
        (server.ask("create_versions", json={"versions": [{"name": name}]}, headers=headers), "each entry"),
    ):
        told = problem(answer)
        assert (told["status"], told["data"]["field"]) == (400, "idempotency-key")
        assert hint in told["detail"]
    assert server.ask("get_version", ref=f"{name}#1", headers=headers).is_success
    assert server.ask("get_model", name=name).json()["last_number"] == 1


@pytest.mark.parametrize("key", ["x" * 10_000, "a\tb", "é"])
def test_an_odd_key_is_taken_or_refused_and_never_fails(server, name, key):
    answer = server.ask("create_version", name=name, json={}, headers=[(b"Idempotency-Key", key.encode())])
    assert answer.status_code in (201, 400, 431)


# --- ETag, If-Match, If-None-Match -----------------------------------------------------------------------------------


def test_an_answer_that_one_has_is_not_sent_again(server, name):
    first = server.ask("get_version", ref=f"{name}#1")
    again = server.ask("get_version", ref=f"{name}#1", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize("change", ["annotate", "set_alias", "record_metrics", "promote", "withdraw"])
def test_every_change_that_an_answer_shows_changes_its_tag(server, name, change):
    ref = f"{name}#1"
    before = server.ask("get_version", ref=ref)
    done = {
        "annotate": lambda: server.ask("annotate", ref=ref, json={"tags": {"a": "2"}}),
        "set_alias": lambda: server.ask("set_alias", model=name, alias="best", json={"ref": ref}),
        "record_metrics": lambda: server.ask("record_metrics", ref=ref, json={"metrics": {"auc": 0.5}}),
        "promote": lambda: server.ask("promote", ref=ref, json={"target": "testing"}),
        "withdraw": lambda: server.ask("withdraw", json={"target": ref, "reason": "wrong"}),
    }[change]()
    assert done.is_success, done.text
    after = server.ask("get_version", ref=ref, headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.json() != before.json()


def test_a_pointer_that_moved_is_another_answer(server, name):
    server.ask("create_version", name=name, json={"version": "2.0.0"})
    server.ask("set_alias", model=name, alias="best", json={"ref": f"{name}#1"})
    tag = server.ask("get_version", ref=f"{name}@best").headers["etag"]
    server.ask("set_alias", model=name, alias="best", json={"ref": f"{name}#2"})
    now = server.ask("get_version", ref=f"{name}@best", headers={"If-None-Match": tag})
    assert (now.status_code, now.json()["number"]) == (200, 2)


def test_a_change_meant_for_an_older_state_is_refused(server, name):
    ref = f"{name}#1"
    tag = server.ask("get_version", ref=ref).headers["etag"]
    first = server.ask("annotate", ref=ref, json={"tags": {"a": "2"}}, headers={"If-Match": tag})
    late = server.ask("annotate", ref=ref, json={"tags": {"a": "3"}}, headers={"If-Match": tag})
    assert first.is_success
    told = problem(late)
    assert (told["status"], told["code"]) == (412, "precondition_failed")
    assert server.ask("get_version", ref=ref).json()["tags"] == {"a": "2"}


def test_a_change_through_a_pointer_that_moved_is_refused(server, name):
    server.ask("create_version", name=name, json={"version": "2.0.0"})
    server.ask("set_alias", model=name, alias="best", json={"ref": f"{name}#1"})
    tag = server.ask("get_version", ref=f"{name}@best").headers["etag"]
    server.ask("set_alias", model=name, alias="best", json={"ref": f"{name}#2"})
    headers = {"If-Match": tag}
    late = server.ask("annotate", ref=f"{name}@best", json={"tags": {"a": "3"}}, headers=headers)
    assert problem(late)["status"] == 412
    assert server.ask("get_version", ref=f"{name}#2").json()["tags"] == {}


def test_of_twenty_changes_meant_for_one_state_one_is_made(server, name):
    ref = f"{name}#1"
    tag = server.ask("get_version", ref=ref).headers["etag"]

    def change(number):
        body = {"tags": {"winner": str(number)}}
        return server.ask("annotate", ref=ref, json=body, headers={"If-Match": tag}).status_code

    with ThreadPoolExecutor(20) as crowd:
        codes = sorted(crowd.map(change, range(20)))
    assert codes == [200] + [412] * 19


def test_the_tag_of_a_model_guards_the_model(server, name):
    tag = server.ask("get_model", name=name).headers["etag"]
    body, headers = {"tags": {"x": "1"}, "whole_model": True}, {"If-Match": tag}
    assert server.ask("annotate", ref=name, json=body, headers=headers).is_success
    assert problem(server.ask("annotate", ref=name, json=body, headers=headers))["status"] == 412


@pytest.mark.parametrize("tag", ["7", '"7"', "*", "W/x", '"' + "9" * 400 + '"', "", '"a.b-c"'])
def test_a_tag_that_was_never_given_is_refused(server, name, tag):
    answer = server.ask("annotate", ref=f"{name}#1", json={"tags": {"a": "9"}}, headers={"If-Match": tag})
    assert problem(answer)["status"] in (400, 412)
    assert server.ask("get_version", ref=f"{name}#1").json()["tags"] == {"a": "1"}


def test_a_tag_where_none_is_looked_at_is_refused_rather_than_passed_over(server, name):
    tag = server.ask("get_version", ref=f"{name}#1").headers["etag"]
    answer = server.ask(
        "set_alias", model=name, alias="b", json={"ref": f"{name}#1"}, headers={"If-Match": tag}
    )
    assert problem(answer)["data"]["field"] == "if-match"


def test_answers_without_a_body_have_none(server, name):
    server.ask("set_alias", model=name, alias="best", json={"ref": f"{name}#1"})
    answer = server.ask("delete_alias", model=name, alias="best")
    assert (answer.status_code, answer.content) == (204, b"")


def test_keys_are_remembered_by_a_server_that_was_started_again(tmp_path):
    made = []
    for _ in range(2):
        with running(tmp_path / "registry", "--no-auth") as server:
            made.append(create(server, "fraud", "key", description="x").json()["model_id"])
    assert made[0] == made[1]
