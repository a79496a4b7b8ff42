"""The logging section, as the command line program applies it."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard.domain.errors import StorageError
from modelyard.settings import Settings
from modelyard.settings.logs import configure_logging


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    logger = logging.getLogger("modelyard")
    before = list(logger.handlers), logger.level, logger.propagate
    yield
    for handler in logger.handlers:
        handler.close()
    logger.handlers[:], logger.level, logger.propagate = before


def configured(level: str = "WARNING", file: Path | None = None) -> logging.Logger:
    settings = Settings()
    section = dataclasses.replace(settings.logging, level=level, file=str(file) if file else None)
    configure_logging(dataclasses.replace(settings, logging=section))
    return logging.getLogger("modelyard.test")


def test_messages_at_the_level_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    logger = configured("INFO")
    logger.info("registered %s", "fraud:1")
    logger.debug("not this")
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.endswith("INFO modelyard.test: registered fraud:1\n")
    assert "not this" not in output.err


def test_a_log_file_is_made_with_its_folder_and_appended_to(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "app.log"
    configured(file=file).warning("one")
    configured(file=file).warning("two")
    assert [line.split(": ")[1] for line in file.read_text("utf-8").splitlines()] == ["one", "two"]
    assert len(logging.getLogger("modelyard").handlers) == 1


def test_A38_a_hostile_name_cannot_forge_a_log_line(tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    configured(file=file).warning("model %s", "x\n2026-01-01 INFO modelyard: all is well\x1b[2J\x85")
    [line] = file.read_text("utf-8").splitlines()
    assert "x\\x0a2026" in line
    assert "\\x1b[2J\\x85" in line


def test_a_log_file_that_cannot_be_made_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match=r"taken/app\.log.*'logging\.file'"):
        configured(file=tmp_path / "taken" / "app.log")
