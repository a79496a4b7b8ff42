"""Connections for bytes: the standard library's, in pieces of a MiB.

On loopback ``httpx`` moved 0.2 GB/s up and 1.0 GB/s down where this moves 0.4 and 1.9: it copies every byte through
its parser 64 KiB at a time. Questions and small files go through it all the same; only what is large comes here.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse
from typing import IO, TYPE_CHECKING, Any, Final

from modelyard.domain.errors import ModelyardError, StorageError, Unreachable
from modelyard.ports.service import Progress
from modelyard.remote.direct import Direct, is_safe
from modelyard.remote.lines import opened, target
from modelyard.wire.problems import raised

if TYPE_CHECKING:
    from modelyard.remote.transport import Transport

PIECE: Final = 1024 * 1024
STEP: Final = 4 * PIECE
"""Bytes between two reports of progress while the kernel sends a file."""
ELSEWHERE: Final = 307
"""The status of an answer that says where the bytes are."""
FROM_THE_SERVER: Final = "?direct=false"
"""Asks for bytes from the server itself, wherever it keeps them."""


class Connection:
    """One connection for one transfer after the other; opened when first used, and again after it broke."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._open: HTTPConnection | None = None
        self._direct = Direct(transport.timeout)
        self._links: dict[str, str] = {}
        self._stays = False

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it; the next use opens another."""
        self._direct.close()
        if self._open is not None:
            self._open.close()
            self._open = None

    def hang_up(self) -> None:
        """End what another thread waits for on it; that thread closes it."""
        for each in (self._open, self._direct.line):
            if each is not None and (line := each.sock) is not None:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)

    def send(
        self,
        method: str,
        path: str,
        source: IO[bytes],
        start: int,
        length: int,
        *,
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Any:
        """Send ``length`` bytes of a file from ``start`` on; returns the JSON of the answer.

        Raises:
            ModelyardError: What the server raised; it may do so before all bytes are there.
            StorageError: The file has fewer bytes than that.
            Unreachable: The connection broke.
        """
        more = {"Content-Length": str(length), "Content-Type": "application/octet-stream"}
        with self._failing():
            connection = self._begin(method, path, {**(headers or {}), **more})
            broken: OSError | None = None
            try:
                _pour(connection, source, start, length, progress)
            except (BrokenPipeError, ConnectionResetError) as error:
                broken = error  # it may have answered before it hung up
            try:
                answer = connection.getresponse()
                told = answer.read()
            except (OSError, http.client.HTTPException):
                raise broken or Unreachable(f"{self._transport.url} hung up") from None
            return _read(answer, told)

    @contextmanager
    def receive(self, path: str, headers: Mapping[str, str], *, size: int) -> Iterator[HTTPResponse]:
        """A good answer whose body is to be read by the caller.

        Args:
            size: Bytes that there are at ``path``, whatever part of them ``headers`` ask for.

        Raises:
            ModelyardError: What the server raised.
            Unreachable: No answer, or it broke off.
        """
        with self._failing():
            answer = self._bytes(path, headers, size)
            yield answer
            if not answer.isclosed():
                self.close()

    def _bytes(self, path: str, headers: Mapping[str, str], size: int) -> HTTPResponse:
        """An answer with bytes, from where the server says they are: what it said before counts as long as it works.

        Where an address just given leads nowhere, such as from a network that cannot reach the store, the server is
        asked to send them itself, from then on.
        """
        link = self._links.pop(path, "")
        while True:
            fresh = not link
            if fresh:
                answer = self._ask(path, headers)
                if answer.status != ELSEWHERE:
                    return answer
                link = answer.headers.get("Location", "")
            safe = is_safe(link, self._transport.url)
            found = self._direct.get(link, headers, size) if safe else None
            if found is not None:
                self._links[path] = link
                return found
            link, self._stays = "", self._stays or fresh

    def _ask(self, path: str, headers: Mapping[str, str]) -> HTTPResponse:
        """What the server answers: bytes, or that they are elsewhere."""
        connection = self._begin("GET", path + (FROM_THE_SERVER if self._stays else ""), headers)
        answer = connection.getresponse()
        if answer.status == ELSEWHERE and not self._stays:
            answer.read()
        elif not 200 <= answer.status < 300:
            _read(answer, answer.read())
        return answer

    def _begin(self, method: str, path: str, headers: Mapping[str, str]) -> HTTPConnection:
        url = self._transport.url + path
        connection = self._open = self._open or opened(url, self._transport.timeout)
        connection.putrequest(method, target(url), skip_accept_encoding=True)
        for name, value in {**self._transport.headers, **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """After any failure the connection is in nobody knows which state."""
        try:
            yield
        except ModelyardError:
            self.close()
            raise
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._transport.unreachable(error) from error
        except BaseException:
            self.close()
            raise


def _pour(
    connection: HTTPConnection, source: IO[bytes], start: int, length: int, progress: Progress | None
) -> None:
    """Send part of a file: by the kernel where the bytes go out as they are, through memory where TLS seals them."""
    done = 0
    while done < length:
        step = min(STEP, length - done)
        sent = connection.sock.sendfile(source, start + done, step)
        if sent == 0:
            raise StorageError(
                f"the file ended after {start + done} bytes where {start + length} were expected: it changed while it "
                "was sent; nothing was stored"
            )
        done += sent
        if progress is not None:
            progress(sent)


def _read(answer: HTTPResponse, body: bytes) -> Any:
    try:
        told = json.loads(body) if body else None
    except ValueError:
        told = None
    if 200 <= answer.status < 300:
        return told
    raise raised(told, status=answer.status)
