"""Lists over HTTP, page by page, while others write."""

from __future__ import annotations

import threading
import time

import pytest

from .serving import problem


def pages(server, operation, **params):
    """Every page until the last one."""
    after = {}
    for _ in range(10_000):
        answer = server.ask(operation, params={**params, **after})
        assert answer.is_success, answer.text
        page = answer.json()
        yield page["items"]
        if page["next"] is None:
            return
        after = {"after": page["next"]}
    raise AssertionError("the list never ends")


@pytest.fixture(scope="module")
def filled(server):
    for number in range(60):
        made = server.ask("create_version", name=f"model {number % 3}", json={"tags": {"n": str(number)}})
        assert made.is_success, made.text
    return server


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_every_version_is_seen_once_whatever_the_size_of_a_page(filled, limit):
    found = [one["model_id"] for page in pages(filled, "search", limit=limit) for one in page]
    assert len(found) == len(set(found)) >= 60
    assert all(len(page) <= limit for page in pages(filled, "search", limit=limit))


def test_nothing_that_was_there_is_missed_while_writers_write(filled):
    there = {one["model_id"] for page in pages(filled, "search", limit=100) for one in page}
    events = len([1 for page in pages(filled, "history", ref="model 1", limit=50) for _ in page])
    stop, made = threading.Event(), []

    def write(name):
        while not stop.is_set():
            answer = filled.ask("create_version", name=name, json={"tags": {"late": "1"}})
            assert answer.is_success, answer.text
            made.append(answer.json()["model_id"])

    writers = [threading.Thread(target=write, args=(f"model {n}",)) for n in (1, 2)]
    for writer in writers:
        writer.start()
    try:
        while not made:
            time.sleep(0.001)
        seen = [one["model_id"] for page in pages(filled, "search", limit=3) for one in page]
        named = [one["name"] for page in pages(filled, "list_models", limit=1) for one in page]
        history = [
            one["sequence"] for page in pages(filled, "history", ref="model 1", limit=5) for one in page
        ]
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert there <= set(seen)
    assert len(seen) == len(set(seen))
    assert set(named) >= {"model 0", "model 1", "model 2", "fraud"}
    assert history == sorted(set(history), reverse=True)
    assert len(history) >= events
    assert history[-1] == 1


@pytest.mark.parametrize(
    "limit", ["0", "-1", "1001", "1" + "0" * 30, "9223372036854775808", "1.5", "abc", "", "1e3", "١", "0x10"]
)
@pytest.mark.parametrize("operation", ["search", "list_models", "history"])
def test_a49_a_page_of_an_odd_size_is_refused(server, operation, limit):
    params = {"limit": limit} | ({"ref": "fraud"} if operation == "history" else {})
    told = problem(server.ask(operation, params=params))
    assert told["status"] == 400


def test_a49_there_is_no_offset(server):
    for name in ("offset", "page", "skip", "per_page"):
        assert problem(server.ask("search", params={name: "1000000000"}))["data"]["field"] == name


@pytest.mark.parametrize(
    "after",
    [
        "x",
        "",
        "0",
        "-1",
        "' OR 1=1--",
        "AAAA",
        "e30=",
        "\x00",
        "9" * 5000,
        "../..",
        "null",
        "%",
        "eyJhIjoxfQ==",
    ],
)
@pytest.mark.parametrize("operation", ["search", "list_models", "history"])
def test_a45_a_cursor_that_was_never_given_is_refused(server, operation, after):
    params = {"after": after} | ({"ref": "fraud"} if operation == "history" else {})
    answer = server.ask(operation, params=params)
    if not answer.is_success:
        assert problem(answer)["status"] == 400
    assert answer.status_code in (200, 400)


def test_a_cursor_of_another_list_tells_nothing_it_should_not(filled):
    cursor = filled.ask("search", params={"limit": 1}).json()["next"]
    for operation, more in (
        ("list_models", {}),
        ("history", {"ref": "fraud"}),
        ("search", {"text": "name = 'x'"}),
    ):
        assert filled.ask(operation, params={"after": cursor, **more}).status_code in (200, 400)


def test_a49_a_batch_of_ten_thousand_digests_is_taken_and_of_more_refused(server):
    digests = [f"sha256:{n:064x}" for n in range(10_001)]
    assert server.http.post("/blobs/missing", json={"digests": digests[:-1]}).is_success
    told = problem(server.http.post("/blobs/missing", json={"digests": digests}))
    assert told["status"] in (400, 413)
