"""Requests of S3's own protocol that the client of the bytes does not know, signed by "Signature Version 4" of Amazon's
API reference.

That needs the keys themselves; where the machine's identity is used instead, and on other providers' stores, whatever
builds on this has to do without.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from modelyard.adapters.blobs.object_faults import object_error
from modelyard.adapters.blobs.object_place import Place, endpoint_of, s3_keys

if TYPE_CHECKING:
    from urllib.request import Request

_MOST: Final = 16 << 20
"""Bytes that are read of an answer."""


class Requests:
    """Asks the bucket of a place."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @property
    def are_possible(self) -> bool:
        """Whether this store and these credentials let us ask."""
        return self._place.kind == "s3" and bool(s3_keys(self._place))

    def ask(
        self,
        doing: str,
        method: str,
        key: str,
        query: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> str:
        """The body of the answer; empty for what is not there.

        Args:
            doing: What for, as errors say it.
            key: With the prefix of the place.
            headers: Further ones, in small letters.

        Raises:
            StorageError: The store refuses, or is not there.
        """
        import urllib.error
        import urllib.request

        request = self._signed(method, key, query, dict(headers or {}), body)
        try:
            with urllib.request.urlopen(request, timeout=self._place.patience.silence) as answer:  # noqa: S310  http(s) only
                told: bytes = answer.read(_MOST)
                return told.decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            text = error.read(1 << 16).decode("utf-8", "replace")
            if error.code == 404 and "NoSuchBucket" not in text:
                return ""
            raise object_error(self._place, doing, OSError(f"{text} status code: {error.code}")) from None
        except OSError:
            raise object_error(self._place, doing, OSError("Connect")) from None

    def _signed(
        self, method: str, key: str, query: Mapping[str, str], headers: dict[str, str], body: bytes
    ) -> Request:
        from urllib.request import Request

        base, keys, now = self._base(), s3_keys(self._place), datetime.now(UTC)
        path = quote(f"{urlsplit(base).path}/{key}".rstrip("/") or "/", safe="/-_.~")
        asked = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in sorted(query.items()))
        hashed_body = hashlib.sha256(body).hexdigest()
        headers |= {
            "host": urlsplit(base).netloc,
            "x-amz-content-sha256": hashed_body,
            "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ"),
        }
        if "token" in keys:
            headers["x-amz-security-token"] = keys["token"]
        scope = f"{now:%Y%m%d}/{self._region()}/s3/aws4_request"
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        canonical = f"{method}\n{path}\n{asked}\n{lines}\n{names}\n{hashed_body}"
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        told = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{hashed}"
        signature = hmac.new(_key(keys["secret_access_key"], scope), told.encode(), "sha256").hexdigest()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={keys['access_key_id']}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        parts = urlsplit(base)
        url = f"{parts.scheme}://{parts.netloc}{path}?{asked}"
        return Request(url, method=method, headers=headers, data=body or None)  # noqa: S310

    def _base(self) -> str:
        if endpoint := endpoint_of(self._place):
            return f"{endpoint}/{self._place.bucket}"
        return f"https://s3.{self._region()}.amazonaws.com/{self._place.bucket}"

    def _region(self) -> str:
        chosen = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        return self._place.region or chosen or "us-east-1"


def tag(name: str, text: str) -> str:
    """What stands in the first element of that name in an answer; empty if there is none."""
    found = re.search(f"<{name}>(.*?)</{name}>", text, re.DOTALL)
    return found[1] if found else ""


def _key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return key
