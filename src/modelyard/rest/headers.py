"""What HTTP has headers for: the key of a repeated call, the state a change was meant for, the state one has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import NoneType
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from modelyard.domain.errors import Conflict, InvalidInput, PreconditionFailed
from modelyard.domain.records import Model, ModelVersion
from modelyard.domain.spelling import quoted
from modelyard.edge.answers import QUIET, as_json
from modelyard.edge.guard import Guarded
from modelyard.wire.operations import Operation

MADE: Final = frozenset({"create_version", "create_versions", "create_token"})
"""Rows whose answer is a thing that was not there before."""

_INSTEAD: Final[Mapping[str, str]] = {
    "create_versions": "each entry of the body has an idempotency_key of its own",
    "roll_back": "'expected' in the body, the model_id that is live, makes it safe to send again",
}
"""What makes a call safe to repeat where no key does."""


@contextmanager
def precondition(
    row: Operation, service: Guarded, headers: Mapping[str, str], given: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Arguments with what ``Idempotency-Key`` and ``If-Match`` add to them, where the body does not say it.

    Raises:
        InvalidInput: ``If-Match`` is no ``ETag`` of ours, or one of the two is sent where nobody looks at it: who
            sends it counts on what it would do.
        PreconditionFailed: The record is not the one that it names.
    """
    asked = given.get("request")
    names = row.parameters.keys()
    key, tag = headers.get("idempotency-key"), headers.get("if-match")
    if key and not row.safe:
        asked = _with_key(row, asked, key)
    if tag is None:
        yield given if asked is None else {"request": asked}
        return
    if "revision" not in names:
        raise InvalidInput(f"{row.name} does not look at If-Match; leave it out", data={"field": "if-match"})
    try:
        yield {"request": _if_match(asked, tag, service)}
    except Conflict as error:
        raise PreconditionFailed(error.detail, reasons=error.reasons, data=error.data) from error


def _with_key(row: Operation, asked: Any, key: str) -> Any:
    if "idempotency_key" not in row.parameters:
        more = _INSTEAD.get(row.name, "ask for what is there before you send it again")
        raise InvalidInput(
            f"{row.name} does not look at Idempotency-Key, so nobody would keep what it promises. Leave it out; {more}",
            data={"field": "idempotency-key"},
        )
    return replace(asked, idempotency_key=key) if asked.idempotency_key is None else asked


def _if_match(asked: Any, tag: str, service: Guarded) -> Any:
    """The request for exactly the record that the tag was given for: a pointer may name another by now."""
    identity, revision = _parsed(tag)
    if (
        not getattr(asked, "whole_model", False)
        and identity != (found := service.get_version(asked.ref)).model_id
    ):
        raise PreconditionFailed(
            f"{quoted(asked.ref)} names {found.model_id}, not {quoted(identity)} as the ETag says; read it again",
            data={"expected": identity[:100], "found": found.model_id},
        )
    return replace(asked, revision=revision if asked.revision is None else asked.revision)


def _parsed(tag: str) -> tuple[str, int]:
    identity, _, rest = tag.strip().removeprefix("W/").strip('"').rpartition("-")[0].partition(".")
    if not (rest.isascii() and rest.isdigit() and len(rest) < 16):
        raise InvalidInput(
            f"If-Match must be an ETag as this server gave it, not {quoted(tag)}", data={"field": "if-match"}
        )
    return identity, int(rest)


def etag(found: Any, body: bytes) -> str:
    """Identity and revision of a record that has them, and a digest of what is said of it; else empty.

    The digest is what makes it strong: a version also says things, such as its aliases, that are its model's to change.
    """
    if isinstance(found, ModelVersion | Model):
        identity = found.model_id if isinstance(found, ModelVersion) else found.slug
        return f'"{identity}.{found.revision}-{hashlib.blake2b(body, digest_size=8).hexdigest()}"'
    return ""


def answered(row: Operation, found: Any, request: Request) -> Response:
    """The answer to one row, or that it is what the caller has."""
    if row.answer is NoneType:
        return Response(None, 204, dict(QUIET))
    response = as_json(found, status_code=201 if row.name in MADE else 200)
    if tag := etag(found, bytes(response.body)):
        if row.method == "GET" and has_it(request.headers.get("if-none-match"), tag):
            return Response(None, 304, {"ETag": tag, "Cache-Control": "private, no-cache"})
        response.headers["ETag"] = tag
        response.headers["Cache-Control"] = "private, no-cache"
    return response


def has_it(header: str | None, tag: str) -> bool:
    """Whether ``If-None-Match`` holds the tag, or a star."""
    if header is None:
        return False
    return any(one.strip().removeprefix("W/") in (tag, "*") for one in header.split(","))
