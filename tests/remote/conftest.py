"""Servers of bytes on loopback, and clients that can be stopped and started again."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time

import pytest
import uvicorn

from modelyard.adapters.blobs.cache import CachedBlobs
from modelyard.adapters.blobs.uploads.local import LocalUploads
from modelyard.domain.permissions import OWNER, Principal
from modelyard.domain.records import Actor
from modelyard.edge.doorkeeper import bearer
from modelyard.remote.service import RemoteService
from modelyard.remote.transport import Transport
from modelyard.rest.api import Api
from modelyard.rest.uploads import Uploads
from modelyard.wiring import in_folder, uploads_of


class ByName:
    """Takes a token for the name of its owner, who may do everything."""

    def recognise(self, headers):
        return Principal(actor=Actor(name=bearer(headers)), grants=OWNER)


class Server:
    """A server of one folder that can be stopped and started again on the same port."""

    def __init__(self, folder, doorkeeper):
        self.folder, self.doorkeeper, self.port = folder, doorkeeper, 0
        self.seen = []
        self.break_after = None
        self.link = lambda digest: None

    def start(self):
        self.service = in_folder(self.folder)
        uploads = Uploads(self.service, uploads_of(self.service)).routes()
        self.app = Api(self.service, self.doorkeeper, uploads, links=self.where)
        self.listening = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listening.getsockname()[1]
        config = uvicorn.Config(
            self.watched, log_level="critical", lifespan="off", interface="asgi3", timeout_graceful_shutdown=1
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listening]})
        self.thread.start()
        while not self.server.started:
            time.sleep(0.001)

    def where(self, digest):
        """What a test says at this moment."""
        return self.link(digest)

    async def watched(self, scope, receive, send):
        """Notes what is asked, and hangs up in the middle of a body when told to."""
        self.seen.append((scope["method"], scope["path"]))
        left = self.break_after
        moves_bytes = scope["method"] == "PATCH" or (scope["method"] == "GET" and "sha256:" in scope["path"])
        if left is None or not moves_bytes:
            await self.app(scope, receive, send)
            return

        async def sent(message):
            nonlocal left
            if left is not None and message["type"] == "http.response.body":
                left -= len(message.get("body", b""))
                self.break_after = max(left, 0) if left >= 0 else None
                if left < 0:
                    raise ConnectionAbortedError
            await send(message)

        async def received():
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            self.break_after = max(left, 0) if left >= 0 else None
            if left < 0:
                return {"type": "http.disconnect"}
            return message

        await self.app(scope, received, sent)

    def stop(self):
        self.server.should_exit = True
        self.thread.join()
        self.listening.close()
        self.service.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def asked(self, method, part=""):
        return [path for seen, path in self.seen if seen == method and part in path]


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "registry", ByName())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(tmp_path, server):
    """Makes clients that share one cache folder, as processes of one user do."""
    with contextlib.ExitStack() as stack:

        def make(name="ann", cache="cache", limit=2**40):
            store = CachedBlobs(tmp_path / cache, limit=limit)
            service = RemoteService(
                Transport(server.url, token=name),
                store,
                LocalUploads(store, notes=False),
                tmp_path / cache / "uploading",
            )
            stack.callback(service.close)
            return service

        yield make


@pytest.fixture
def large(tmp_path):
    """A file that travels in pieces."""
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(20 * 2**20))
    return path
