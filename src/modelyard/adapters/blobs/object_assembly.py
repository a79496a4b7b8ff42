"""One object put together from others inside the store, by S3's ``UploadPartCopy``: no byte passes through here."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from html import unescape
from typing import Final
from urllib.parse import quote
from xml.sax.saxutils import escape

from modelyard.adapters.blobs.digesting import PIECE
from modelyard.adapters.blobs.object_place import Place
from modelyard.adapters.blobs.object_requests import Requests, tag
from modelyard.domain.errors import StorageError

LEAST: Final = 5 * PIECE
"""Bytes that every part but the last must have."""
MOST: Final = 10_000
"""Parts of one object."""
AT_ONCE: Final = 4
"""Copies that the store is asked for at the same time."""
REFUSED: Final = 412
"""HTTP's status where a condition does not hold."""
_NOBODY: Final = f'"{"0" * 32}"'
"""An ETag that no object has."""
_DOING: Final = "putting an upload together"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An object that becomes a part: ``key`` below the prefix of the place, bytes, and its ETag when it was written."""

    key: str
    size: int
    e_tag: str


class Assembly:
    """Puts objects of one place together."""

    def __init__(self, place: Place) -> None:
        self._place, self._requests = place, Requests(place)
        self._ask = partial(self._requests.ask, _DOING)

    def is_possible(self, parts: Sequence[Part]) -> bool:
        """Whether this store and these credentials can, and the parts are neither too small nor too many."""
        fit = all(part.size >= LEAST for part in parts[:-1]) and all(part.e_tag for part in parts)
        return self._requests.are_possible and fit and 1 < len(parts) <= MOST

    def assemble(self, key: str, parts: Sequence[Part]) -> str | None:
        """Make the object ``key`` of the parts in their order; returns its ETag if the store says it.

        Each part is copied only while it is the very object whose ETag is given. The object appears with all its bytes
        or not at all.

        Raises:
            StorageError: The store refuses, would copy whatever is there, a part is another object by now, or the
                answer was lost.
        """
        target = self._place.full(key)
        upload = unescape(_found("UploadId", self._ask("POST", target, {"uploads": ""})))
        try:
            self._check_conditions(target, upload, parts[0])
            with ThreadPoolExecutor(min(AT_ONCE, len(parts)), "modelyard-assemble") as pool:
                copies = [
                    pool.submit(self._copy, target, upload, number, part)
                    for number, part in enumerate(parts, 1)
                ]
                try:
                    tags = [copy.result() for copy in copies]
                finally:
                    pool.shutdown(cancel_futures=True)
            return self._complete(target, upload, tags)
        except BaseException:
            with suppress(StorageError):  # Swept later, if need be.
                self._ask("DELETE", target, {"uploadId": upload})
            raise

    def _check_conditions(self, target: str, upload: str, part: Part) -> None:
        """See that the store heeds the ETag that is asked for: some do not (Ceph 16), and would copy any bytes.

        It costs one request that has to be refused, little beside the copies.
        """
        try:
            self._copy(target, upload, 1, replace(part, e_tag=_NOBODY))
        except StorageError as error:
            if error.data.get("status") == REFUSED:
                return
            raise
        raise StorageError(
            f"{self._place.name}: {_DOING} failed: expected a copy on a false condition to be refused, and it was made"
        )

    def _copy(self, target: str, upload: str, number: int, part: Part) -> str:
        source = quote(f"/{self._place.bucket}/{self._place.full(part.key)}", safe="/-_.~")
        headers = {"x-amz-copy-source": source, "x-amz-copy-source-if-match": part.e_tag}
        query = {"partNumber": str(number), "uploadId": upload}
        return _found("ETag", self._ask("PUT", target, query, headers=headers))

    def _complete(self, target: str, upload: str, tags: Sequence[str]) -> str | None:
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(unescape(each))}</ETag></Part>"
            for number, each in enumerate(tags, 1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        answer = self._ask("POST", target, {"uploadId": upload}, body=body)
        return unescape(_found("ETag", answer))  # S3 may fail after it said 200: then there is none


def _found(name: str, answer: str) -> str:
    if not (value := tag(name, answer)):
        raise StorageError(f"{_DOING}: expected {name} in the answer of the store, found {answer!r:.200}")
    return value
