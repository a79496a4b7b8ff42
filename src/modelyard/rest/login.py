"""Logging in and out: by way of an OpenID Connect provider, into a session of the browser or a token for a program."""

from __future__ import annotations

import html
import math
import re
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from modelyard.domain.errors import InvalidInput, NotAuthenticated, Overloaded, PermissionDenied, RateLimited
from modelyard.domain.permissions import Action, Principal
from modelyard.domain.quota import Allowance
from modelyard.domain.records import Actor
from modelyard.domain.sessions import Person, is_challenge, words_of, write_secret
from modelyard.domain.spelling import quoted
from modelyard.edge import cookies
from modelyard.edge.addresses import asked, check_names
from modelyard.edge.admission import FAILURES, network
from modelyard.edge.answers import QUIET, as_json
from modelyard.edge.bodies import read_json
from modelyard.edge.cookies import Pending
from modelyard.edge.doorkeeper import bearer
from modelyard.edge.oidc import person
from modelyard.edge.routing import PUBLIC, Call, Handler, Route
from modelyard.ports.access import Access, RevokeToken, Sessions
from modelyard.wire.operations import PREFIX

if TYPE_CHECKING:
    from modelyard.edge.provider import Provider

ASKED: Final = ("next", "port", "challenge", "state")
SMALL: Final = 16 * 1024
"""Bytes of a body."""

AT_ONCE: Final = 4
"""Questions to the provider at the same time."""

MOST_WAITING: Final = 100
"""How many more may wait for their turn."""

HOME: Final = f"{PREFIX}/docs"
"""Where people go after the login unless they came from elsewhere."""

PAGE_POLICY: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
T = TypeVar("T")
_LOCAL: Final = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", re.ASCII)
_STATE: Final = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


class Login:
    """Routes by which people come and go.

    Args:
        provider: Where people log in.
        service: Of the registry; tokens are revoked in it.
        access: Who may call.
        sessions: Who logged in.
        now: The time.
    """

    def __init__(
        self,
        provider: Provider,
        service: Any,
        access: Access,
        sessions: Sessions,
        now: Callable[[], datetime],
    ) -> None:
        self._provider, self._oidc = provider, provider.oidc
        self._service, self._access, self._sessions, self._now = service, access, sessions, now
        self._failures = Allowance(FAILURES, FAILURES)
        self._places = anyio.CapacityLimiter(AT_ONCE)

    def routes(self) -> Iterator[Route]:
        """None of them needs a permission: they are how one gets any. Each tells strangers nothing of the registry."""
        for method, path, handler in (
            ("GET", "/login", self.begin),
            ("GET", "/login/callback", self.complete),
            ("POST", "/login/token", self.exchange),
            ("POST", "/logout", self.end),
        ):
            yield Route(method=method, path=path, action=PUBLIC, handler=self._limited(handler))

    def _limited(self, handler: Callable[[Call], Awaitable[Response]]) -> Handler:
        """Whoever fails again and again is told to wait, which spares the provider too."""

        async def limited(call: Call) -> Response:
            try:
                return await handler(call)
            except (NotAuthenticated, PermissionDenied):
                client = call.request.client.host if call.request.client else ""
                if wait := self._failures.take(network(client), self._now()):
                    raise RateLimited(
                        f"more than {FAILURES} failed logins a minute came from this address; wait a minute",
                        data={"retry_after": math.ceil(wait)},
                    ) from None
                raise

        return limited

    async def _asking(self, ask: Callable[..., T], *given: Any) -> T:
        """In one of few threads: a provider that does not answer must not take those that all others need.

        Raises:
            Overloaded: Too many wait already.
        """
        if self._places.statistics().tasks_waiting >= MOST_WAITING:
            raise Overloaded("too many people are logging in; try again", data={"retry_after": 5})
        return await anyio.to_thread.run_sync(ask, *given, limiter=self._places)

    # --- in ----------------------------------------------------------------------------------------------------------

    async def begin(self, call: Call) -> Response:
        """Send the browser to the provider, and remember in a cookie why."""
        check_names(call.request, ASKED)
        pending = _pending(_once_each(call.request))
        address = await self._asking(self._provider.address, pending)
        value = cookies.sealed(pending, self._oidc.key, self._now())
        life = int(cookies.LOGIN_LIFE.total_seconds())
        return _moved(address, self._cookie(cookies.LOGIN, value, life))

    async def complete(self, call: Call) -> Response:
        """The provider sent the browser back: open a session, or show the way to the program that waits."""
        given = _once_each(call.request)
        name = cookies.name_of(cookies.LOGIN, secure=self._oidc.secure)
        pending = cookies.unsealed(cookies.found(call.request.headers, name), self._oidc.key, self._now())
        offer = await self._asking(self._provider.offer)
        code = self._code(given, pending, says_issuer=offer.says_issuer)
        who = await self._asking(self._person, pending, code)
        return await run_in_threadpool(self._admitted, who, pending, call.request)

    def _code(self, given: dict[str, str], pending: Pending, *, says_issuer: bool) -> str:
        if not secrets.compare_digest(given.get("state", "").encode(), pending.state.encode()):
            raise NotAuthenticated("this answer belongs to another login; begin again at /login")
        # One provider could send its answer in the place of another (RFC 9207).
        if given.get("iss", "" if says_issuer else self._oidc.issuer) != self._oidc.issuer:
            raise NotAuthenticated("this answer comes from another provider; begin again at /login")
        if "error" in given:
            raise NotAuthenticated(f"the provider did not log you in: {quoted(given['error'])}")
        if not given.get("code"):
            raise NotAuthenticated("the provider sent no code; begin again at /login")
        return given["code"]

    def _person(self, pending: Pending, code: str) -> Person:
        who = person(self._oidc, self._provider.claims(pending, code, self._now()))
        if not who.grants:
            stranger = Principal(actor=Actor(name=who.name))
            self._access.tell_denied(stranger, Action.READ, "login", "the registry as a whole")
            raise PermissionDenied(
                f"{who.name!r} is in no group that may do anything here; ask whoever runs this server to add one to "
                "security.oidc.grants"
            )
        return who

    def _admitted(self, who: Person, pending: Pending, request: Request) -> Response:
        over = self._cookie(cookies.LOGIN, "", 0)
        if pending.port:
            code = self._sessions.open_code(who, pending.challenge, life=self._oidc.life, once=pending.state)
            return _shown(who, pending, code, over)
        secret = self._sessions.open(who, life=self._oidc.life, idle=self._oidc.idle, once=pending.state)
        before = cookies.found(request.headers, cookies.name_of(cookies.SESSION, secure=self._oidc.secure))
        with suppress(NotAuthenticated):
            self._sessions.end(before)
        life = int(self._oidc.life.total_seconds())
        return _moved(self._oidc.base + pending.then, over, self._cookie(cookies.SESSION, secret, life))

    async def exchange(self, call: Call) -> Response:
        """A program's code for a token."""
        given = await read_json(call.request, SMALL)
        code, verifier = (_text(given, name) for name in ("code", "verifier"))
        made = await run_in_threadpool(self._sessions.exchange, code, verifier, "login of a program")
        token = made.token
        return as_json(
            {"token": made.secret, "name": token.owner.name, "expires_at": token.expires_at}, status_code=201
        )

    # --- out ---------------------------------------------------------------------------------------------------------

    async def end(self, call: Call) -> Response:
        """End what the caller shows: the session, all sessions of the same person (``everywhere``), or the token."""
        given = await read_json(call.request, SMALL)
        everywhere = isinstance(given, dict) and given.get("everywhere") is True
        headers = call.request.headers
        if "authorization" in headers:
            await run_in_threadpool(self._end_token, bearer(headers))
            return Response(None, 204, dict(QUIET))
        name = cookies.name_of(cookies.SESSION, secure=self._oidc.secure)
        secret = cookies.found(headers, name)
        if not secret:
            raise NotAuthenticated("there is no session to end")
        await run_in_threadpool(lambda: self._sessions.end(secret, everywhere=everywhere))
        return Response(None, 204, {**QUIET, "Set-Cookie": self._cookie(cookies.SESSION, "", 0)})

    def _end_token(self, secret: str) -> None:
        """Whoever holds a secret may end it, whatever else it allows."""
        who = self._access.recognise(secret)
        self._service.as_actor(who.actor).revoke_token(RevokeToken(token=who.token_id, reason="logged out"))

    def _cookie(self, cookie: str, value: str, seconds: int) -> str:
        secure = self._oidc.secure
        return cookies.to_set(cookies.name_of(cookie, secure=secure), value, secure=secure, seconds=seconds)


def _once_each(request: Request) -> dict[str, str]:
    """What stands behind the question mark, each name once.

    Raises:
        InvalidInput: One is there twice: which of them counts would be anybody's guess.
    """
    pairs = asked(request)
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidInput("a parameter behind the '?' is given twice; give it once")
    return found


def _pending(given: dict[str, str]) -> Pending:
    """A login as it is begun.

    Raises:
        InvalidInput: It should lead to another place, or what a program says is malformed.
    """
    made: dict[str, Any] = {
        name: write_secret(secrets.token_bytes(32)) for name in ("state", "nonce", "verifier")
    }
    if "port" not in given:
        return Pending(**made, then=_then(given.get("next", HOME)))
    port, challenge, state = (given.get(name, "") for name in ("port", "challenge", "state"))
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port, re.ASCII) or int(port) > 65535:
        raise InvalidInput(f"port: expected 1 to 65535, found {quoted(port)}", data={"field": "port"})
    if not is_challenge(challenge):
        raise InvalidInput(
            "challenge: expected an S256 challenge of 43 characters (RFC 7636)", data={"field": "challenge"}
        )
    if not _STATE.fullmatch(state):
        raise InvalidInput("state: expected 1 to 128 letters, digits, - or _", data={"field": "state"})
    return Pending(**made, port=int(port), challenge=challenge, program_state=state)


def _then(address: str) -> str:
    """An address on this server, never one on another: ``//elsewhere`` and ``/\\elsewhere`` would be."""
    if not _LOCAL.fullmatch(address) or len(address) > 1000:
        raise InvalidInput(
            f"next: expected an address on this server, such as {HOME}, found {quoted(address)}",
            data={"field": "next"},
        )
    return address


def _text(given: Any, name: str) -> str:
    found = given.get(name) if isinstance(given, dict) else None
    if not isinstance(found, str):
        raise InvalidInput(f"{name}: expected a text", data={"field": name})
    return found


def _moved(address: str, *set_cookies: str) -> Response:
    response = Response(None, 303, {**QUIET, "Location": address})
    for each in set_cookies:
        response.headers.append("Set-Cookie", each)
    return response


def _shown(who: Person, pending: Pending, code: str, over: str) -> Response:
    """The last step is a person's own: somebody else's program could have made them open the first page."""
    query = urlencode({"code": code, "state": pending.program_state})
    body = (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Modelyard</title>"
        f"<h1>Logged in as {html.escape(who.name)}</h1>"
        "<p>A program on this computer asks to act for you. Go on only if you have just started it, and it shows "
        f"<strong>{words_of(pending.challenge)}</strong></p>"
        f'<p><a href="http://127.0.0.1:{pending.port}/?{html.escape(query)}">Go on</a></p></html>'
    )
    headers = {**QUIET, "Content-Security-Policy": PAGE_POLICY, "Set-Cookie": over}
    return Response(body, 200, headers, "text/html; charset=utf-8")
