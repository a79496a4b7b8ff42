"""A small OpenID Connect provider on loopback: authorization code with PKCE, discovery, keys, UserInfo.

It is strict where a provider has to be (codes once, PKCE, redirect addresses, client authentication), and what it signs
can be bent, so that the other side has something to refuse.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT, SECRET = "registry", "between us/+ two"


@cache
def _first_key() -> RSAKey:
    """Made once: it takes longer than a whole login."""
    return RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})


class OidcProvider:
    """What one test wants of its provider.

    Attributes:
        people: Claims of whoever logs in next.
        bend: Changes the claims of an ID token before it is signed.
        sign: Makes the token of header and claims; replaced by attacks.
        asked: Paths that were asked for, in order.
    """

    def __init__(self) -> None:
        self.issuer = ""
        self.key: Any = _first_key()
        self.published: list[Any] = [self.key]
        self.claims: dict[str, Any] = {"sub": "u1", "email": "Ada@Example.org", "email_verified": True}
        self.groups: list[str] | None = ["ml-team"]
        self.userinfo: dict[str, Any] | None = None
        self.bend: Callable[[dict[str, Any]], None] = lambda claims: None
        self.sign: Callable[[dict[str, Any]], str] = self.signed
        self.document: dict[str, Any] = {}
        self.answer_iss: str | None = None
        self.secret = SECRET
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}

    # --- keys --------------------------------------------------------------------------------------------------------

    def signed(self, claims: dict[str, Any], **header: Any) -> str:
        given = {"alg": self.key.as_dict().get("alg", "RS256"), "kid": self.key.as_dict()["kid"], **header}
        return jwt.encode(given, claims, self.key, algorithms=[given["alg"]])

    def rotate(self, kid: str = "two", kind: str = "RSA") -> None:
        """Sign with a new key, and publish only that."""
        if kind == "RSA":
            self.key = RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})
        else:
            self.key = ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})
        self.published = [self.key]

    # --- what it answers ---------------------------------------------------------------------------------------------

    def discovery(self) -> dict[str, Any]:
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "authorization_response_iss_parameter_supported": self.answer_iss is not None,
        }
        if self.userinfo is not None:
            found["userinfo_endpoint"] = f"{self.issuer}/userinfo"
        return found | self.document

    def keys(self) -> dict[str, Any]:
        public = [key.as_dict(private=False) if hasattr(key, "as_dict") else key for key in self.published]
        return {"keys": public}

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser is sent back to; everybody is who ``claims`` says."""
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        back = {"code": code, "state": query["state"]}
        if self.answer_iss is not None:
            back["iss"] = self.answer_iss
        return f"{query['redirect_uri']}?{urllib.parse.urlencode(back)}"

    def exchange(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self._codes.pop(form.get("code", ""), None)
        if not self._is_client(form, authorization):
            return 401, {"error": "invalid_client"}
        challenge = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if (
            asked is None
            or form.get("redirect_uri") != asked["redirect_uri"]
            or base64.urlsafe_b64encode(challenge).decode().rstrip("=") != asked["code_challenge"]
        ):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims |= self.claims | ({} if self.groups is None else {"groups": self.groups})
        self.bend(claims)
        return 200, {"access_token": "opaque", "token_type": "Bearer", "id_token": self.sign(claims)}

    def _is_client(self, form: dict[str, str], authorization: str) -> bool:
        if not self.secret:
            return form.get("client_id") == CLIENT and not authorization
        if authorization:
            given = base64.b64decode(authorization.removeprefix("Basic ")).decode()
            return (
                given == f"{urllib.parse.quote(CLIENT, safe='')}:{urllib.parse.quote(self.secret, safe='')}"
            )
        return (form.get("client_id"), form.get("client_secret")) == (CLIENT, self.secret)


class _Handler(BaseHTTPRequestHandler):
    provider: OidcProvider

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        self.provider.asked.append(path)
        if path == "/.well-known/openid-configuration":
            self._answer(200, self.provider.discovery())
        elif path == "/keys":
            self._answer(200, self.provider.keys())
        elif path == "/userinfo":
            assert self.headers["Authorization"] == "Bearer opaque"
            self._answer(200, self.provider.userinfo)
        elif path == "/authorize":
            self._answer(302, {}, self.provider.authorize(dict(urllib.parse.parse_qsl(query))))
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        self.provider.asked.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = dict(urllib.parse.parse_qsl(body))
        self._answer(*self.provider.exchange(form, self.headers.get("Authorization", "")))

    def _answer(self, status: int, value: object, location: str = "") -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextlib.contextmanager
def providing() -> Iterator[OidcProvider]:
    """A provider on a free port."""
    provider = OidcProvider()
    handler = type("Handler", (_Handler,), {"provider": provider})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
