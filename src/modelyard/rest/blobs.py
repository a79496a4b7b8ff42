"""Bytes over HTTP: streamed in both directions, addressed by digest only."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from functools import partial
from typing import Final, TypeVar

import anyio.lowlevel
import anyio.to_thread
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.responses import Response, StreamingResponse

from modelyard.domain.errors import BlobDamaged, BlobNotFound, InvalidInput, ModelyardError
from modelyard.domain.permissions import Action
from modelyard.domain.spelling import quoted
from modelyard.edge.answers import QUIET, as_json
from modelyard.edge.bodies import Pipe, read_json
from modelyard.edge.buffers import BUFFERS
from modelyard.edge.guard import Guarded
from modelyard.edge.routing import BYTES, Call, Route, Shape
from modelyard.edge.trail import trail
from modelyard.ports.blobs import BlobInfo, Refilling
from modelyard.ports.service import RegistryService
from modelyard.rest.operations import BODY
from modelyard.wire.operations import PREFIX
from modelyard.wire.problems import MEDIA_TYPE, problem

MANY: Final = 10_000
"""Digests that may be asked about at once."""

FOREVER: Final = "private, max-age=31536000, immutable"
"""Bytes under a digest never change; only the caller's own cache may keep them."""

LINKED: Final = 1024 * 1024
"""Bytes from which on it is worth sending a reader elsewhere, which costs it a question more."""

RECEIVERS: Final = 64
"""Bodies of bytes that are received at once; more wait for a thread, a few MiB each in memory."""
_RECEIVERS: Final = anyio.lowlevel.RunVar[anyio.CapacityLimiter]("modelyard-receivers")
T = TypeVar("T")

_RANGE: Final = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Digests that a client has the bytes of."""

    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """Those of them that have to be sent."""

    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Blobs:
    """Routes for bytes, over one service.

    Attributes:
        links: Where bytes may be fetched from the object store itself, if anywhere.
    """

    service: RegistryService
    links: Callable[[str], str | None] | None = None

    def routes(self) -> Iterator[Route]:
        """All of them."""
        one = f"{PREFIX}/blobs/{{digest}}"
        asks = Shape(takes=Asked, gives=Lacking)
        yield Route(
            method="POST",
            path=f"{PREFIX}/blobs/missing",
            action=Action.WRITE,
            handler=self.missing,
            shape=asks,
        )
        sends = Shape(gives=BYTES, query={"direct": bool})
        yield Route(method="GET", path=one, action=Action.DOWNLOAD, handler=self.get, shape=sends)
        takes = Shape(takes=BYTES, gives=BlobInfo, status=201)
        yield Route(method="PUT", path=one, action=Action.WRITE, handler=self.put, shape=takes)

    async def missing(self, call: Call) -> Response:
        """Which of these bytes have to be sent.

        Bytes that the caller may neither download nor has sent lately are missing too: to be told otherwise would be
        to learn what others keep. Sending what is there costs time and stores nothing.
        """
        body = await read_json(call.request, BODY)
        asked = body.get("digests") if isinstance(body, dict) else None
        if not isinstance(asked, list) or not all(isinstance(d, str) for d in asked) or len(asked) > MANY:
            raise InvalidInput(f"the body must be {{'digests': [...]}} with at most {MANY:,} texts")
        guarded = Guarded(self.service, call.principal)
        return as_json(Lacking(missing=tuple(await run_in_threadpool(guarded.lacking, asked))))

    async def put(self, call: Call) -> Response:
        """Take bytes and store them, if they are those that the address says."""
        guarded = Guarded(self.service, call.principal)
        await run_in_threadpool(guarded.require_somewhere, Action.WRITE)
        try:
            info = await received(call, partial(guarded.put_blob, digest=call.path["digest"]))
        except BlobDamaged as error:
            return mismatch(error)
        return as_json(info, status_code=201)

    async def get(self, call: Call) -> Response:
        """Send bytes, or a range of them.

        Where the server is set up for it, bytes in an object store are not sent but redirected to (307): to an address
        of that store which is good for some minutes and has to be asked without the token. ``direct=false`` asks for
        them from the server in any case.
        """
        digest, guarded = call.path["digest"], Guarded(self.service, call.principal)
        info = await run_in_threadpool(guarded.find_blob, digest)
        if info is None:
            raise BlobNotFound(f"there are no bytes {quoted(digest)}", data={"digest": digest})
        size = info.size
        known = call.request.headers.get("if-none-match", "")
        if f'"{digest}"' in known or known.strip() == "*":
            return Response(status_code=304, headers={"ETag": f'"{digest}"', "Cache-Control": FOREVER})
        try:
            start, length = wanted(call.request.headers.get("range"), size)
        except InvalidInput as error:
            return _answered(error, 416, {"Content-Range": f"bytes */{size}"})
        headers = {
            **QUIET,
            "Accept-Ranges": "bytes",
            "ETag": f'"{digest}"',
            "Last-Modified": format_datetime(info.modified_at, usegmt=True),
            "Cache-Control": FOREVER,
            "Content-Length": str(length),
            "Content-Disposition": "attachment",
        }
        whole = length == size
        if not whole:
            headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
        if call.request.method == "HEAD":
            return Response(None, 200 if whole else 206, headers, "application/octet-stream")
        if (link := await self._link(call, length)) is not None:
            return Response(None, 307, {**QUIET, "Location": link})
        open_ = partial(guarded.open_blob, digest, start=start, length=None if whole else length)
        pieces = await run_in_threadpool(open_)
        return StreamingResponse(
            _outgoing(pieces), 200 if whole else 206, headers, "application/octet-stream"
        )

    async def _link(self, call: Call, length: int) -> str | None:
        """Where else the bytes are, for a caller who may have them."""
        wanted = _wants_link(call)
        if self.links is None or length < LINKED or not wanted:
            return None
        return await run_in_threadpool(self.links, call.path["digest"])


async def _outgoing(pieces: Iterator[bytes]) -> AsyncIterator[bytes | memoryview]:
    """The pieces, each got by a thread unless it is in memory; through memory that is used again, where the store can
    fill it.
    """
    if not isinstance(pieces, Refilling):
        async for piece in iterate_in_threadpool(pieces):
            yield piece
        return
    while True:
        buffer = BUFFERS.take()
        if (count := pieces.fill_at_once(buffer)) is None:
            count = await run_in_threadpool(pieces.fill, buffer)
        else:
            await asyncio.sleep(0)  # a fast reader must not take every turn of the loop
        if not count:
            return
        yield buffer[:count]


def _wants_link(call: Call) -> bool:
    said = call.request.query_params.get("direct", "true")
    if said not in ("true", "false"):
        raise InvalidInput(f"direct must be true or false, not {quoted(said)}", data={"field": "direct"})
    return said == "true"


async def received(call: Call, take: Callable[[Iterable[bytes]], T]) -> T:
    """What ``take``, on a thread of those kept for bodies, makes of the body's bytes as they come."""
    pipe = Pipe(call.request)
    filling = asyncio.create_task(pipe.fill())
    try:
        pieces = trail(call.request.scope).metered(pipe)
        return await anyio.to_thread.run_sync(take, pieces, limiter=_receivers())
    finally:
        filling.cancel()
        await asyncio.wait([filling])


def _receivers() -> anyio.CapacityLimiter:
    """Threads that may wait for bodies; slow senders must not take those that answer everybody else."""
    try:
        return _RECEIVERS.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(RECEIVERS)
        _RECEIVERS.set(limiter)
        return limiter


def mismatch(error: BlobDamaged) -> Response:
    """Bytes are not what their sender announced: its fault (422), where stored ones that went bad are ours (500)."""
    return _answered(error, 422, {})


def _answered(error: ModelyardError, status: int, headers: Mapping[str, str]) -> Response:
    """A problem with the status that HTTP has for bytes in particular."""
    told = problem(error) | {"status": status}
    body = json.dumps(told, ensure_ascii=False).encode()
    return Response(body, status, {**QUIET, **headers}, MEDIA_TYPE)


def wanted(header: str | None, size: int) -> tuple[int, int]:
    """First byte and number of bytes of a ``Range`` (RFC 9110, 14.2); everything without one.

    One that is not understood, of another unit or with several parts, means everything too, as the RFC allows.

    Raises:
        InvalidInput: The range lies outside.
    """
    found = _RANGE.fullmatch(header.strip()) if header is not None and size else None
    if found is None:
        return 0, size
    if found[1]:
        start, end = int(found[1]), min(int(found[2]) if found[2] else size - 1, size - 1)
    else:
        start, end = max(0, size - int(found[3])), size - 1
    if start > end:
        raise InvalidInput(f"the range {header!r:.80} lies outside of the {size} bytes", data={"size": size})
    return start, end - start + 1
