"""Callers that do what a team does to a server, break things off now and then, and notice what must not be."""

from __future__ import annotations

import hashlib
import http.client
import json
import random
import socket
import struct
import threading
from collections import Counter
from typing import Any, Final

API: Final = "/api/v1"
SMALL, LARGE, CUT = 16_000, 4 << 20, 1 << 20
"""Bytes of most files at most, of one in :data:`RARE`, and of those that are broken off at most."""
RARE: Final = 500
PATIENCE: Final = 60.0
"""Seconds without an answer that count as a violation."""
WEIGHTS: Final = {
    "register": 150,
    "read": 600,
    "search": 100,
    "promote": 50,
    "fetch": 90,
    "cut_upload": 4,
    "cut_answer": 4,
    "leave_unanswered": 4,
    "wrong_bytes": 4,
}
"""How often each is done. The last four are faults: 16 of the 1,246 requests that the weights add up to, as
registering and fetching take two."""


class Caller(threading.Thread):
    """Does one thing after the other to a model of its own over a connection of its own, until told to stop.

    Attributes:
        requests: How many were sent.
        seen: Answers by what was asked and status.
        faults: What was broken on purpose, by kind.
        violations: What was answered that must not be, in words.
        sure: Versions that the server said it has.
        perhaps: Registrations whose answer nobody waited for.
    """

    def __init__(self, port: int, token: str, number: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.model, self._port, self._stop_it = f"model-{number}", port, stop
        self._secret = {"Authorization": f"Bearer {token}"}
        self._draw = random.Random(number)
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.requests = self.sure = self.perhaps = 0
        self.seen: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.violations: list[str] = []
        self._last, self._whole = 0, ""

    def run(self) -> None:
        kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
        try:
            self._whole = self._put(self._draw.randbytes(CUT))
            self.register()
            while not self._stop_it.is_set():
                getattr(self, self._draw.choices(kinds, weights)[0])()
        except Exception as error:
            self._wrong(f"gave up: {type(error).__name__}: {error}")
        finally:
            self._line.close()

    def register(self) -> None:
        """Bytes, then a version of them; numbers only rise."""
        body = self._version()
        status, data = self._ask("POST", f"/models/{self.model}/versions", body)
        if self._expect("register", status, 201):
            self.sure += 1
            self._newer(json.loads(data)["number"], at_least=self._last + 1)

    def read(self) -> dict[str, Any]:
        """The latest version, which is at least the last one that this caller was told of."""
        status, data = self._ask("GET", f"/versions/{self.model}")
        found: dict[str, Any] = json.loads(data)
        if self._expect("read", status, 200):
            self._newer(found["number"], at_least=self._last)
        return found

    def search(self) -> None:
        """Versions with a good metric; there are always some."""
        status, data = self._ask("GET", "/versions?text=metrics.f1%20%3E%200.4&limit=20")
        if self._expect("search", status, 200):
            found = [each["metrics"][0]["value"] for each in json.loads(data)["items"]]
            if not found or min(found) <= 0.4:
                self._wrong(f"search found {found}")

    def promote(self) -> None:
        """The latest one; refused if it is there already."""
        status, _ = self._ask("POST", f"/versions/{self.model}/promotion", b'{"target": "staging"}')
        self._expect("promote", status, 200, 409)

    def fetch(self) -> None:
        """The bytes of the latest version, which are those that it names."""
        for file in self.read().get("files", ()):
            status, data = self._ask("GET", f"/blobs/{file['digest']}")
            if self._expect("fetch", status, 200) and _digest(data) != file["digest"]:
                self._wrong(f"other bytes under {file['digest']}")

    def cut_upload(self) -> None:
        """Go away in the middle of a body."""
        body = self._draw.randbytes(self._draw.randrange(2, CUT))
        sent = self._draw.randrange(len(body))
        self._leave("cut_upload", "PUT", f"/blobs/{_digest(body)}", body, sent=sent)

    def cut_answer(self) -> None:
        """Go away in the middle of an answer."""
        self._leave("cut_answer", "GET", f"/blobs/{self._whole}", taken=self._draw.randrange(1, CUT // 2))

    def leave_unanswered(self) -> None:
        """Ask for a version and go away at once: it may be there or not, but never half."""
        self._leave("leave_unanswered", "POST", f"/models/{self.model}/versions", self._version())
        self.perhaps += 1

    def wrong_bytes(self) -> None:
        """Bytes that changed on their way are refused."""
        body = self._draw.randbytes(self._draw.randrange(2, CUT))
        status, _ = self._ask("PUT", f"/blobs/{_digest(body)}", body[:-1] + bytes([body[-1] ^ 1]))
        self.faults["wrong_bytes"] += 1
        self._expect("wrong_bytes", status, 422)

    def _version(self) -> bytes:
        """What describes a version of new bytes, which are sent."""
        is_large = self._draw.randrange(RARE) == 0
        data = self._draw.randbytes(LARGE if is_large else self._draw.randrange(1, SMALL))
        files = [{"path": "m", "size": len(data), "digest": self._put(data)}]
        return json.dumps({"files": files, "metrics": {"f1": 0.5}}).encode()

    def _put(self, data: bytes) -> str:
        digest = _digest(data)
        status, _ = self._ask("PUT", f"/blobs/{digest}", data)
        self._expect("put", status, 201)
        return digest

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        self.requests += 1
        self._line.request(method, API + path, body, self._headers(body))
        answer = self._line.getresponse()
        return answer.status, answer.read()

    def _leave(
        self, kind: str, method: str, path: str, body: bytes = b"", *, sent: int | None = None, taken: int = 0
    ) -> None:
        """Send so much of a request, take so much of its answer, and go, half of the time with a reset."""
        self.requests += 1
        self.faults[kind] += 1
        head = "".join(f"{name}: {value}\r\n" for name, value in self._headers(body).items())
        with socket.create_connection(("127.0.0.1", self._port), PATIENCE) as line:
            line.sendall(
                f"{method} {API}{path} HTTP/1.1\r\nHost: localhost\r\n{head}"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
            )
            line.sendall(body[:sent])
            while taken > 0 and (piece := line.recv(min(taken, 65536))):
                taken -= len(piece)
            if self._draw.random() < 0.5:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _headers(self, body: bytes | None) -> dict[str, str]:
        is_json = body is not None and body.startswith(b"{")
        return self._secret | ({"Content-Type": "application/json"} if is_json else {})

    def _expect(self, what: str, status: int, *expected: int) -> bool:
        self.seen[f"{what} {status}"] += 1
        if status not in expected:
            self._wrong(f"{what} was answered by {status}")
        return status in expected

    def _newer(self, number: int, *, at_least: int) -> None:
        if number < at_least:
            self._wrong(f"{self.model}#{number} after #{self._last}")
        self._last = max(self._last, number)

    def _wrong(self, what: str) -> None:
        self.violations.append(what)


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
