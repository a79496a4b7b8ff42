"""Log lines of a server: one per request, as JSON or as text.

What is never in them: bodies, headers, tokens, and the query of an address. Addresses appear as routes, with their
parameters still in braces.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Final, TextIO

from modelyard.edge.trail import Trail

_ESCAPES: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}


class JsonLines(logging.Formatter):
    """Each record as one JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=True)


class TextLines(logging.Formatter):
    """Each record as one line of text, with control characters escaped; a traceback follows on lines of its own."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (the base class's name)
        return super().formatMessage(record).translate(_ESCAPES)


class AccessLog:
    """Writes one line for each request to ``stream``.

    Args:
        as_json: JSON, or else text for a person at a terminal.
    """

    def __init__(self, stream: TextIO, *, as_json: bool) -> None:
        self._stream, self._line = stream, _json_line if as_json else _text_line

    def write(self, at: float, trail: Trail, method: str, client: str, seconds: float) -> None:
        """One request is over. A log that cannot be written must not fail the request."""
        try:
            self._stream.write(self._line(at, trail, method, client, seconds) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return


def _json_line(at: float, trail: Trail, method: str, client: str, seconds: float) -> str:
    return json.dumps(
        {
            "time": _time(at),
            "level": "info",
            "logger": "modelyard.access",
            "request_id": trail.request_id,
            "method": method,
            "route": trail.route,
            "status": trail.status,
            "ms": round(seconds * 1000, 2),
            "received": trail.received,
            "sent": trail.sent,
            "principal": trail.principal,
            "client": client,
        },
        ensure_ascii=True,
        separators=(",", ":"),
    )


def _text_line(at: float, trail: Trail, method: str, client: str, seconds: float) -> str:
    who = f"{trail.principal or '-'}@{client}".translate(_ESCAPES)
    what = trail.route or f"{method} (no such address)"
    return f"{_time(at)} {trail.status} {what} {seconds * 1000:.1f} ms {who} {trail.request_id}"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
