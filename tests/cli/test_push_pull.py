"""``push`` and ``pull`` between a folder and a real server on loopback."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time

import pytest
import uvicorn

from modelyard.domain.errors import Unreachable
from modelyard.domain.permissions import OWNER, Principal
from modelyard.edge.doorkeeper import Everybody
from modelyard.remote import patience, uploads
from modelyard.rest.api import Api
from modelyard.rest.uploads import Uploads
from modelyard.wiring import in_folder, uploads_of

MIB = 2**20


@pytest.fixture
def there(tmp_path, monkeypatch):
    """The address of a server, and the service behind it."""
    monkeypatch.setenv("MODELYARD_CACHE", str(tmp_path / "cache"))
    service = in_folder(tmp_path / "there")
    everybody = Everybody(Principal(actor=service.actor, grants=OWNER))
    app = Api(service, everybody, Uploads(service, uploads_of(service)).routes())
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", interface="asgi3"))
    with socket.create_server(("127.0.0.1", 0)) as listening, contextlib.closing(service):
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.001)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", service
        server.should_exit = True
        thread.join()


@pytest.fixture
def fraud(cli, model):
    for label in ("1.0.0", "1.1.0"):
        cli(
            "register",
            "--model-path",
            str(model),
            "--name",
            "fraud",
            "--version",
            label,
            "--tag",
            "team=risk",
        )


def test_a_pushed_version_is_the_same_and_starts_in_development(cli, there, fraud):
    url, service = there
    (told,) = cli("--json", "push", "fraud:1.0.0", url).json["versions"]
    assert (told["outcome"], told["spared"]) == ("new", 0)
    arrived = service.get_version("fraud:1.0.0")
    assert arrived.content_digest == told["source"]["content_digest"]
    assert arrived.tags == {"team": "risk"}
    assert arrived.stage.value == "development"
    assert arrived.attributes["carried_from"] == told["source"]["model_id"]


def test_pushing_again_sends_nothing(cli, there, fraud):
    url, service = there
    cli("push", "fraud:1.0.0", url)
    before = service.get_model("fraud").revision
    (told,) = cli("--json", "push", "fraud:1.0.0", url).json["versions"]
    assert (told["outcome"], told["sent"]) == ("present", 0)
    assert service.get_model("fraud").revision == before
    assert "is there already" in cli("push", "fraud:1.0.0", url).out


def test_what_an_earlier_push_had_sent_does_not_count_as_sent(cli, there, place, monkeypatch):
    url, service = there
    (place / "large.bin").write_bytes(os.urandom(9 * MIB))
    cli("register", "large.bin", "--name", "fraud", "--version", "1.0.0")
    monkeypatch.setattr(uploads, "STEP", 4 * MIB)
    with monkeypatch.context() as patch:
        patch.setattr(patience, "TRIES", 1)
        patch.setattr(patience, "AWAY", 0)
        patch.setattr(uploads.Connection, "send", _once(uploads.Connection.send))
        assert "goes on from there" in cli("push", "fraud:1.0.0", url, code=7).err
    ran = cli("push", "fraud:1.0.0", url)
    assert ran.out == "pushed fraud:1.0.0 (5.0 MiB sent, 4.0 MiB were there) as number 1\n"
    (file,) = service.get_version("fraud:1.0.0").files
    assert b"".join(service.open_blob(file.digest)) == (place / "large.bin").read_bytes()


def _once(send):
    """A line that breaks after its first piece."""
    sent = []

    def piece(*given, **how):
        if sent:
            raise Unreachable("the line broke")
        sent.append(send(*given, **how))
        return sent[0]

    return piece


def test_another_label_with_the_same_bytes_sends_facts_only(cli, there, fraud):
    url, _ = there
    cli("push", "fraud:1.0.0", url)
    ran = cli("push", "fraud:1.1.0", url)
    assert "pushed fraud:1.1.0 (0 B sent" in ran.out


def test_all_versions_travel_oldest_first(cli, there, fraud):
    url, service = there
    cli("push", "fraud", url, "--all")
    assert [service.get_version(f"fraud#{n}").version for n in (1, 2)] == ["1.0.0", "1.1.0"]


def test_a_taken_label_is_refused(cli, there, fraud, place):
    url, _ = there
    cli("push", "fraud:1.0.0", url)
    (place / "other.bin").write_bytes(b"other weights")
    cli(
        "--registry",
        "second",
        "register",
        "--model-path",
        "other.bin",
        "--name",
        "fraud",
        "--version",
        "1.0.0",
    )
    assert "another content digest" in cli("--registry", "second", "push", "fraud:1.0.0", url, code=5).err


def test_pulling_what_was_pushed_gives_the_same_bytes(cli, there, fraud, model):
    url, _ = there
    cli("push", "fraud", url, "--all")
    ran = cli("--registry", "fresh", "pull", "fraud:1.0.0", url)
    assert "pulled fraud:1.0.0" in ran.out
    cli("--registry", "fresh", "load", "fraud:1.0.0", "--output", "back.joblib")
    assert (model.parent / "back.joblib").read_bytes() == model.read_bytes()
    assert cli("--registry", "fresh", "--quiet", "pull", "fraud:1.0.0", url).out.strip()


def test_a_withdrawn_version_is_not_copied(cli, there, fraud):
    url, _ = there
    cli("withdraw", "fraud:1.0.0", "--reason", "leaked labels")
    assert "leaked labels" in cli("push", "fraud:1.0.0", url, code=4).err


def test_a_server_that_is_not_there_is_named(cli, fraud, monkeypatch):
    monkeypatch.setattr("modelyard.remote.transport.FIRST_PAUSE", 0.001)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert f"127.0.0.1:{port}" in cli("push", "fraud", f"http://127.0.0.1:{port}", code=7).err
