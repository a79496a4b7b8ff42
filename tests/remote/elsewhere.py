"""An object store as far as a reader of signed addresses can tell: bytes and ranges of them, and what it was sent."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Store(ThreadingHTTPServer):
    """Serves ``data`` at ``/<word>`` as long as ``word`` is among the good ones.

    Attributes:
        seen: Headers of each request, by lower-case name.
        good: Words that are signed and have not ended.
        uses: Requests after which a word ends; ``None``: never.
        moved: Where it sends everybody, if anywhere.
        odd: ``chunked``: it says no length; ``page``: somebody in between answers with something else.
    """

    daemon_threads = True

    def __init__(self, data):
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.seen, self.good, self.uses, self.moved, self.odd = data, [], {}, None, None, ""

    def sign(self, digest):
        word = f"w{len(self.good)}"
        self.good[word] = self.uses
        return f"http://127.0.0.1:{self.server_port}/{word}?X-Signature=abc%2Fdef&X-Expires=300"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        store = self.server
        store.seen.append({name.lower(): value for name, value in self.headers.items()})
        word = self.path[1:].partition("?")[0]
        if store.moved is not None:
            self._head(302, 0, Location=store.moved)
        elif store.good.get(word, 0) == 0 or "?X-Signature=abc%2Fdef&X-Expires=300" not in self.path:
            self._head(403, 0)
        elif store.odd == "page":
            self._head(200, 5)
            self.wfile.write(b"login")
        elif store.odd == "chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(store.data), store.data))
        else:
            if store.good[word] is not None:
                store.good[word] -= 1
            self._send(store.data)

    def _send(self, data):
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if found is None:
            self._head(200, len(data))
            self.wfile.write(data)
            return
        part = data[int(found[1]) : int(found[2]) + 1 if found[2] else None]
        self._head(206, len(part))
        self.wfile.write(part)

    def _head(self, status, size, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        """Nobody reads it."""

    def handle(self):
        try:
            super().handle()
        except OSError:  # a reader that had enough
            self.close_connection = True


@contextmanager
def storing(data):
    """A store with these bytes."""
    store = Store(data)
    thread = threading.Thread(target=store.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield store
    finally:
        store.shutdown()
        thread.join()
        store.server_close()
