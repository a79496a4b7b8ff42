"""Uploads in pieces over HTTP, in the shape that OCI registries gave them.

``POST`` begins one and says where it is; ``PATCH`` adds a piece, whose ``Content-Range`` must begin where the last one
ended; ``GET`` says how far it is; ``PUT ?digest=`` finishes it, with a last piece if there is a body; ``DELETE`` gives
it up. Whoever lost an answer asks with ``GET`` and goes on from there, after a restart of either side too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from modelyard.domain.errors import BlobDamaged, InvalidInput
from modelyard.domain.names import check_digest
from modelyard.domain.permissions import Action
from modelyard.domain.spelling import quoted
from modelyard.edge.answers import QUIET, as_json
from modelyard.edge.guard import Guarded
from modelyard.edge.routing import BYTES, Call, Route, Shape
from modelyard.ports.blobs import BlobInfo
from modelyard.ports.service import RegistryService
from modelyard.ports.uploads import Upload
from modelyard.ports.uploads import Uploads as Store
from modelyard.rest.blobs import mismatch, received
from modelyard.wire.operations import PREFIX

HERE: Final = f"{PREFIX}/blobs/uploads"
ABANDONED: Final = 86_400
"""Seconds after which an upload that nobody goes on with is thrown away, at the next one that begins."""
_PIECE: Final = re.compile(r"(?:bytes )?(\d{1,18})-(\d{1,18})(?:/(?:\d{1,18}|\*))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Uploads:
    """Routes for uploads in pieces.

    Attributes:
        service: Whose bytes they become.
        store: Where they are until then.
    """

    service: RegistryService
    store: Store

    def routes(self) -> Iterator[Route]:
        """All of them."""
        one, write = f"{HERE}/{{upload}}", Action.WRITE
        begun, added = Shape(gives=Upload, status=202), Shape(takes=BYTES, gives=Upload, status=202)
        done = Shape(takes=BYTES, gives=BlobInfo, status=201, query={"digest": str})
        gone = Shape(status=204)
        yield Route(method="POST", path=HERE, action=write, handler=self.begin, shape=begun)
        yield Route(method="GET", path=one, action=write, handler=self.find, shape=Shape(gives=Upload))
        yield Route(method="PATCH", path=one, action=write, handler=self.append, shape=added)
        yield Route(method="PUT", path=one, action=write, handler=self.finish, shape=done)
        yield Route(method="DELETE", path=one, action=write, handler=self.abort, shape=gone)

    async def begin(self, call: Call) -> Response:
        """Begin an upload in pieces, for this caller alone."""
        guarded = await self._permit(call)
        return _told(202, await run_in_threadpool(self._begin, guarded, _owner(call)))

    def _begin(self, guarded: Guarded, owner: str) -> Upload:
        guarded.require_room()
        self.store.sweep(older_than_seconds=ABANDONED)
        return self.store.begin(owner)

    async def find(self, call: Call) -> Response:
        """How many bytes of an upload have arrived."""
        await self._permit(call)
        return _told(200, await run_in_threadpool(self.store.find, _owner(call), call.path["upload"]))

    async def append(self, call: Call) -> Response:
        """Add a piece to an upload.

        ``Content-Range: first-last`` says where it belongs, which must be where the last one ended; without it the
        piece goes there, wherever that is.
        """
        await self._permit(call)
        return _told(202, await received(call, partial(self._append, call)))

    def _append(self, call: Call, pieces: Iterable[bytes]) -> Upload:
        owner, upload = _owner(call), call.path["upload"]
        declared = call.request.headers.get("content-range")
        if declared is None:
            return self.store.append(owner, upload, self.store.find(owner, upload).size, pieces)
        start, length = placed(declared, call.request.headers.get("content-length"))
        return self.store.append(owner, upload, start, _exactly(pieces, length))

    async def finish(self, call: Call) -> Response:
        """Finish an upload, with a last piece if there is a body: the whole is stored if ``digest`` is its digest."""
        guarded = await self._permit(call)
        try:
            info = await received(call, partial(self._finish, call))
        except BlobDamaged as error:
            return mismatch(error)
        await run_in_threadpool(guarded.note_upload, info.digest)
        return as_json(info, status_code=201, headers={"Location": f"{PREFIX}/blobs/{info.digest}"})

    def _finish(self, call: Call, pieces: Iterable[bytes]) -> BlobInfo:
        digest = check_digest(call.request.query_params.get("digest", ""))
        headers = call.request.headers
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            self._append(call, pieces)
        return self.store.finish(_owner(call), call.path["upload"], digest)

    async def abort(self, call: Call) -> Response:
        """Give an upload up; what has arrived is thrown away."""
        await self._permit(call)
        await run_in_threadpool(self.store.abort, _owner(call), call.path["upload"])
        return Response(status_code=204, headers=QUIET)

    async def _permit(self, call: Call) -> Guarded:
        guarded = Guarded(self.service, call.principal)
        await run_in_threadpool(guarded.require_somewhere, Action.WRITE)
        return guarded


def _owner(call: Call) -> str:
    """A service may be called like a user and is somebody else."""
    return f"{call.principal.actor.kind}:{call.principal.actor.name}"


def _told(status: int, found: Upload) -> Response:
    """Where the upload is and how far; ``Range`` names the first and last byte, and so cannot say "none"."""
    headers = {"Location": f"{HERE}/{found.upload}"}
    if found.size:
        headers["Range"] = f"0-{found.size - 1}"
    return as_json({"upload": found.upload, "size": found.size}, status_code=status, headers=headers)


def placed(content_range: str, content_length: str | None) -> tuple[int, int]:
    """First byte and number of bytes of a piece.

    Raises:
        InvalidInput: Not a range, or one of another length than the body's.
    """
    found = _PIECE.fullmatch(content_range.strip())
    if found is None or int(found[2]) < int(found[1]):
        raise InvalidInput(
            f"Content-Range must be first and last byte, such as 0-1048575, not {quoted(content_range)}"
        )
    start, length = int(found[1]), int(found[2]) - int(found[1]) + 1
    if content_length is not None and content_length != str(length):
        raise InvalidInput(
            f"Content-Range {content_range} says {length} bytes, Content-Length {quoted(content_length)}"
        )
    return start, length


def _exactly(pieces: Iterable[bytes], length: int) -> Iterator[bytes]:
    """The pieces, no byte more than announced. Fewer are kept: the next piece goes on from there."""
    for piece in pieces:
        length -= len(piece)
        if length < 0:
            raise InvalidInput(f"the body has {-length} bytes more than its Content-Range says")
        yield piece
