"""What a request brings: a JSON document of limited size and depth, or a stream of bytes of any size."""

from __future__ import annotations

import asyncio
import json
import math
import queue
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from modelyard.domain.errors import InvalidInput, TooLarge, UnsupportedMediaType
from modelyard.domain.spelling import quoted
from modelyard.edge.buffers import PIECE

DEPTH: Final = 64
"""Levels of nesting that a JSON body may have; our own records have eight."""

PER_VALUE: Final = 50
"""A body may have one value for so many bytes of its limit: a value takes up to 300 bytes of memory, however short."""

SMALL: Final = 64 * 1024
"""Bytes of JSON that are read without a thread: 1 ms."""

AHEAD: Final = 1
"""Pieces that may wait for the thread; another one is on its way to them."""

Piece = bytes | bytearray | memoryview


async def read_json(request: Request, limit: int) -> Any:
    """The body as JSON values.

    Raises:
        TooLarge: More bytes than ``limit``.
        UnsupportedMediaType: It says that it is something else. Pages of other sites can send that, but no JSON,
            without asking first.
        InvalidInput: No JSON, not UTF-8, nested too deep, or with numbers that JSON does not have.
    """
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:19]) > limit:
        _too_large(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            _too_large(limit)
    if not body:
        return {}
    _expect_json(request.headers.get("content-type", ""))
    if len(body) < SMALL:
        return parse_json(bytes(body), limit // PER_VALUE)
    return await run_in_threadpool(parse_json, bytes(body), limit // PER_VALUE)


def _expect_json(media_type: str) -> None:
    kind = media_type.partition(";")[0].strip().casefold()
    if kind != "application/json":
        raise UnsupportedMediaType(
            f"Content-Type: expected application/json, found {quoted(media_type) if media_type else 'none'}",
            data={"field": "content-type"},
        )


def _too_large(limit: int) -> NoReturn:
    raise TooLarge(f"the body is larger than the {limit:,} bytes taken here", data={"limit": limit})


def parse_json(body: bytes, values: int = 10_000) -> Any:
    """JSON values from untrusted bytes: at most so many, none of them odd.

    Raises:
        TooLarge: More values.
        InvalidInput: Everything else that is wrong.
    """
    if sum(map(body.count, (b",", b"[", b"{"))) > values:
        raise TooLarge(
            f"the JSON body has more than the {values:,} values taken here", data={"limit": values}
        )
    if _depth(body) > DEPTH:
        raise InvalidInput(f"the JSON body is nested deeper than {DEPTH} levels")
    try:
        found = _loads(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the body is not UTF-8: {error.reason} at byte {error.start}") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput(f"the body is not JSON: {error.msg} ({where})") from error
    except ValueError as error:
        raise InvalidInput(f"the body is not JSON: {error}") from error
    if _SURROGATE.search(body):
        _check_pairs(found)
    return found


_TEXT: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


def _depth(body: bytes) -> int:
    """The deepest nesting, counted before anything is built: a parser would follow it on its own stack."""
    if body.count(b"[") + body.count(b"{") <= DEPTH:
        return 0
    depth = 0
    for byte in _TEXT.sub(b"", body).translate(None, _NO_BRACKETS):
        depth += 1 if byte in b"[{" else -1
        if depth > DEPTH:
            return depth
    return 0


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"JSON has no {word}; write it as the text {word!r}")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"the number {quoted(digits)} is larger than any that is kept")
    return number


def _whole(digits: str) -> int:
    if len(digits) > 309:
        raise ValueError(f"the number {quoted(digits)} has {len(digits):,} digits")
    return int(digits)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"{quoted(twice)} is given twice")
    return found


_loads: Final = json.JSONDecoder(
    parse_constant=_no_constant, parse_float=_finite, parse_int=_whole, object_pairs_hook=_unique
).decode


def _check_pairs(found: Any) -> None:
    """Escapes can write half a character, which no text that is stored or sent again can hold."""
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start])
        raise InvalidInput(
            f"the body holds {half}, one half of a surrogate pair, which is no character"
        ) from error


class Pipe:
    """A request's body, received by the event loop and consumed by one thread, at most a few MiB apart."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Semaphore(AHEAD)
        self._pieces: queue.SimpleQueue[Piece | BaseException | None] = queue.SimpleQueue()

    async def fill(self) -> None:
        """Receive until the end; run it beside the thread that consumes. What comes in small pieces is joined."""
        piece = bytearray()
        try:
            async for chunk in self._request.stream():
                if not piece and len(chunk) >= PIECE:
                    await self._send(chunk)
                    continue
                piece += chunk
                if len(piece) >= PIECE:
                    full, piece = piece, bytearray()
                    await self._send(full)
            if piece:
                await self._send(piece)
            self._pieces.put(None)
        except ClientDisconnect:
            if piece:  # whoever keeps what has arrived, so that the caller can go on, wants this too
                self._pieces.put(piece)
            self._pieces.put(InvalidInput("the connection ended before the whole body had arrived"))
        except BaseException as error:
            self._pieces.put(error)
            raise

    async def _send(self, piece: Piece) -> None:
        await self._room.acquire()
        self._pieces.put(piece)

    def __iter__(self) -> Iterator[bytes]:
        """For the thread: the pieces as they come. What is no ``bytes`` nobody changes as long as it is held here."""
        while (piece := self._pieces.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            self._loop.call_soon_threadsafe(self._room.release)
            yield cast(bytes, piece)
