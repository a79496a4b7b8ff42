"""A stub, not a server: the few requests of Google's XML API that the client sends, answered from a dictionary.

No faithful emulator of Google Cloud Storage can be had as a package. This shows that our calls take the client's way to
that store and that conditions, ranges, listing and multipart are used as its reference describes them. It shows nothing
about the real store's consistency, limits, credentials or signed links.
"""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from modelyard.adapters.blobs.object_place import Patience, Place

BUCKET = "reg"


class Store:
    """Objects by key, each with its generation and time; uploads by id."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.keeps_conditions = True
        self.numbers = itertools.count(1)
        self.objects: dict[str, tuple[bytes, int, datetime]] = {}
        self.uploads: dict[str, tuple[str, dict[int, bytes]]] = {}

    def put(self, key: str, data: bytes, condition: str | None) -> int | None:
        """The new generation, or ``None`` where the condition fails."""
        with self.turn:
            if (
                self.keeps_conditions
                and condition is not None
                and int(condition) != self.objects.get(key, (b"", 0))[1]
            ):
                return None
            number = next(self.numbers)
            self.objects[key] = (data, number, datetime.now(UTC))
            return number


class Answers(BaseHTTPRequestHandler):
    """The requests."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    store: Store

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def asked(self) -> tuple[str, dict[str, str]]:
        """Key and query; no key for the bucket itself."""
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        return (key if bucket == BUCKET else "?no bucket"), query

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 204:
            self.send_header("Content-Length", headers.get("length") or str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str) -> None:
        self.answer(status, f"<Error><Code>{code}</Code></Error>".encode())

    def do_PUT(self) -> None:
        key, query = self.asked()
        data = self.body()
        if key == "?no bucket":
            return self.refuse(404, "NoSuchBucket")
        if "uploadId" in query:
            with self.store.turn:
                if query["uploadId"] not in self.store.uploads:
                    return self.refuse(404, "NoSuchUpload")
                self.store.uploads[query["uploadId"]][1][int(query["partNumber"])] = data
            return self.answer(200, ETag=f'"{hashlib.md5(data).hexdigest()}"')
        if source := self.headers.get("x-goog-copy-source"):
            found = self.store.objects.get(unquote(source).split("/", 1)[1])
            if found is None:
                return self.refuse(404, "NoSuchKey")
            data = found[0]
        number = self.store.put(key, data, self.headers.get("x-goog-if-generation-match"))
        if number is None:
            return self.refuse(412, "PreconditionFailed")
        return self.answer(200, ETag=f'"{number}"', x_goog_generation=str(number))

    def do_POST(self) -> None:
        key, query = self.asked()
        self.body()
        if key == "?no bucket":
            return self.refuse(404, "NoSuchBucket")
        if "uploads" in query:
            upload = f"u{next(self.store.numbers)}"
            self.store.uploads[upload] = (key, {})
            inside = f"<UploadId>{upload}</UploadId>"
            text = f"<InitiateMultipartUploadResult>{inside}</InitiateMultipartUploadResult>"
            return self.answer(200, text.encode())
        found = self.store.uploads.pop(query["uploadId"], None)
        if found is None:
            return self.refuse(404, "NoSuchUpload")
        data = b"".join(found[1][number] for number in sorted(found[1]))
        number = self.store.put(key, data, None)
        text = f"<CompleteMultipartUploadResult><ETag>{number}</ETag></CompleteMultipartUploadResult>"
        return self.answer(200, text.encode(), x_goog_generation=str(number))

    def do_DELETE(self) -> None:
        key, query = self.asked()
        if "uploadId" in query:
            self.store.uploads.pop(query["uploadId"], None)
            return self.answer(204)
        with self.store.turn:
            found = self.store.objects.pop(key, None)
        return self.answer(204) if found else self.refuse(404, "NoSuchKey")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        key, query = self.asked()
        if key == "?no bucket":
            return self.refuse(404, "NoSuchBucket")
        if not key:
            return self.answer(200, self.listing(query))
        found = self.store.objects.get(key)
        if found is None:
            return self.refuse(404, "NoSuchKey")
        data, number, moment = found
        told = {
            "ETag": f'"{number}"',
            "x_goog_generation": str(number),
            "Last_Modified": format_datetime(moment, usegmt=True),
        }
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
            start, end = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
            if start >= len(data):
                return self.refuse(416, "InvalidRange")
            told["Content_Range"] = f"bytes {start}-{end}/{len(data)}"
            return self.answer(206, data[start : end + 1], **told)
        return self.answer(200, data, **told)

    def listing(self, query: dict[str, str]) -> bytes:
        prefix, after = query.get("prefix", ""), query.get("continuation-token", "")
        keys = sorted(key for key in list(self.store.objects) if key.startswith(prefix) and key > after)
        page = keys[:10]  # Small, so that every listing takes several.
        rows = "".join(self.row(key) for key in page)
        more = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if len(keys) > 10 else ""
        return f"<ListBucketResult>{rows}{more}</ListBucketResult>".encode()

    def row(self, key: str) -> str:
        found = self.store.objects.get(key)
        if found is None:
            return ""
        data, number, moment = found
        return (
            f"<Contents><Key>{escape(key)}</Key><Size>{len(data)}</Size><ETag>{number}</ETag>"
            f"<LastModified>{moment.isoformat()}</LastModified></Contents>"
        )


def missing() -> str | None:
    """Why it cannot be used here, or ``None`` if it can."""
    if importlib.util.find_spec("obstore") is None:
        return "gcs stub: the client is not installed (pip install obstore)"
    return None


@contextmanager
def running() -> Iterator[tuple[Place, Store]]:
    """The place of an empty bucket, and what is behind it."""
    store = Store()
    kind = type("Bound", (Answers,), {"store": store})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    words = ("client_email", "private_key", "private_key_id")
    key = json.dumps({"gcs_base_url": url, "disable_oauth": True, **dict.fromkeys(words, "")})
    try:
        yield (
            Place(
                kind="gcs",
                bucket=BUCKET,
                endpoint=url,
                secrets={"service_account_key": key},
                patience=Patience(silence=20, budget=20),
            ),
            store,
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
