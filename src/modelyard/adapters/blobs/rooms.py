"""Bytes of different models in different places: a main store, and rooms for the models that patterns name.

Bytes arrive in the main store, where they are whole and durable before anybody knows which model they belong to. When a
version was registered they are copied to the room of its model (:meth:`Rooms.house`), and a collection removes copies
that are not wanted in the main store any more, or in a room whose model no longer has them (:meth:`Rooms.tidy`). So
equal bytes are shared within a room and not between rooms.

Nothing hangs on where a copy is: whoever reads asks the stores in turn. And nothing is removed by tidying but what was
seen in another store a moment before, by the one collector that there is, which sees first that no two stores are one
under two addresses. So a copy that comes late, or goes too early because somebody registered meanwhile, costs a detour
until the next collection and never a byte.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar

from modelyard.adapters.blobs.addresses import hex_of, not_found
from modelyard.adapters.blobs.digesting import Progress
from modelyard.domain.errors import BlobDamaged, BlobNotFound, InvalidConfig
from modelyard.domain.names import fold
from modelyard.ports.blobs import BlobInfo, BlobStore, ModelsOf, Recalling

T = TypeVar("T")

Carry = Callable[[BlobStore, BlobStore, str], None]
"""Brings a blob from the second store to the first."""

MOST_SEEN: Final = 10_000
"""Blobs of which is remembered where they were, about 2 MiB."""


def carry(target: BlobStore, source: BlobStore, digest: str) -> None:
    """Copy through this process, checked on the way."""
    target.put(source.open(digest), expect=digest)


class Rooms:
    """A ``BlobStore`` over several, and ``Housing``. Thread-safe if they are.

    Args:
        main: Where bytes arrive, where those of all other models stay, and which knows who collects.
        rules: Patterns of model names, compared as names are (any case), each with the store for them; the first that
            matches counts. A store may come several times.
        carry: Brings a blob from one store to another.
    """

    def __init__(
        self, main: BlobStore, rules: Sequence[tuple[str, BlobStore]], *, carry: Carry = carry
    ) -> None:
        self.main = main
        self._rules = tuple((fold(pattern), store) for pattern, store in rules)
        self.stores: tuple[BlobStore, ...] = (main,)
        for _, store in rules:
            if not any(store is known for known in self.stores):
                self.stores += (store,)
        self._carry = carry
        self._turn = Lock()
        self._seen: OrderedDict[str, BlobStore] = OrderedDict()

    def room_of(self, model: str) -> BlobStore:
        """Where the bytes of a model belong."""
        name = fold(model)
        return next((store for pattern, store in self._rules if fnmatchcase(name, pattern)), self.main)

    # Writing

    def put(self, chunks: Iterable[bytes], *, expect: str | None = None) -> BlobInfo:
        """See ``BlobStore.put``; into the main store."""
        return self._arrived(self.main.put(chunks, expect=expect))

    def put_file(
        self, path: Path, *, expect: str | None = None, progress: Progress | None = None
    ) -> BlobInfo:
        """See ``BlobStore.put_file``; into the main store."""
        return self._arrived(self.main.put_file(path, expect=expect, progress=progress))

    def _arrived(self, stored: BlobInfo) -> BlobInfo:
        self._remember(stored.digest, self.main)
        return stored

    def just_stored(self, digest: str) -> bytes | None:
        """See ``Recalling.just_stored``."""
        return self.main.just_stored(digest) if isinstance(self.main, Recalling) else None

    # Reading

    def open(self, digest: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """See ``BlobStore.open``."""
        return self._first(digest, lambda store: store.open(digest, start=start, length=length))

    def materialise(self, digest: str, target: Path, *, progress: Progress | None = None) -> None:
        """See ``BlobStore.materialise``."""
        self._first(digest, lambda store: store.materialise(digest, target, progress=progress))

    def stat(self, digest: str) -> BlobInfo | None:
        """See ``BlobStore.stat``."""
        for store in self._order(digest):
            if (found := store.stat(digest)) is not None:
                self._remember(digest, store)
                return found
        return None

    def location(self, digest: str) -> Path | None:
        """See ``BlobStore.location``."""
        return next((path for store in self._order(digest) if (path := store.location(digest))), None)

    def presign(self, digest: str, *, seconds: int) -> str | None:
        """See ``BlobStore.presign``."""
        holder = next((store for store in self._order(digest) if store.stat(digest) is not None), self.main)
        return holder.presign(digest, seconds=seconds)

    def list(self) -> Iterator[BlobInfo]:
        """See ``BlobStore.list``. It remembers about 100 bytes for each blob."""
        seen: set[bytes] = set()
        for store in self.stores:
            for info in store.list():
                key = bytes.fromhex(hex_of(info.digest))
                if key not in seen:
                    seen.add(key)
                    yield info

    def verify(self, digest: str, *, cached: bool = True) -> None:
        """See ``BlobStore.verify``; every copy has to be good."""
        found = False
        for store in self.stores:
            with suppress(BlobNotFound):
                store.verify(digest, cached=cached)
                found = True
        if not found:  # moved meanwhile, or nowhere
            self._first(digest, lambda store: store.verify(digest, cached=cached))

    # Removing

    def delete(self, digest: str) -> None:
        """See ``BlobStore.delete``; from everywhere."""
        self._forget(digest)
        for store in self.stores:
            store.delete(digest)

    def quarantine(self, digest: str) -> None:
        """See ``BlobStore.quarantine``; only damaged copies, if there are good ones too."""
        there = [store for store in self.stores if store.stat(digest) is not None]
        damaged = [store for store in there if not _is_good(store, digest)]
        self._forget(digest)
        for store in damaged or there:
            store.quarantine(digest)

    def sweep(self, *, older_than_seconds: float) -> int:
        """See ``BlobStore.sweep``."""
        return sum(store.sweep(older_than_seconds=older_than_seconds) for store in self.stores)

    def collecting(self, *, patient: bool = True) -> AbstractContextManager[None]:
        """See ``BlobStore.collecting``; the right is the main store's."""
        return self.main.collecting(patient=patient)

    def close(self) -> None:
        """See ``BlobStore.close``."""
        for store in self.stores:
            store.close()

    # Housing

    def house(self, digest: str, model: str) -> None:
        """See ``Housing.house``."""
        room = self.room_of(model)
        if room.stat(digest) is None:
            self._bring(digest, room)
        self._remember(digest, room)

    def _bring(self, digest: str, room: BlobStore) -> None:
        source = next((store for store in self._order(digest) if store.stat(digest) is not None), None)
        if source is None:
            raise not_found(hex_of(digest))
        self._carry(room, source, digest)

    def tidy(self, models_of: ModelsOf) -> int:
        """See ``Housing.tidy``. It remembers about 200 bytes for each blob.

        Raises:
            InvalidConfig: Two of the stores are one.
        """
        _check_apart(self.stores)
        held: dict[str, int] = {}
        for number, store in enumerate(self.stores):
            for info in store.list():
                held[info.digest] = held.get(info.digest, 0) | 1 << number
        return sum(self._tidied(digest, there, models_of(digest)) for digest, there in held.items())

    def _tidied(self, digest: str, there: int, models: Iterable[str]) -> int:
        """Bytes freed by having a copy of a blob where its models want one, and only there if anybody does."""
        rooms = [self.room_of(model) for model in models]
        wanted = sum(1 << n for n, store in enumerate(self.stores) if any(store is room for room in rooms))
        if not wanted or wanted == there:
            return 0
        try:
            for store in self._chosen(wanted & ~there):
                self._bring(digest, store)
        except (BlobDamaged, BlobNotFound):  # `fsck` names it; it must not keep the others from being tidied.
            return 0
        kept = [store.stat(digest) for store in self._chosen(wanted)]
        if None in kept:
            return 0
        self._forget(digest)
        return sum(_removed(store, digest) for store in self._chosen(there & ~wanted))

    def _chosen(self, mask: int) -> Iterator[BlobStore]:
        return (store for number, store in enumerate(self.stores) if mask >> number & 1)

    # Where to look first

    def _first(self, digest: str, read: Callable[[BlobStore], T]) -> T:
        for store in self._order(digest):
            with suppress(BlobNotFound):
                found = read(store)
                self._remember(digest, store)
                return found
        raise not_found(hex_of(digest))

    def _order(self, digest: str) -> Iterator[BlobStore]:
        """All stores, the one where the blob was last time before the others; and once more.

        A collector may move it meanwhile, from one that was not asked yet to one that was; never to the last one asked.
        """
        hint = self._seen.get(digest)
        order = sorted(self.stores, key=lambda store: store is not hint)
        return iter((*order, *order[:-1]))

    def _remember(self, digest: str, store: BlobStore) -> None:
        with self._turn:
            self._seen[digest] = store
            self._seen.move_to_end(digest)
            while len(self._seen) > MOST_SEEN:
                self._seen.popitem(last=False)

    def _forget(self, digest: str) -> None:
        with self._turn:
            self._seen.pop(digest, None)


def _check_apart(stores: Sequence[BlobStore]) -> None:
    """See that what is put into one store is in no other: else a blob would be "in both", and its only copy removed.

    Two spellings of one host are enough for that, and nobody can tell from them. What is put there is removed again; if
    this process dies before that, it is collected as any bytes are that nobody registers.

    Raises:
        InvalidConfig: Two of them are one.
    """
    for number, store in enumerate(stores[:-1]):
        mark = store.put((secrets.token_bytes(32),)).digest
        try:
            twin = next((other for other in stores[number + 1 :] if other.stat(mark) is not None), None)
        finally:
            store.delete(mark)
        if twin is not None:
            raise InvalidConfig(
                f"storage.buckets: expected a place of its own for each address, but what is put into {store!r} is in "
                f"{twin!r} too; write both with the same address. No copy was removed"
            )


def _is_good(store: BlobStore, digest: str) -> bool:
    try:
        store.verify(digest, cached=False)
    except (BlobDamaged, BlobNotFound):
        return False
    return True


def _removed(store: BlobStore, digest: str) -> int:
    info = store.stat(digest)
    store.delete(digest)
    return 0 if info is None else info.size
