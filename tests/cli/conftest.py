"""A program to call, a folder to call it in, a model to register."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from modelyard.cli.main import program


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a command line ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Cli:
    """Runs command lines in this process, as a terminal-less shell would."""

    def __call__(self, *words: str, code: int = 0, stdin: str | None = None) -> Ran:
        """Run and expect an exit code; what was printed is part of the failure."""
        result = CliRunner().invoke(program, list(words), input=stdin)
        ran = Ran(code=result.exit_code, out=result.stdout, err=result.stderr)
        assert ran.code == code, f"{words} ended with {ran.code}, not {code}\n{ran.out}\n{ran.err}"
        return ran


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory, and no configuration but the defaults."""
    for name in [name for name in os.environ if name.startswith("MODELYARD_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MODELYARD_CONFIG_DIR", str(tmp_path / "config"))
    return folder


@pytest.fixture
def cli(place: Path) -> Cli:
    return Cli()


@pytest.fixture(scope="session")
def joblib_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fitted scikit-learn model, dumped with joblib."""
    import joblib
    from sklearn.linear_model import LogisticRegression

    path = tmp_path_factory.mktemp("model") / "model.joblib"
    joblib.dump(LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]), path)
    return path


@pytest.fixture
def model(place: Path, joblib_model: Path) -> Path:
    """``model.joblib`` in the current directory."""
    path = place / "model.joblib"
    path.write_bytes(joblib_model.read_bytes())
    return path


@pytest.fixture
def weights(place: Path) -> Path:
    """A small file that is no format anybody knows, in the current directory."""
    path = place / "weights.bin"
    path.write_bytes(bytes(range(256)) * 4)
    return path


@pytest.fixture(scope="session")
def fraud_registry(joblib_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with fraud 1.0.0 (was live), 1.1.0 (live, alias champion) and 1.2.0 (new)."""
    empty = tmp_path_factory.mktemp("fraud")
    (empty / "config.yaml").touch()
    folder, cli = empty / "model_registry", Cli()
    here = ("--registry", str(folder), "--config", str(empty / "config.yaml"))
    for label, accuracy in (("1.0.0", 0.9), ("1.1.0", 0.92), ("1.2.0", 0.94)):
        cli(
            *("register", "--model-path", str(joblib_model), "--name", "fraud", "--version", label, *here),
            *(
                "--metrics",
                json.dumps({"accuracy": accuracy}),
                "--tags",
                "team=risk",
                "--params",
                f"step={label}",
            ),
        )
        if label != "1.2.0":
            cli("promote", f"fraud:{label}", "--target-stage", "staging", *here)
            cli(
                "promote",
                f"fraud:{label}",
                "--target-stage",
                "production",
                "--reason",
                f"ship {label}",
                *here,
            )
    cli("alias", "set", "fraud", "champion", "fraud:1.1.0", *here)
    return folder


@pytest.fixture
def fraud(cli: Cli, model: Path, place: Path, fraud_registry: Path) -> Cli:
    """A copy of ``fraud_registry`` in the current directory."""
    shutil.copytree(fraud_registry, place / "model_registry", symlinks=True)
    return cli


Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def shell(place: Path) -> Shell:
    """Runs the program as a process of its own in the current directory, the way a person does."""

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return subprocess.run(
            [sys.executable, "-m", "modelyard", *words],
            cwd=place,
            env=inherited | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
