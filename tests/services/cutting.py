"""A relay between a client and a server that cuts the line at a chosen moment."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from urllib.parse import urlsplit, urlunsplit

COMMIT = re.compile(rb"COMMIT(?!TED)")
"""The statement, in either protocol, and not the name of an isolation level."""


class Relay:
    """Passes bytes on, until something armed it and the word of a commit goes by.

    Args:
        host: Where the server is.
        port: Its port.

    Attributes:
        watch: Asked about everything before it goes up; once it answers true, that is passed on and the line is cut.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._armed: str | None = None
        self.watch: Callable[[bytes], bool] | None = None
        self.cuts = 0
        self._open: list[socket.socket] = []
        self._thread = Thread(target=self._accept, daemon=True)
        self._thread.start()

    def cut(self, when: str) -> None:
        """Cut the next commit off: ``before`` it reaches the server, or ``after`` the server has answered it."""
        self._armed = when

    def close(self) -> None:
        """Take no more connections, and cut those that are there."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        for each in self._open:
            _end(each)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._open += [client, server]
            state = {"waiting": False}
            for source, target, up in ((client, server, True), (server, client, False)):
                Thread(target=self._pass_on, args=(source, target, up, state), daemon=True).start()

    def _pass_on(
        self, source: socket.socket, target: socket.socket, up: bool, state: dict[str, bool]
    ) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if up and self._armed and COMMIT.search(data):
                    when, self._armed = self._armed, None
                    self.cuts += 1
                    if when == "before":
                        break
                    state["waiting"] = True
                elif not up and state["waiting"]:
                    break  # the server has done it, and nobody hears of it
                last = up and self.watch is not None and self.watch(data)
                target.sendall(data)
                if last:
                    self.watch = None
                    self.cuts += 1
                    break
        for each in (source, target):
            _end(each)


def _end(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()


@contextmanager
def relayed(url: str) -> Iterator[tuple[str, Relay]]:
    """The address of ``url`` through a relay, and the relay."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    relay = Relay(parts.hostname, parts.port)
    user = parts.netloc.rpartition("@")[0]
    try:
        yield urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{relay.port}")), relay
    finally:
        relay.close()
