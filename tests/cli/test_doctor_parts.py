"""Parts that are not in the registry's folder: what a diagnosis says of servers, caches and addresses."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path
from typing import Any

import pytest
from tests.server.running import on_a_thread

from modelyard.adapters.blobs.object_place import Place
from modelyard.adapters.blobs.object_probe import Examined
from modelyard.adapters.metadata.looked import Looked, stays_here
from modelyard.cli import diagnosis_parts as parts

SOUND = Looked(
    place="PostgreSQL db:5432/x",
    version="PostgreSQL 18.4",
    too_old="",
    schema=5,
    newest=5,
    refusal="",
    isolation="read committed",
    skew=0.1,
    limits="a statement 60s",
    encrypted=True,
    local=False,
    careless="",
    room=100,
    pool=10,
)


def said(ran: Any) -> dict[str, tuple[str, str]]:
    return {line["topic"]: (line["level"], line["text"]) for line in ran.json["lines"]}


def test_a_sound_database_has_nothing_but_good_lines() -> None:
    lines = list(parts._database(SOUND))
    assert {line.level for line in lines} == {"ok"}
    assert len({line.topic for line in lines}) == len(lines)


@pytest.mark.parametrize(
    ("fault", "topic", "level", "told"),
    [
        ({"too_old": "PostgreSQL 14 or newer is expected"}, "database", "fail", "14 or newer"),
        ({"schema": 9}, "schema", "fail", "update this one"),
        ({"schema": 4}, "schema", "warn", "brings it up to date"),
        ({"schema": 0}, "schema", "warn", "the first opening makes it"),
        ({"refusal": "it is a replica"}, "db rights", "fail", "only reading will work: it is a replica"),
        ({"careless": "set fsync = on"}, "db commits", "warn", "set fsync = on"),
        ({"skew": -9.0}, "db clock", "warn", "-9 s off ours: set the clock"),
        ({"limits": ""}, "db limits", "warn", "wait for ever"),
        ({"pool": 60}, "connections", "warn", "lower database.pool_size"),
        ({"encrypted": False}, "db TLS", "warn", "use TLS"),
    ],
)
def test_each_fault_of_a_database_has_its_own_line(
    fault: dict[str, Any], topic: str, level: str, told: str
) -> None:
    lines = list(parts._database(dataclasses.replace(SOUND, **fault)))
    (line,) = (line for line in lines if line.level != "ok")
    assert (line.topic, line.level) == (topic, level)
    assert told in line.text


def test_a_database_on_this_machine_needs_no_TLS() -> None:
    lines = parts._database(dataclasses.replace(SOUND, encrypted=False, local=True, room=None))
    assert {line.level for line in lines} == {"ok"}


@pytest.mark.parametrize(
    ("host", "here"),
    [("", True), ("/run/pg", True), ("localhost", True), ("127.8.9.1", True), ("[::1]", True), ("db", False)],
)
def test_what_stays_on_this_machine(host: str, here: bool) -> None:
    assert stays_here(host) is here


@pytest.mark.parametrize(
    ("endpoint", "found", "bad"),
    [
        (None, {}, set()),
        ("http://127.0.0.1:9000", {"links": False}, set()),
        ("http://store:9000", {}, {"obj TLS"}),
        ("https://store:9000", {"conditional_put": False}, {"conditions"}),
        (None, {"skew": 100.0}, {"obj clock"}),
    ],
)
def test_what_a_bucket_does_not_keep_is_told(
    endpoint: str | None, found: dict[str, Any], bad: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    place = Place(kind="s3", bucket="models", endpoint=endpoint)
    examined = Examined(**({"conditional_put": True, "skew": 0.0, "links": True} | found))
    assert {line.topic for line in parts._promises(place, examined) if line.level != "ok"} == bad


def test_a_registry_behind_a_server_has_an_address_and_a_cache(
    cli: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELYARD_CACHE", str(place / "cache"))
    (place / "cache").mkdir()
    (place / "cache" / "kept").write_bytes(b"x" * 2048)
    with on_a_thread(place / "registry") as server:
        found = said(cli("doctor", "--json", "--registry", server.url))
        assert found["address"] == ("ok", f"{server.url} answers")
        assert found["cache"] == ("ok", f"2.0 KiB of at most 50.0 GiB in {place / 'cache'}")


def test_a_server_that_is_not_there_and_a_cache_that_cannot_be_are_told(
    cli: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "file").write_text("")
    monkeypatch.setenv("MODELYARD_CACHE", str(place / "file" / "cache"))
    found = said(cli("doctor", "--json", "--registry", "http://127.0.0.1:1", code=7))
    assert found["address"][0] == found["cache"][0] == "fail"
    assert "does not answer" in found["address"][1]
    assert "set MODELYARD_CACHE" in found["cache"][1]


def test_the_address_of_a_server_is_looked_at_where_it_is_asked_for(cli: Any, place: Path) -> None:
    assert "address" not in said(cli("doctor", "--json"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (place / ".env").write_text(f"REGISTRY_PORT={port}\n")
        level, text = said(cli("doctor", "--json", "--server"))["address"]
    assert level == "warn"
    assert f"127.0.0.1:{port}: Address already in use" in text
    level, text = said(cli("doctor", "--json", "--server"))["address"]
    assert (level, text) == ("ok", f"127.0.0.1:{port} is free, callers use http://127.0.0.1:{port}")


def test_a_server_that_would_be_refused_is_told_before_it_is_started(
    cli: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELYARD_SERVER_HOST", "0.0.0.0")
    level, text = said(cli("doctor", "--json", "--server", code=7))["address"]
    assert level == "fail"
    assert "unencrypted" in text
