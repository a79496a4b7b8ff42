"""Somebody with an empty folder, no settings, a small model, a command line and a server."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shlex
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner

from modelyard import ModelRegistry
from modelyard.cli.main import program

IDENTITY = {
    "GIT_AUTHOR_NAME": "ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "ann",
    "GIT_COMMITTER_EMAIL": "ann@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


RAM = Path("/dev/shm")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """The working directory: empty, with nobody's configuration, keys or cache in sight.

    In memory where there is such a place: what is tried here is what calls mean, not the disk.
    """
    for name in [name for name in os.environ if name.startswith("MODELYARD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MODELYARD_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with TemporaryDirectory(prefix="modelyard-", dir=RAM if RAM.is_dir() else None) as folder:
        monkeypatch.chdir(folder)
        yield Path(folder)
        monkeypatch.undo()


@pytest.fixture(autouse=True)
def quiet_log():
    """Each test begins and ends without what a command line set up for logging."""
    logger = logging.getLogger("modelyard")
    before = list(logger.handlers), logger.level, logger.propagate
    yield
    for handler in set(logger.handlers) - set(before[0]):
        handler.close()
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture
def registry():
    with ModelRegistry("./model_registry") as registry:
        yield registry


@pytest.fixture(scope="session")
def trained():
    """A fitted classifier and the rows it was fitted on."""
    datasets = pytest.importorskip("sklearn.datasets")
    linear = pytest.importorskip("sklearn.linear_model")
    rows, labels = datasets.make_classification(n_samples=60, n_features=5, random_state=42)
    return linear.LogisticRegression(max_iter=500).fit(rows, labels), rows


@pytest.fixture
def model(trained):
    return trained[0]


@pytest.fixture
def rows(trained):
    return trained[1]


class Ran:
    """What a command line printed."""

    def __init__(self, result):
        self.out, self.err = result.stdout, result.stderr

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def run():
    """Runs one command line after the program's name, and expects it to end with ``code``."""

    def run(line, code=0, **json_options):
        words = _words(line, json_options)
        result = CliRunner().invoke(program, words)
        assert result.exit_code == code, f"{words}: {result.exit_code}\n{result.stdout}\n{result.stderr}"
        return Ran(result)

    return run


def _words(line, json_options):
    """A shell's words, and options whose value is JSON."""
    return shlex.split(line) + [
        word for name, value in json_options.items() for word in (f"--{name}", json.dumps(value))
    ]


@pytest.fixture
def git(place):
    """A work tree here with one commit, on branch ``main``; calls run git in it and give what it prints."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")

    def git(*words):
        done = subprocess.run(
            ["git", *words], env={**os.environ, **IDENTITY}, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    git("init", "--initial-branch=main")
    (place / "train.py").write_text("print('training')\n")
    git("add", "train.py")
    git("commit", "--message", "first")
    return git


@contextlib.contextmanager
def serving(service):
    """A server for ``service`` on a free port of this machine, on a thread; gives its address."""
    import uvicorn

    from modelyard.domain.permissions import OWNER, Principal
    from modelyard.edge.doorkeeper import Everybody
    from modelyard.rest.api import Api

    app = Api(service, Everybody(Principal(actor=service.actor, grants=OWNER)))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.001)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def url(place):
    """A started server over a registry of its own."""
    pytest.importorskip("uvicorn")
    with ModelRegistry(place / "served") as behind, serving(behind.service) as url:
        yield url
