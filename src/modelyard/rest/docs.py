"""The interface described by itself: the OpenAPI document, and a page of our own that shows it without the network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from modelyard.domain.permissions import Action
from modelyard.edge.routing import PUBLIC, Call, Handler, Route, Shape
from modelyard.wire.operations import PREFIX

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may do: run its own script, which may ask this server. Nothing inline, nothing from elsewhere."""

PAGES: Final = (
    ("/docs", "docs.html", "text/html; charset=utf-8"),
    ("/docs/viewer.js", "viewer.js", "text/javascript; charset=utf-8"),
    ("/docs/viewer.css", "viewer.css", "text/css; charset=utf-8"),
)


@dataclass(frozen=True)
class Docs:
    """Routes of the document and the page.

    Attributes:
        routes_shown: Asked for when the document is first wanted: all routes of the same server.
    """

    routes_shown: Callable[[], Sequence[Route]]

    def routes(self) -> Iterator[Route]:
        """The page tells nobody more than that this is Modelyard; the document is for those who are known."""
        shape = Shape(gives=dict[str, Any])
        yield Route(
            method="GET", path=f"{PREFIX}/openapi.json", action=Action.READ, handler=self.openapi, shape=shape
        )
        for path, name, media_type in PAGES:
            yield Route(
                method="GET",
                path=PREFIX + path,
                action=PUBLIC,
                handler=_page(name, media_type),
                shape=Shape(),
            )

    @cached_property
    def _document(self) -> bytes:
        from modelyard.rest.openapi import document  # 30 ms and some memory that most servers never need

        return json.dumps(document(self.routes_shown()), ensure_ascii=False, separators=(",", ":")).encode()

    async def openapi(self, call: Call) -> Response:
        """This document."""
        return _given(call.request, self._document, "application/json")


def _page(name: str, media_type: str) -> Handler:
    async def page(call: Call) -> Response:
        return _given(call.request, files("modelyard.rest").joinpath("pages", name).read_bytes(), media_type)

    page.__doc__ = "A page for people that shows this document, and what it consists of."
    return page


def _given(request: Request, body: bytes, media_type: str) -> Response:
    """The body, unless the caller has it."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    return Response(body, 200, headers, media_type)
