"""A TCP proxy on loopback that breaks connections on demand, as networks do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

STEP = 64 * 1024


@dataclass(slots=True)
class Fault:
    """What happens to the next connections that meet it.

    Attributes:
        kind: ``refuse`` (closed at once), ``503``, ``cut``, ``stall``, ``flip`` (one bit), or ``drop``: the answer to
            the first request that contains ``when`` is swallowed and the connection closed.
        up: Whether it is the way to the server that is hit, or the way back.
        after: Bytes that pass in that direction before.
        times: Connections that are hit.
        when: Bytes that must have passed upwards on the connection before it is hit; any by default.
    """

    kind: str
    up: bool = False
    after: int = 0
    times: int = 1
    when: bytes = b""


class Proxy:
    """Between a client and ``target``. ``fault`` may be set at any time; ``hits`` counts the connections it hit."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.fault: Fault | None = None
        self.hits = 0
        self.connections = 0
        self._turn = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port: int = self._server.getsockname()[1]

    def serve(self) -> None:
        """Take connections until ``close``."""
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self.connections += 1
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Break everything off."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Break all connections, so that the next request makes a new one."""
        for each in self._open:
            _shut(each)
        self._open.clear()

    def _claim(self, *kinds: str) -> Fault | None:
        with self._turn:
            fault = self.fault
            if fault is None or fault.kind not in kinds or fault.times < 1:
                return None
            fault.times -= 1
            self.hits += 1
            return fault

    def _carry(self, client: socket.socket) -> None:
        if fault := self._claim("refuse", "503"):
            if fault.kind == "503":
                with suppress(OSError):
                    client.recv(STEP)
                    client.sendall(
                        b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    )
            return _shut(client)
        server = socket.create_connection(self.target)
        self._open += [client, server]
        seen: list[bytes] = []
        for source, sink, up in ((client, server, True), (server, client, False)):
            threading.Thread(target=self._pump, args=(source, sink, up, seen), daemon=True).start()
        return None

    def _pump(self, source: socket.socket, sink: socket.socket, up: bool, seen: list[bytes]) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(STEP):
                if up:
                    seen.append(data[:2048])
                passed += len(data)
                fault = self.fault
                if fault is not None and fault.up == up and passed > fault.after and self._meets(fault, seen):
                    data = self._hit(data)
                    if data is None:
                        break
                sink.sendall(data)
        _shut(source)
        _shut(sink)

    @staticmethod
    def _meets(fault: Fault, seen: list[bytes]) -> bool:
        return not fault.when or any(fault.when in data for data in seen)

    def _hit(self, data: bytes) -> bytes | None:
        """The data as it goes on, or ``None`` where the connection ends."""
        fault = self._claim("cut", "stall", "flip", "drop")
        if fault is None:
            return data
        if fault.kind == "stall":
            threading.Event().wait(30)
        if fault.kind == "flip":
            return data[:-1] + bytes([data[-1] ^ 1])
        return None


def _shut(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()


@contextmanager
def proxying(host: str, port: int) -> Iterator[Proxy]:
    """A proxy in front of a server."""
    proxy = Proxy((host, port))
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()
