"""Microsoft's own emulator of Azure Blob Storage for tests, from npm.

Looked for as ``azurite-blob``: below ``MODELYARD_AZURITE`` (a folder in which ``npm install azurite`` was run), below
``.make/azurite`` of the repository, and on ``PATH``. Its account and key are the published ones of every emulator.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from modelyard.adapters.blobs.object_place import Patience, Place

VARIABLE = "MODELYARD_AZURITE"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
CONTAINER = "reg"
SECONDS = 30.0


def program() -> str | None:
    """Path of ``azurite-blob``, or ``None``."""
    folders = [os.environ.get(VARIABLE), str(Path(__file__).parents[2] / ".make" / "azurite")]
    for folder in folders:
        found = Path(folder or "/nowhere", "node_modules", ".bin", "azurite-blob")
        if found.exists():
            return str(found)
    return shutil.which("azurite-blob")


def missing() -> str | None:
    """Why there is no Azurite here, or ``None`` if there is one."""
    if importlib.util.find_spec("obstore") is None:
        return "azurite: the client is not installed (pip install obstore)"
    if program() and shutil.which("node"):
        return None
    return f"azurite: no {VARIABLE} and no azurite-blob on PATH (npm install --prefix .make/azurite azurite@3.37.0)"


@contextmanager
def running() -> Iterator[Place]:
    """The place of an empty container; the emulator is stopped at the end."""
    with TemporaryDirectory(prefix="modelyard-azurite-", ignore_cleanup_errors=True) as folder:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [program() or "azurite-blob", "--blobHost", "127.0.0.1", "--blobPort", str(port)]
        command += ["--location", folder, "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait(process, port)
            endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
            make_container(endpoint)
            yield Place(
                kind="azure",
                bucket=CONTAINER,
                endpoint=endpoint,
                account=ACCOUNT,
                secrets={"account_key": KEY},
                patience=Patience(silence=20, budget=20),
            )
        finally:
            process.kill()
            process.wait()


def wait(process: subprocess.Popen[bytes], port: int) -> None:
    """Until it takes connections."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"azurite did not start within {SECONDS:.0f} s")


def make_container(endpoint: str) -> None:
    """PUT of the container, by the "Shared Key" rules of Microsoft's REST reference."""
    import base64
    import hmac
    import urllib.request
    from email.utils import formatdate

    now = formatdate(usegmt=True)
    path = f"/{ACCOUNT}/{CONTAINER}"
    headers = f"x-ms-date:{now}\nx-ms-version:2021-08-06\n"
    told = f"PUT\n\n\n\n\n\n\n\n\n\n\n\n{headers}/{ACCOUNT}{path}\nrestype:container"
    signed = base64.b64encode(hmac.new(base64.b64decode(KEY), told.encode(), "sha256").digest()).decode()
    request = urllib.request.Request(f"{endpoint}/{CONTAINER}?restype=container", method="PUT", data=b"")
    request.add_header("x-ms-date", now)
    request.add_header("x-ms-version", "2021-08-06")
    request.add_header("Authorization", f"SharedKey {ACCOUNT}:{signed}")
    request.remove_header("Content-type")
    request.add_unredirected_header("Content-type", "")
    urllib.request.urlopen(request, timeout=10).close()
