"""Answers that are given again: never stale, never to whom they were not meant for."""

from __future__ import annotations

import asyncio
from functools import partial

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from modelyard.adapters.metadata.watch import Watch
from modelyard.domain.errors import IntegrityError
from modelyard.domain.permissions import Principal, parse_grant
from modelyard.domain.records import Actor
from modelyard.edge.doorkeeper import bearer
from modelyard.ports import service as ask
from modelyard.rest import kept as module
from modelyard.rest.kept import Kept
from modelyard.server import build
from modelyard.wiring import in_folder

CHAMPION = "/api/v1/versions/fraud%40champion"
GRANTS = {"boss": "owner", "reader": "reader", "stranger": "reader on other/*", "writer": "writer on fraud"}


class ByName:
    """Takes a token for a name in ``GRANTS``."""

    def recognise(self, headers):
        name = bearer(headers)
        return Principal(actor=Actor(name=name), grants=(parse_grant(GRANTS[name]),))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "registry"


@pytest.fixture
def service(folder):
    found = in_folder(folder)
    for _ in range(2):
        found.create_version(ask.CreateVersion(name="fraud"))
    found.set_alias(ask.SetAlias(model="fraud", alias="champion", ref="#1"))
    yield found
    found.close()


@pytest.fixture
def get(service):
    """One GET after the other through the whole application, as whoever is named."""
    app = build(service, doorkeeper=ByName())

    def one(path=CHAMPION, name="reader", **headers):
        async def sent():
            way = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=way, base_url="http://localhost") as client:
                return await client.get(path, headers={"Authorization": f"Bearer {name}", **headers})

        return asyncio.run(sent())

    return one


@pytest.fixture
def reads(service, monkeypatch):
    """What was really asked of the registry."""
    found = []
    plain = type(service).get_version

    def noted(self, ref):
        found.append(ref)
        return plain(self, ref)

    monkeypatch.setattr(type(service), "get_version", noted)
    return found


def test_the_same_question_is_answered_from_memory_and_word_for_word(get, reads):
    first, again = get(), get()
    assert reads == ["fraud@champion"]
    assert first.content == again.content
    ids = {"x-request-id", "date"}
    assert [h for h in first.headers.items() if h[0] not in ids] == [
        h for h in again.headers.items() if h[0] not in ids
    ]
    assert first.headers["x-request-id"] != again.headers["x-request-id"]


def test_what_this_process_commits_is_seen_at_once(get, service):
    assert get().json()["number"] == 1
    service.set_alias(ask.SetAlias(model="fraud", alias="champion", ref="#2"))
    assert get().json()["number"] == 2


def test_what_another_process_commits_is_seen_at_once(get, folder):
    """Another service over the same file shares no connection with the first, as another process would not."""
    with_alias = [get().json()["number"]]
    other = in_folder(folder)
    for number in (2, 1, 2):
        other.set_alias(ask.SetAlias(model="fraud", alias="champion", ref=f"#{number}"))
        with_alias.append(get().json()["number"])
    other.close()
    assert with_alias == [1, 2, 1, 2]


def test_who_may_not_read_is_not_given_what_others_were(get, reads):
    assert get().status_code == 200
    assert get(name="stranger").status_code == 404
    assert get(name="writer").status_code == 200
    assert len(reads) == 2, "who may read only some models is answered anew"


def test_a_tag_of_the_caller_is_looked_at(get, reads):
    tag = get().headers["etag"]
    assert get(**{"If-None-Match": tag}).status_code == 304
    assert get(**{"If-None-Match": '"another"'}).status_code == 200


def test_what_is_not_there_is_asked_for_again(get, service):
    assert get("/api/v1/models/later").status_code == 404
    service.create_version(ask.CreateVersion(name="later"))
    assert get("/api/v1/models/later").status_code == 200


def test_a_model_and_a_version_of_one_name_are_two_questions(get):
    assert "number" in get("/api/v1/versions/fraud").json()
    assert "number" not in get("/api/v1/models/fraud").json()


# --- the memory of one loop ------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc"))))
def test_no_answer_is_older_than_the_last_commit(steps):
    """Commits and questions in any order: the answer always tells the number of commits so far."""
    commits = 0
    kept = Kept(lambda: commits)
    for is_commit, question in steps:
        commits += is_commit
        now = f"{question} {commits}"
        assert kept.given(question, partial(Response, now)).body == now.encode()


def test_a_commit_while_the_answer_is_made_is_not_lost():
    state = [1]
    kept = Kept(lambda: state[0])

    def made():
        read = Response(f"read in {state[0]}")
        state[0] += 1  # committed right after the record was read
        return read

    kept.given("q", made)
    assert kept.given("q", lambda: Response("anew")).body == b"anew"


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "MOST", 100_000)
    kept, made = Kept(lambda: 1), []

    def answer(size):
        made.append(size)
        return Response(b"x" * size)

    for n in range(1000):
        kept.given(n, lambda: answer(5000))
        assert kept._size <= 110_000
    kept.given("large", lambda: answer(50_000))
    kept.given("large", lambda: answer(50_000))
    assert made.count(50_000) == 2


# --- the state of a file ---------------------------------------------------------------------------------------------


def test_the_state_of_a_file_stands_still_until_somebody_commits(service, folder):
    first = service.store.state()
    service.get_version("fraud")
    assert service.store.state() == first
    other = in_folder(folder)
    assert service.store.state() == first
    other.set_alias(ask.SetAlias(model="fraud", alias="champion", ref="#2"))
    other.close()
    assert service.store.state() != first


def test_the_state_of_a_file_that_cannot_be_read_is_an_error_and_no_state(tmp_path):
    (tmp_path / "registry.db").write_bytes(b"no database, " * 100)
    watch = Watch(tmp_path / "registry.db")
    for _ in range(2):
        with pytest.raises(IntegrityError):
            watch.state()
    watch.close()


def test_a_watch_that_was_closed_opens_again_and_trusts_nothing_from_before(service):
    first = service.store.state()
    service.store._watch.close()
    assert service.store.state() != first
