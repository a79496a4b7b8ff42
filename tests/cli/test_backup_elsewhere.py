"""A backup of a folder is refused where the folder is not the whole registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODELYARD_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/x"),
        ("MODELYARD_STORAGE_BACKEND", "s3"),
    ],
)
def test_a_backup_without_the_records_or_the_bytes_is_not_taken(
    fraud: Any, place: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("MODELYARD_STORAGE_S3_BUCKET", "models")
    ran = fraud("backup", str(place / "copy"), code=2)
    assert "does not hold the whole registry" in ran.err
    assert "modelyard migrate" in ran.err
    assert not (place / "copy").exists()
