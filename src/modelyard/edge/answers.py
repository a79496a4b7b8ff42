"""What a request gets: JSON, bytes in pieces, or a problem."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Final

from starlette.responses import Response

from modelyard.domain.canonical import plain
from modelyard.domain.errors import ModelyardError, NotAuthenticated, RateLimited
from modelyard.wire.problems import MEDIA_TYPE, problem, status

QUIET: Final[Mapping[str, str]] = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def as_json(value: Any, *, status_code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer of records."""
    body = json_text(value).encode()
    return Response(body, status_code, {**QUIET, **(headers or {})}, "application/json")


def json_text(value: Any) -> str:
    """What ``plain`` makes of a value, as JSON, in a third of the time: ``json`` in C asks only about what it does not
    know. What JSON lacks (numbers that are not finite, keys that are no text) takes the longer way.
    """
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError):
        return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))


def _one_level(value: Any) -> Any:
    """One value that ``json`` does not know; what is inside of it is asked for in turn."""
    kind: type = type(value)
    names = _names(kind)
    if names is not None:
        return {name: getattr(value, name) for name in names}
    return dict(value) if isinstance(value, Mapping) else plain(value)


@cache
def _names(kind: type) -> tuple[str, ...] | None:
    return tuple(each.name for each in fields(kind)) if is_dataclass(kind) else None


_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), check_circular=False, allow_nan=False, default=_one_level
)


def as_problem(error: ModelyardError, *, request_id: str = "", status_code: int | None = None) -> Response:
    """An answer that says what was wrong, in the one shape.

    Args:
        status_code: Where it is another than the error's own, because here the fault is the caller's.
    """
    code = status_code or status(error)
    told = problem(error, request_id=request_id) | {"status": code}
    body = json.dumps(told, ensure_ascii=False).encode()
    return Response(body, code, {**QUIET, **_more(error)}, MEDIA_TYPE)


def _more(error: ModelyardError) -> dict[str, str]:
    if isinstance(error, NotAuthenticated):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, RateLimited) or "retry_after" in error.data:
        return {"Retry-After": str(error.data.get("retry_after", 1))}
    if "allow" in error.data:
        return {"Allow": ", ".join(error.data["allow"])}
    return {}
