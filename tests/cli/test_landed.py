"""What has landed is told as landed, whatever comes of a question afterwards."""

from __future__ import annotations

import socket

import pytest

from modelyard import ModelRegistry

from .test_push_pull import there as there


@pytest.fixture
def meanwhile(monkeypatch):
    """Lets something happen between a change and the program's next question."""

    def arrange(method, then):
        real = getattr(ModelRegistry, method)

        def landed(registry, *given, **how):
            answer = real(registry, *given, **how)
            then(registry, answer)
            return answer

        monkeypatch.setattr(ModelRegistry, method, landed)

    return arrange


def test_a_promotion_is_told_although_what_made_room_was_deleted_meanwhile(fraud, meanwhile):
    fraud("promote", "fraud:1.2.0", "--target-stage", "staging")
    old = fraud("--json", "info", "fraud@production").json["model_id"]

    def delete(registry, promotion):
        registry.delete_model(old, True, reason="no longer needed")

    meanwhile("promote_model", delete)
    ran = fraud("promote", "fraud:1.2.0", "--target-stage", "production")
    assert ran.out == f"fraud:1.2.0 (#3) is in production now; {old} made room\n"
    assert fraud("--json", "info", "fraud@production").json["version"] == "1.2.0"


@pytest.mark.parametrize(
    "words",
    [
        ("register", "model.joblib", "--name", "fraud", "--version", "1.0.0"),
        ("save", "--model-file", "model.joblib", "--model-name", "fraud", "--version", "1.0.0"),
    ],
    ids=["register", "save"],
)
def test_a_registration_is_told_although_the_version_was_deleted_meanwhile(cli, model, meanwhile, words):
    made = []

    def delete(registry, model_id):
        made.append(model_id)
        registry.delete_model(model_id)

    meanwhile("register_model", delete)
    ran = cli(*words)
    assert ran.out == f"registered a version of fraud, id {made[0]}\n"
    assert "could not be read back: fraud:1.0.0 was deleted" in ran.err
    assert cli("--quiet", *words[:-1], "1.0.1").out == f"{made[1]}\n"
    assert cli("--json", *words[:-1], "1.0.2").json == {"model_id": made[2], "name": "fraud"}


def test_versions_that_arrived_are_told_although_a_later_one_is_refused(cli, model, weights, there):
    url, service = there
    for label, file in (("1.0.0", model), ("1.1.0", model), ("1.2.0", model)):
        cli("register", str(file), "--name", "fraud", "--version", label)
    cli("--registry", url, "register", str(weights), "--name", "fraud", "--version", "1.1.0")
    ran = cli("push", "--all", "fraud", url, code=5)
    (line,) = ran.out.splitlines()
    assert line.startswith("pushed fraud:1.0.0 (")
    assert "fraud:1.1.0" in ran.err
    told = cli("--json", "push", "--all", "fraud", url, code=5).json
    assert [one["outcome"] for one in told["versions"]] == ["present"]
    assert [version.version for version in service.lineage("fraud:1.0.0")] == ["1.0.0"]


def test_nothing_is_told_of_a_push_that_moved_nothing(cli, model, weights, there):
    url, _ = there
    cli("register", str(model), "--name", "fraud", "--version", "1.0.0")
    cli("--registry", url, "register", str(weights), "--name", "fraud", "--version", "1.0.0")
    assert cli("push", "fraud:1.0.0", url, code=5).out == ""


def test_a_push_that_lost_the_server_says_that_it_goes_on_where_it_was(cli, weights, monkeypatch):
    monkeypatch.setattr("modelyard.remote.transport.wait", lambda pause: pause)
    cli("register", str(weights), "--name", "fraud")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    told = cli("push", "fraud", f"http://127.0.0.1:{port}", code=7).err
    assert "the same command again goes on from there" in told
