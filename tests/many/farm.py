"""Several ``modelyard server`` processes over one database and one bucket, behind one address."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from tests.server.running import Command
from tests.services.round_robin import RoundRobin, balancing

from modelyard import ModelRegistry
from modelyard.adapters.blobs.cache import CachedBlobs
from modelyard.adapters.blobs.object_place import Place
from modelyard.adapters.blobs.uploads.local import LocalUploads
from modelyard.remote.service import RemoteService
from modelyard.remote.transport import Transport
from modelyard.settings import load_settings

SERVE = Path(__file__).with_name("serve.py")


class Member(Command):
    """One server of several."""

    def __init__(self, folder: Path, environment: dict[str, str], life: float | None, workers: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        program = ["-m", "modelyard"] if life is None else [str(SERVE), str(life)]
        words = [*program, "server", "--port", "0", "--json", "--registry", str(folder / "registry")]
        words += ["--workers", str(workers)]
        self.errors = (folder / "log").open("a+")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MODELYARD_")}
        self.process = subprocess.Popen(
            [sys.executable, *words],
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=clean | environment,
        )
        try:
            told = self._told()
        except BaseException:
            self.kill()
            raise
        self.url, self.token = told["url"], told["token"]
        self.port = int(self.url.rpartition(":")[2])


class Farm:
    """``count`` servers, numbered from 0, each of which may be killed and started again.

    Args:
        folder: For what the processes write beside the registry: logs, an empty registry folder, a cache.
        url: Database.
        place: Bucket and prefix.
        life: Seconds of the right to collect that a dead server leaves behind; the product's own if not given.
        workers: Processes of each server.
    """

    def __init__(
        self, folder: Path, url: str, place: Place, count: int, life: float | None = None, workers: int = 1
    ) -> None:
        self.folder, self.place, self.url = folder, place, url
        self.environment = environment(url, place)
        self._life, self._workers = life, workers
        self.servers: list[Member] = []
        try:
            for number in range(count):
                self.servers.append(self._start(number))
        except BaseException:
            self._kill()
            raise
        self.token = next(server.token for server in self.servers if server.token)
        self.proxy: RoundRobin
        self._stack = ExitStack()

    def __enter__(self) -> Farm:
        self.proxy = self._stack.enter_context(balancing([server.port for server in self.servers]))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._kill()

    def _kill(self) -> None:
        for server in self.servers:
            server.kill()

    @property
    def address(self) -> str:
        """Where the proxy answers for all of them."""
        return f"http://127.0.0.1:{self.proxy.port}"

    def _start(self, number: int) -> Member:
        return Member(self.folder / f"server-{number}", self.environment, self._life, self._workers)

    def die(self, number: int) -> None:
        """One server is gone from one instant to the next."""
        self.servers[number].process.kill()
        self.servers[number].process.wait()
        self.servers[number].kill()

    def revive(self, number: int) -> None:
        """Start it again, on another port; the proxy hears of it."""
        self.servers[number] = self._start(number)
        self.proxy.targets[number] = self.servers[number].port

    def client(self, number: int | None = None, token: str = "") -> RemoteService:
        """A caller of one server, or of the proxy; its cache is its own, and it is closed in the end."""
        url = self.address if number is None else self.servers[number].url
        cache = self.folder / "caches" / uuid.uuid4().hex
        kept = CachedBlobs(cache, limit=1 << 30)
        transport = Transport(url, token or self.token)
        made = RemoteService(transport, kept, LocalUploads(kept, notes=False), notes=cache / "notes")
        self._stack.callback(made.close)
        return made

    def registry(self) -> ModelRegistry:
        """The registry itself, without any server."""
        return ModelRegistry(self.folder / "direct", config=load_settings(env=self.environment))


def environment(url: str, place: Place) -> dict[str, str]:
    """The settings of a server over a database and a bucket."""
    assert place.endpoint is not None
    return {
        "MODELYARD_DATABASE_TYPE": urlsplit(url).scheme,
        "MODELYARD_DATABASE_URL": url,
        "MODELYARD_STORAGE_BACKEND": "s3",
        "MODELYARD_STORAGE_S3_BUCKET": place.bucket,
        "MODELYARD_STORAGE_S3_PREFIX": place.prefix,
        "MODELYARD_STORAGE_S3_REGION": "us-east-1",
        "MODELYARD_STORAGE_S3_ENDPOINT_URL": place.endpoint,
        "MODELYARD_STORAGE_S3_ACCESS_KEY": place.secrets["access_key_id"],
        "MODELYARD_STORAGE_S3_SECRET_KEY": place.secrets["secret_access_key"],
    }
