"""Where no answer comes, the error tells what may have happened and what to try."""

from __future__ import annotations

import socket
import threading

import httpx
import pytest

from modelyard.domain.errors import NotSupported, Unreachable
from modelyard.domain.records import ModelStage
from modelyard.ports.service import CreateVersion, Promote
from modelyard.remote.transport import Transport


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    """Trying again is the subject of other tests."""
    monkeypatch.setattr("modelyard.remote.transport.wait", lambda pause: pause)


@pytest.fixture
def hangs_up():
    """The port of somebody who takes a request and closes the connection, as a TLS server does with plain text."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)

        thread = threading.Thread(target=answer)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_https_to_a_server_of_plain_http_names_the_other_address(server):
    with pytest.raises(
        Unreachable, match=rf"does not speak TLS: is its address http://127.0.0.1:{server.port}\?"
    ):
        Transport(f"https://127.0.0.1:{server.port}").ask("POST", "/api/v1/models")


def test_http_to_one_that_wants_tls_names_the_other_address(hangs_up):
    with pytest.raises(Unreachable, match=rf"response\. .* its address is https://127.0.0.1:{hangs_up}$"):
        Transport(f"http://127.0.0.1:{hangs_up}").ask("GET", "/api/v1/whoami", safe=True)


def test_nobody_there_is_told_as_such_even_where_a_change_was_asked_for():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(Unreachable, match="Is the server running, and is this its address"):
        Transport(f"http://127.0.0.1:{port}").ask("POST", "/api/v1/models")


def test_a_change_whose_answer_was_lost_is_told_as_one_that_may_have_been_made(server, client, monkeypatch):
    service = client()
    made = service.create_version(CreateVersion(name="fraud"))
    http = service.transport.client
    real = http.request

    def lost(*given, **how):
        real(*given, **how)
        raise httpx.ReadError("the connection was reset")

    monkeypatch.setattr(http, "request", lost)
    with pytest.raises(Unreachable, match="so it may have been made or not: look") as caught:
        service.promote(Promote(ref=made.model_id, target=ModelStage.TESTING))
    assert "Is the server running" not in caught.value.detail
    assert server.service.get_version("fraud").stage is ModelStage.TESTING


def test_a_change_whose_answer_is_not_understood_is_told_as_made(server, client, monkeypatch):
    service = client()
    made = service.create_version(CreateVersion(name="fraud"))
    monkeypatch.setattr("modelyard.remote.service.answer", _not_understood)
    with pytest.raises(NotSupported, match=r"^http.* It said yes: look with `modelyard history`"):
        service.undelete(made.model_id)
    with pytest.raises(NotSupported, match=r"^http"):
        service.get_model("fraud")


def _not_understood(row, found):
    raise ValueError(f"{row.name}: unknown field")
