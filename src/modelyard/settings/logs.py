"""Apply the ``logging`` section. Only the command line does this; a library leaves logging to its host."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from modelyard.domain.errors import StorageError
from modelyard.settings.model import Settings

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}


class _OneLine(logging.Formatter):
    """Escapes control characters in messages: a model's name can neither forge a line nor move the cursor."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (the base class's name)
        return super().formatMessage(record).translate(_ESCAPES)


def configure_logging(settings: Settings) -> None:
    """Send what ``modelyard`` logs to the configured file, else to standard error.

    Calling it again replaces what the last call set up.

    Raises:
        StorageError: The file or its folder cannot be made or written.
    """
    logger = logging.getLogger("modelyard")
    handler = _handler(settings.logging.file)
    handler.setFormatter(_OneLine(_FORMAT))
    for old in list(logger.handlers):
        logger.removeHandler(old)
        old.close()
    logger.addHandler(handler)
    logger.setLevel(settings.logging.level)
    logger.propagate = False


def _handler(file: str | None) -> logging.Handler:
    if file is None:
        return logging.StreamHandler()
    path = Path(os.path.expanduser(file))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"the log file {str(path)!r} cannot be written: {error.strerror}; correct 'logging.file'"
        ) from error
