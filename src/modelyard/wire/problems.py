"""Errors on the wire: one shape (RFC 9457) with our stable ``code``, and the class raised again from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from modelyard.domain import errors
from modelyard.domain.canonical import plain
from modelyard.domain.errors import ModelyardError

MEDIA_TYPE: Final = "application/problem+json"

STATUS: Final[Mapping[type[ModelyardError], int]] = {
    errors.ModelyardError: 500,
    errors.InvalidInput: 400,
    errors.NotFound: 404,
    errors.AlreadyExists: 409,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.NotAllowed: 422,
    errors.GateRefused: 412,
    errors.PermissionDenied: 403,
    errors.NotAuthenticated: 401,
    errors.TooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.MethodNotAllowed: 405,
    errors.RateLimited: 429,
    errors.Overloaded: 503,
    errors.LoadRefused: 422,
    errors.IntegrityError: 500,
    errors.StorageError: 503,
    errors.StorageFull: 507,
    errors.Unreachable: 502,
    errors.MissingDependency: 501,
    errors.NotSupported: 501,
}
"""HTTP status by class; a class without a row has the one of its nearest ancestor."""

_FROM_PROXIES: Final = frozenset({502, 503, 504})


def _family(kind: type[ModelyardError]) -> Iterator[type[ModelyardError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _family(child)


CLASSES: Final[Mapping[str, type[ModelyardError]]] = {kind.code: kind for kind in _family(ModelyardError)}


def status(error: ModelyardError) -> int:
    """The HTTP status of an error."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(error: ModelyardError, *, request_id: str = "") -> dict[str, Any]:
    """The JSON object that tells it."""
    told = {
        "type": f"urn:modelyard:problem:{error.code}",
        "title": error.code.replace("_", " "),
        "status": status(error),
        "code": error.code,
        "detail": error.detail,
        "reasons": list(error.reasons),
        "data": plain(error.data),
    }
    return told | ({"request_id": request_id} if request_id else {})


def raised(told: Any, *, status: int) -> ModelyardError:
    """The error that a problem tells; of an unknown code a plain ``ModelyardError``, of no problem a ``StorageError``.

    A proxy that found no server, or lost it, says so without a problem: that is no answer, and may be tried again as
    after any lost connection.
    """
    if not isinstance(told, dict) or not isinstance(told.get("detail"), str):
        if status in _FROM_PROXIES:
            return errors.Unreachable(
                f"no answer from the server: a proxy before it answered {status}, so none was there or it broke off"
            )
        return errors.StorageError(
            f"the answer was {_named(status)}, without a reason: no modelyard server gave it; is this its address, or "
            "does a proxy before it refuse this?"
        )
    kind = CLASSES.get(str(told.get("code")), ModelyardError)
    reasons, data = told.get("reasons"), told.get("data")
    return kind(
        told["detail"],
        reasons=map(str, reasons) if isinstance(reasons, list) else (),
        data=data if isinstance(data, dict) else {},
    )


def _named(status: int) -> str:
    try:
        return f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return str(status)
