"""``modelyard session``: what an administrator sees of logins, and ends."""

import json
from datetime import timedelta

import pytest

from modelyard.domain.permissions import Grant
from modelyard.domain.sessions import Person
from modelyard.service.sessions import ServiceSessions
from modelyard.wiring import in_folder


@pytest.fixture
def logged_in(cli, place):
    """Opens a session of somebody in the registry of the current folder."""
    cli("register", "--no-files", "--name", "fraud")

    def open_(name, once="1"):
        person = Person(key=name[0] * 32, name=name, grants=(Grant(role="reader"),))
        service = in_folder(place / "model_registry")
        life = {"life": timedelta(hours=12), "idle": timedelta(hours=1)}
        secret = ServiceSessions(service).open(person, **life, once=f"{name}{once}")
        service.close()
        return secret

    return open_


def test_a_list_shows_who_is_logged_in_and_nothing_to_log_in_with(cli, logged_in):
    secret = logged_in("ada")
    shown = cli("session", "list")
    assert "ada" in shown.out
    assert "open" in shown.out
    assert secret not in shown.out
    (told,) = json.loads(cli("session", "list", "--json").out)["sessions"]
    assert (told["owner"], told["state"], told["kind"]) == ("ada", "open", "session")
    assert "digest" not in told


def test_ending_by_name_ends_all_of_that_person_and_says_how_many(cli, logged_in):
    for name, once in (("ada", "1"), ("ada", "2"), ("bob", "1")):
        logged_in(name, once)
    assert "ended 2 sessions of ada" in cli("session", "end", "ada", "--reason", "left").out
    assert [each["owner"] for each in json.loads(cli("session", "list", "--json").out)["sessions"]] == ["bob"]
    assert len(json.loads(cli("session", "list", "--all", "--json").out)["sessions"]) == 3


def test_somebody_who_is_not_logged_in_is_said_so(cli, logged_in):
    logged_in("ada")
    ran = cli("session", "end", "eve", code=3)
    assert "no open session" in ran.err
    cli("session", "end", "ada")
    assert "No sessions." in cli("session", "list").out
