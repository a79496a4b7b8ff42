"""The service contract over HTTP: a real server on loopback, and the client that everybody uses."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest
import uvicorn

from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.adapters.blobs.uploads.memory import MemoryUploads
from modelyard.domain.permissions import OWNER, Principal
from modelyard.domain.records import Actor
from modelyard.edge.doorkeeper import bearer
from modelyard.remote.service import RemoteService
from modelyard.remote.transport import Transport
from modelyard.rest.api import Api
from modelyard.testing.service import ServiceContract

from .service_rooms import LocalRoom, MemoryBytes, MemoryRecords, memory_memory


class ByName:
    """Takes a token for the name of its owner, who may do everything."""

    def recognise(self, headers):
        return Principal(actor=Actor(name=bearer(headers)), grants=OWNER)


class Client(RemoteService):
    """A client that can be anybody, which only this server lets it."""

    def __init__(self, url, name, behind):
        cache = MemoryBlobs()
        super().__init__(Transport(url, token=name), cache, MemoryUploads(cache))
        self.behind, self.others = behind, []
        self.store, self.blobs, self.manifests = behind.store, behind.blobs, behind.manifests

    def as_actor(self, actor):
        self.others.append(Client(self.transport.url, actor.name, self.behind))
        return self.others[-1]

    def close(self):
        for client in self.others:
            client.close()
        super().close()


@contextlib.contextmanager
def serving(service):
    """A server for ``service`` on a free port of this machine, on a thread."""
    app = Api(service, ByName())
    config = uvicorn.Config(app, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.001)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


class TestRemote(MemoryRecords, MemoryBytes, LocalRoom, ServiceContract):
    build = staticmethod(memory_memory)
    follows_progress = False

    @pytest.fixture
    def service(self, folder, clock):
        behind = memory_memory(folder, clock)
        with serving(behind) as url:
            client = Client(url, "ann", behind)
            yield client
            client.close()
        behind.close()
