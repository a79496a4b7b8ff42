"""The right to collect, kept by an object store: a row of numbered objects, of which the highest counts.

A collector makes ``collector/<number>`` one above the highest, by a conditional PUT that only one can win, and writes
it anew every few seconds. Whoever finds a highest one that nobody writes any more takes the next number: one that it
watched for the whole life of a lease by its own clock, or that is older than that by the clock of the store itself and
was not written while it looked twice. Clocks of different machines are never compared. A holder that sees a higher
number than its own has lost the right. So two collectors never both hold it as long as a holder stops by itself when it
could not write in time: ``check`` says so before anything is removed.

Only creation has to be conditional: some stores know ``If-None-Match`` and not ``If-Match``.
"""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from modelyard.adapters.blobs.object_faults import object_errors
from modelyard.adapters.blobs.object_place import Place
from modelyard.domain.errors import Conflict, NotSupported, StorageError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

FOLDER: Final = "collector"
LIFE: Final = 120.0
"""Seconds after which a lease that nobody writes is taken over."""
BEATS: Final = 24
"""How often it is written in its life: whoever finds it held knows so after one beat."""
WAIT: Final = 45.0
"""Seconds that a dead holder's lease is waited for at most: callers over a network give up after a minute."""
_NUMBER: Final = re.compile(FOLDER + r"/(\d{12})")
_CLOCK: Final = f"{FOLDER}/clock"
_COARSE: Final = 2.0
"""Seconds: stores tell times in whole ones."""
_DOING: Final = "taking the right to collect"


@dataclass(frozen=True, slots=True)
class _Seen:
    number: int
    e_tag: str | None
    modified: Any
    size: int

    @property
    def is_free(self) -> bool:
        """Let go of by its holder: nothing is written in it."""
        return self.size == 0


class Lease:
    """The collector's lease of one place; used by all stores of that place in this process.

    Args:
        life: Seconds.
    """

    def __init__(self, client: ObjectStore, place: Place, *, life: float = LIFE) -> None:
        self._client, self._place, self._life = client, place, life
        self._turn = threading.Lock()
        self._renewed = 0.0
        self._number = 0
        self._token = b""
        self._lost = False
        self._watched: tuple[_Seen | None, float] = (None, 0.0)

    @contextmanager
    def held(self, *, patient: bool = True) -> Iterator[None]:
        """Hold it for a block.

        Args:
            patient: Whether to wait for what a dead holder left, up to ``WAIT`` seconds.

        Raises:
            Conflict: Another collector holds it, or died with it just now.
            NotSupported: The store ignores the condition of a conditional PUT, so nothing would keep another one out.
        """
        if not self._turn.acquire(blocking=False):
            raise self._taken()
        stop = threading.Event()
        try:
            self._acquire(patient)
            beat = threading.Thread(target=self._beat, args=(stop,), name="modelyard-lease", daemon=True)
            beat.start()
            try:
                yield
            finally:
                stop.set()
                beat.join()
                self._release()
        finally:
            self._number = 0
            self._turn.release()

    def check(self) -> None:
        """Before something is removed: if this process collects, that it surely still may.

        Three quarters of the lease's life must be left, so that a request on its way, with all that is tried again, has
        arrived or been given up before anybody else may begin.

        Raises:
            StorageError: It was lost, or could not be renewed for too long.
        """
        if self._number and (self._lost or time.monotonic() - self._renewed > self._life / 4):
            raise StorageError(
                f"{self._place.name}: the right to collect was lost or could not be renewed in time. Nothing more is "
                "removed; collect again.",
                data={"bucket": self._place.bucket},
            )

    def _acquire(self, patient: bool) -> None:
        with object_errors(self._place, _DOING):
            seen = self._highest()
            if seen is not None and not seen.is_free:
                self._outlive(seen, min(self._life, WAIT) if patient else 0.0)
            number = seen.number + 1 if seen else 1
            begun = time.monotonic()
            self._token = uuid.uuid4().hex.encode()
            if not self._create(number):
                raise self._taken()
            self._prove_conditions(number)
            self._number, self._renewed, self._lost = number, begun, False
            top = self._highest()
            if top is None or top.number != number:
                self._number = 0
                raise self._taken()
            self._forget_below(number)

    def _outlive(self, seen: _Seen, seconds: float) -> None:
        """Return if somebody's lease has ended within ``seconds``; that it is written again is a conflict.

        How long it has not been written is remembered, so that who asks now and then without patience gets it too.
        """
        if self._watched[0] != seen:
            self._watched = (seen, time.monotonic())
        end = time.monotonic() + seconds
        while True:
            # Taken before the look, which takes a while: the last look must count.
            left = end - time.monotonic()
            if self._has_ended(seen):
                return
            if left <= 0:
                raise self._taken()
            time.sleep(min(self._life / BEATS / 2, left))
            now = self._highest()
            if now is not None and now.is_free and now.number == seen.number:
                return
            if now != seen:
                raise self._taken()

    def _has_ended(self, seen: _Seen) -> bool:
        """Whether its holder must have stopped: silent for a life, or for two looks if the store's clock says so."""
        silent = time.monotonic() - self._watched[1]
        if silent < self._life / BEATS * 1.5:
            return False
        return silent >= self._life or self._age(seen) >= self._life + _COARSE

    def _age(self, seen: _Seen) -> float:
        """Seconds since it was written, by the clock that noted that: the store's, told by an object made now."""
        import obstore

        obstore.put(self._client, _CLOCK, b"now")
        now = obstore.head(self._client, _CLOCK)["last_modified"]
        age: float = (now - seen.modified).total_seconds()
        return age

    def _create(self, number: int) -> bool:
        """Make the object of a number; whether it is ours, also when only the answer was lost."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            obstore.put(self._client, _key(number), self._token, mode="create")
        except (AlreadyExistsError, PreconditionError):
            return self._holds(number)
        return True

    def _holds(self, number: int) -> bool:
        import obstore

        with suppress(FileNotFoundError):
            return bytes(obstore.get(self._client, _key(number)).bytes()).startswith(self._token)
        return False

    def _prove_conditions(self, number: int) -> None:
        """A second creation must fail. Some stores answer 200 to it, and nothing else would tell."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            obstore.put(self._client, _key(number), self._token + b" twice", mode="create")
        except (AlreadyExistsError, PreconditionError):
            return
        with suppress(FileNotFoundError):
            obstore.delete(self._client, _key(number))
        raise NotSupported(
            f"{self._place.name}: it ignores the condition of a PUT with If-None-Match, so nothing keeps two "
            "collections apart. Nothing was removed. Storing and reading are safe there; to collect, use a store "
            "that has conditional PUT",
            data={"bucket": self._place.bucket},
        )

    def _beat(self, stop: threading.Event) -> None:
        import obstore

        count = 0
        while not stop.wait(self._life / BEATS):
            begun, count = time.monotonic(), count + 1
            try:
                top = self._highest()
                if top is None or top.number != self._number:
                    self._lost = True
                    return
                obstore.put(self._client, _key(self._number), self._token + b" %d" % count)
                self._renewed = begun
            except Exception:  # noqa: S112  `check` sees that it was not renewed; the next beat may come through.
                continue

    def _release(self) -> None:
        import obstore

        if not self._lost:
            with suppress(Exception):  # It ends by itself then, later.
                obstore.put(self._client, _key(self._number), b"")

    def _highest(self) -> _Seen | None:
        import obstore

        best: _Seen | None = None
        for page in obstore.list(self._client, FOLDER):
            for meta in page:
                found = _NUMBER.fullmatch(meta["path"])
                if found and (best is None or int(found[1]) > best.number):
                    best = _Seen(int(found[1]), meta["e_tag"], meta["last_modified"], meta["size"])
        return best

    def _forget_below(self, number: int) -> None:
        """Remove what is far below; a few stay, for whoever listed them just now."""
        import obstore

        with suppress(Exception):
            keys = [meta["path"] for page in obstore.list(self._client, FOLDER) for meta in page]
            for key in keys:
                if (found := _NUMBER.fullmatch(key)) and int(found[1]) < number - 3:
                    obstore.delete(self._client, key)

    def _taken(self) -> Conflict:
        return Conflict(
            f"Another collection is running in {self._place.name}, or was cut off less than {self._life:.0f} s ago. "
            "Nothing was removed; try again when that has ended.",
            data={"bucket": self._place.bucket},
        )


def _key(number: int) -> str:
    return f"{FOLDER}/{number:012d}"
