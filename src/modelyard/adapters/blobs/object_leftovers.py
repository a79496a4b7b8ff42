"""Multipart uploads that were begun and never ended: seen and given up over S3's own protocol.

They hold space and no listing of objects shows them. The client that sends the bytes can neither list nor abort them,
so this speaks the three requests itself, which needs the keys themselves; where the machine's identity is used instead,
and on Google's store, a rule of the bucket that aborts incomplete uploads has to do it. Azure drops uncommitted blocks
by itself after a week.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from typing import Final
from urllib.parse import unquote

from modelyard.adapters.blobs.object_place import Place
from modelyard.adapters.blobs.object_requests import Requests, tag

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
        self._place, self._requests = place, Requests(place)

    @property
    def are_seen(self) -> bool:
        """Whether this store and these credentials let us look."""
        return self._requests.are_possible

    def below(self, key: str) -> Iterator[Leftover]:
        """Those whose key, without our prefix, begins with ``key``."""
        start = self._place.full(key)
        query = {"uploads": "", "prefix": start, "encoding-type": "url"}
        while True:
            answer = self._requests.ask(_DOING, "GET", "", query)
            yield from map(_leftover, _UPLOAD.findall(answer))
            if tag("IsTruncated", answer) != "true":
                return
            query |= {
                "key-marker": unquote(tag("NextKeyMarker", answer)),
                "upload-id-marker": tag("NextUploadIdMarker", answer),
            }

    def parts(self, leftover: Leftover) -> tuple[int, datetime]:
        """Bytes that have arrived (of the first 1,000 parts) and when the last of them did."""
        answer = self._requests.ask(_DOING, "GET", leftover.key, {"uploadId": leftover.upload})
        found = _PART.findall(answer)
        times = [leftover.begun, *(_time(tag("LastModified", part)) for part in found)]
        return sum(int(tag("Size", part) or 0) for part in found), max(times)

    def abort(self, leftover: Leftover) -> None:
        """Give it up; nothing happens if it is gone already."""
        self._requests.ask(_DOING, "DELETE", leftover.key, {"uploadId": leftover.upload})


def _leftover(text: str) -> Leftover:
    key, upload = unquote(unescape(tag("Key", text))), unescape(tag("UploadId", text))
    return Leftover(key=key, upload=upload, begun=_time(tag("Initiated", text)))


def _time(text: str) -> datetime:
    """A moment of an answer; one that cannot be read counts as now, so that nothing is given up for it."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC)
