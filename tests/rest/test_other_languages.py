"""A client that a public generator made from the OpenAPI document alone registers, promotes and loads."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from .serving import running

pytestmark = pytest.mark.long
pytest.importorskip("openapi_python_client")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("generated")


@pytest.fixture(scope="module")
def server(folder):
    with running(folder / "registry") as found:
        yield found


@pytest.fixture(scope="module")
def made(server, folder):
    """The name of the package that the generator wrote."""
    document = folder / "openapi.json"
    document.write_text(json.dumps(server.http.get("/openapi.json").json()))
    tool = Path(sys.executable).with_name("openapi-python-client")
    done = subprocess.run(
        [
            str(tool),
            "generate",
            "--path",
            str(document),
            "--output-path",
            str(folder / "made_client"),
            "--meta",
            "none",
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{tool.parent}{os.pathsep}{os.environ['PATH']}"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "WARNING parsing" not in done.stdout + done.stderr
    )  # an operation that it could not read would be left out
    sys.path.insert(0, str(folder))
    yield "made_client"
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] == "made_client"]:
        del sys.modules[name]


def operation(made, path):
    return importlib.import_module(f"{made}.api.{path}")


def test_a_generated_client_registers_promotes_and_loads(made, server):
    client_module, models = (
        importlib.import_module(f"{made}.client"),
        importlib.import_module(f"{made}.models"),
    )
    types = importlib.import_module(f"{made}.types")
    body = pickle.dumps({"threshold": 0.5})
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    with client_module.AuthenticatedClient(base_url=server.url, token=server.token) as client:
        stored = operation(made, "blobs.put_blob").sync(
            digest, client=client, body=types.File(payload=io.BytesIO(body))
        )
        assert (stored.digest, stored.size) == (digest, len(body))
        version = operation(made, "models.create_version").sync(
            "credit risk",
            client=client,
            body=models.CreateVersionRequest.from_dict(
                {
                    "version": "1.0.0",
                    "files": [{"path": "model.pkl", "size": len(body), "digest": digest}],
                    "metrics": {"accuracy": 0.93},
                }
            ),
            idempotency_key="first",
        )
        assert (version.name, version.number, version.stage) == ("credit risk", 1, "development")
        for stage in ("testing", "staging", "production"):
            promotion = operation(made, "versions.promote").sync(
                version.model_id,
                client=client,
                body=models.PromoteRequest.from_dict(
                    {"target": stage, "requirements": {"min_accuracy": 0.9}}
                ),
            )
            assert promotion.moved, promotion
        live = operation(made, "versions.get_version").sync("credit risk@production", client=client)
        (file,) = live.files
        loaded = operation(made, "blobs.get_blob").sync(file.digest, client=client)
        assert pickle.loads(loaded.payload.read()) == {"threshold": 0.5}


def test_a_generated_client_understands_errors_pages_and_times(made, server):
    client_module, models = (
        importlib.import_module(f"{made}.client"),
        importlib.import_module(f"{made}.models"),
    )
    with client_module.AuthenticatedClient(base_url=server.url, token=server.token) as client:
        for number in range(5):
            operation(made, "models.create_version").sync(
                "paged",
                client=client,
                body=models.CreateVersionRequest.from_dict({"tags": {"n": str(number)}}),
            )
        seen, after = [], {}
        while True:
            page = operation(made, "versions.search").sync(
                client=client, text="name = paged", limit=2, **after
            )
            seen += [version.number for version in page.items]
            assert all(version.created_at.tzinfo is not None for version in page.items)
            if page.next_ is None:
                break
            after = {"after": page.next_}
        assert seen == [5, 4, 3, 2, 1]
        missing = operation(made, "versions.get_version").sync("nobody", client=client)
        assert (missing.code, missing.status) == ("model_not_found", 404)
