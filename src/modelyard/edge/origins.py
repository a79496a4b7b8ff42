"""Whether a request was made by a page of another site, in the browser of somebody who did not mean it.

The rule is that of Go's ``http.CrossOriginProtection``: browsers say in ``Sec-Fetch-Site`` who asks, and older ones in
``Origin``; what carries neither comes from no browser, and so must not carry the cookie of a session. Questions are let
through, since their answers cannot be read across sites: no answer of ours allows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from modelyard.domain.errors import PermissionDenied
from modelyard.domain.spelling import quoted
from modelyard.edge.cookies import is_by_session

QUESTIONS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OWN: Final = frozenset({"same-origin", "none"})


def check_origin(method: str, headers: Mapping[str, str]) -> None:
    """Let through what a program or a page of this server's own asks.

    Raises:
        PermissionDenied: A page of another site wants to change something.
    """
    if method in QUESTIONS:
        return
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None and origin is None:
        _check_no_session(headers)
        return
    own = site in OWN if site is not None else _host(origin or "") == headers.get("host", "")
    if not own:
        raise PermissionDenied(
            f"a page of another site ({quoted(origin or site or '')}) asked for a change; such requests are refused",
            data={"field": "origin"},
        )


def _check_no_session(headers: Mapping[str, str]) -> None:
    if is_by_session(headers):
        raise PermissionDenied(
            "what changes something in a session has to say which page asks, in Sec-Fetch-Site or Origin; programs "
            "send a token instead",
            data={"field": "origin"},
        )


def _host(origin: str) -> str:
    """``host:port`` of an origin; empty for ``null`` and for what is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
