"""``modelyard validate`` with a validator that a package provides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from modelyard.cli.main import program


def test_the_validators_words_are_recorded_and_told(
    fraud: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "careful_team.py").write_text(
        "def fits(model, version):\n    return hasattr(model, 'predict'), 'ok'\n"
    )
    info = tmp_path / "careful_team-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: careful-team\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[modelyard.validators]\nfits = careful_team:fits\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    told = CliRunner().invoke(program, ["validate", "fraud", "--json"])
    assert told.exit_code == 0, told.stderr
    check = json.loads(told.stdout)["checks"]["validation"]
    assert check["passed"] is True
    assert check["evidence"]["fits"] == {"passed": True, "evidence": "ok"}


def test_without_a_validator_it_says_how_to_provide_one(fraud: Any) -> None:
    told = CliRunner().invoke(program, ["validate", "fraud"])
    assert told.exit_code != 0
    assert "modelyard.validators" in told.stderr
