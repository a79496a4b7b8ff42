"""Multipart uploads that were begun and never ended: seen and given up over S3's own protocol.

They hold space and no listing of objects shows them. The client that sends the bytes can neither list nor abort them,
so this speaks the three requests itself, signed by "Signature Version 4" of Amazon's API reference. That needs the keys
themselves; where the machine's identity is used instead, and on Google's store, a rule of the bucket that aborts
incomplete uploads has to do it. Azure drops uncommitted blocks by itself after a week.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urlsplit

from modelyard.adapters.blobs.object_faults import object_error
from modelyard.adapters.blobs.object_place import Place, endpoint_of, s3_keys

if TYPE_CHECKING:
    from urllib.request import Request

_EMPTY: Final = hashlib.sha256(b"").hexdigest()
_UPLOAD: Final = re.compile(r"<Upload>(.*?)</Upload>", re.DOTALL)
_PART: Final = re.compile(r"<Part>(.*?)</Part>", re.DOTALL)
_DOING: Final = "tidying up uploads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """An upload under way or abandoned: ``key`` with our prefix, the store's id, when it began by the store's clock."""

    key: str
    upload: str
    begun: datetime


class Leftovers:
    """The incomplete uploads below the prefix of a place."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @property
    def are_seen(self) -> bool:
        """Whether this store and these credentials let us look."""
        return self._place.kind == "s3" and bool(s3_keys(self._place))

    def below(self, key: str) -> Iterator[Leftover]:
        """Those whose key, without our prefix, begins with ``key``."""
        start = f"{self._place.prefix}/{key}" if self._place.prefix else key
        query = {"uploads": "", "prefix": start, "encoding-type": "url"}
        while True:
            answer = self._ask("GET", "", query)
            yield from map(_leftover, _UPLOAD.findall(answer))
            if _tag("IsTruncated", answer) != "true":
                return
            query |= {
                "key-marker": unquote(_tag("NextKeyMarker", answer)),
                "upload-id-marker": _tag("NextUploadIdMarker", answer),
            }

    def parts(self, leftover: Leftover) -> tuple[int, datetime]:
        """Bytes that have arrived (of the first 1,000 parts) and when the last of them did."""
        answer = self._ask("GET", leftover.key, {"uploadId": leftover.upload})
        found = _PART.findall(answer)
        times = [leftover.begun, *(_time(_tag("LastModified", part)) for part in found)]
        return sum(int(_tag("Size", part) or 0) for part in found), max(times)

    def abort(self, leftover: Leftover) -> None:
        """Give it up; nothing happens if it is gone already."""
        self._ask("DELETE", leftover.key, {"uploadId": leftover.upload})

    def _ask(self, method: str, key: str, query: dict[str, str]) -> str:
        """The body of the answer; empty for what is not there.

        Raises:
            StorageError: The store refuses, or is not there.
        """
        import urllib.error
        import urllib.request

        request = self._signed(method, key, query)
        try:
            with urllib.request.urlopen(request, timeout=self._place.patience.silence) as answer:  # noqa: S310  http(s) only
                body: bytes = answer.read(16 << 20)
                return body.decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            text = error.read(1 << 16).decode("utf-8", "replace")
            if error.code == 404 and "NoSuchBucket" not in text:
                return ""
            told = OSError(f"{text} status code: {error.code}")
            raise object_error(self._place, _DOING, told) from None
        except OSError:
            raise object_error(self._place, _DOING, OSError("Connect")) from None

    def _signed(self, method: str, key: str, query: dict[str, str]) -> Request:
        from urllib.request import Request

        base, keys, now = self._base(), s3_keys(self._place), datetime.now(UTC)
        path = quote(f"{urlsplit(base).path}/{key}".rstrip("/") or "/", safe="/-_.~")
        asked = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in sorted(query.items()))
        headers = {
            "host": urlsplit(base).netloc,
            "x-amz-content-sha256": _EMPTY,
            "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ"),
        }
        if "token" in keys:
            headers["x-amz-security-token"] = keys["token"]
        scope = f"{now:%Y%m%d}/{self._region()}/s3/aws4_request"
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        canonical = f"{method}\n{path}\n{asked}\n{lines}\n{names}\n{_EMPTY}"
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        told = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{hashed}"
        signature = hmac.new(_key(keys["secret_access_key"], scope), told.encode(), "sha256").hexdigest()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={keys['access_key_id']}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        parts = urlsplit(base)
        url = f"{parts.scheme}://{parts.netloc}{path}?{asked}"
        return Request(url, method=method, headers=headers)  # noqa: S310

    def _base(self) -> str:
        if endpoint := endpoint_of(self._place):
            return f"{endpoint}/{self._place.bucket}"
        return f"https://s3.{self._region()}.amazonaws.com/{self._place.bucket}"

    def _region(self) -> str:
        chosen = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        return self._place.region or chosen or "us-east-1"


def _key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return key


def _leftover(text: str) -> Leftover:
    key, upload = unquote(unescape(_tag("Key", text))), unescape(_tag("UploadId", text))
    return Leftover(key=key, upload=upload, begun=_time(_tag("Initiated", text)))


def _tag(name: str, text: str) -> str:
    found = re.search(f"<{name}>(.*?)</{name}>", text, re.DOTALL)
    return found[1] if found else ""


def _time(text: str) -> datetime:
    """A moment of an answer; one that cannot be read counts as now, so that nothing is given up for it."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC)
