"""Bytes of different models in different places: read from wherever they are, tidied without ever losing the last."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.adapters.blobs.local import LocalBlobs
from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.adapters.blobs.rooms import MOST_SEEN, Rooms
from modelyard.domain.errors import BlobDamaged, BlobNotFound, InvalidConfig
from modelyard.ports.blobs import Housing

ABSENT = "sha256:" + "0" * 64
NAMES = ("fraud", "risk/a", "risk/b", "churn/eu")


def rooms() -> Rooms:
    risk, europe = MemoryBlobs(), MemoryBlobs()
    return Rooms(MemoryBlobs(), [("Risk/a", risk), ("*/EU", europe), ("risk/*", risk)])


def where(store: Rooms, digest: str) -> set[int]:
    """Numbers of the stores that have a blob."""
    return {number for number, each in enumerate(store.stores) if each.stat(digest) is not None}


def damage(store: MemoryBlobs, digest: str) -> None:
    store._kept[digest.removeprefix("sha256:")] = (b"other", datetime.now(UTC))


def test_the_first_rule_that_matches_counts_and_case_does_not():
    store = rooms()
    assert len(store.stores) == 3
    assert [store.stores.index(store.room_of(name)) for name in NAMES] == [0, 1, 1, 2]
    assert isinstance(store, Housing)
    assert not isinstance(store.main, Housing)


def test_bytes_arrive_in_the_main_store_and_are_copied_to_their_models_room():
    store = rooms()
    digest = store.put([b"bytes"]).digest
    assert where(store, digest) == {0}
    for model, found in (("fraud", {0}), ("risk/a", {0, 1}), ("risk/b", {0, 1}), ("churn/eu", {0, 1, 2})):
        store.house(digest, model)
        assert where(store, digest) == found
    assert [info.digest for info in store.list()] == [digest]


def test_bytes_that_are_nowhere_cannot_be_housed():
    with pytest.raises(BlobNotFound):
        rooms().house(ABSENT, "risk/a")


def test_bytes_are_read_from_whichever_store_has_them(tmp_path):
    store = rooms()
    digest = store.put([b"bytes"]).digest
    store.house(digest, "churn/eu")
    store.main.delete(digest)
    for _ in range(2):
        assert b"".join(store.open(digest, start=1, length=2)) == b"yt"
        assert store.stat(digest).size == 5
    store.verify(digest)
    store.materialise(digest, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"bytes"
    assert store.presign(digest, seconds=9) is store.location(digest) is None
    store.delete(digest)
    assert where(store, digest) == set()
    for read in (store.open, store.verify, lambda d: store.materialise(d, tmp_path / "none")):
        with pytest.raises(BlobNotFound):
            read(digest)
    assert store.presign(digest, seconds=9) is None


def test_a_file_that_a_room_has_is_found_in_it(tmp_path):
    store = Rooms(LocalBlobs(tmp_path / "main"), [("risk/*", LocalBlobs(tmp_path / "risk"))])
    (tmp_path / "file").write_bytes(b"bytes")
    digest = store.put_file(tmp_path / "file").digest
    store.house(digest, "risk/a")
    with store.collecting():
        assert store.tidy(lambda _: ("risk/a",)) == 5
    assert store.location(digest).is_relative_to(tmp_path / "risk")
    assert store.sweep(older_than_seconds=0) == 0
    store.close()


def test_only_the_damaged_copy_is_put_aside_if_there_is_a_good_one():
    store = rooms()
    digest = store.put([b"bytes"]).digest
    store.house(digest, "risk/a")
    damage(store.stores[1], digest)
    with pytest.raises(BlobDamaged):
        store.verify(digest, cached=False)
    store.quarantine(digest)
    assert where(store, digest) == {0}
    store.verify(digest, cached=False)
    store.quarantine(digest)
    assert where(store, digest) == set()


def test_what_no_model_has_stays_where_it_is():
    store = rooms()
    digest = store.put([b"bytes"]).digest
    store.house(digest, "risk/a")
    assert store.tidy(lambda _: ()) == 0
    assert where(store, digest) == {0, 1}


def test_a_copy_is_kept_until_all_that_are_wanted_are_seen():
    """A store that says it took a copy and has none must not cost the one that there is."""
    store = Rooms(MemoryBlobs(), [("risk/*", MemoryBlobs())], carry=lambda *_: None)
    digest = store.put([b"bytes"]).digest
    assert store.tidy(lambda _: ("risk/a",)) == 0
    assert where(store, digest) == {0}


def test_one_store_under_two_addresses_is_told_before_anything_is_removed(tmp_path):
    """A blob would be seen in both, and removing one copy would remove the only one."""
    same = [LocalBlobs(tmp_path / "same") for _ in range(2)]
    store = Rooms(MemoryBlobs(), [("risk/*", same[0]), ("fraud", same[1])])
    digest = store.put([b"bytes"]).digest
    store.house(digest, "risk/a")
    with pytest.raises(InvalidConfig, match="the same address"):
        store.tidy(lambda _: ("risk/a",))
    assert where(store, digest) == {0, 1, 2}
    assert [info.digest for info in store.list()] == [digest]


def test_a_place_that_is_left_is_emptied_as_long_as_a_rule_names_it():
    """The rule is for no model: no name has a ``=``."""
    main, old, new = MemoryBlobs(), MemoryBlobs(), MemoryBlobs()
    digest = old.put([b"bytes"]).digest
    store = Rooms(main, [("risk/*", new), ("=left", old)])
    assert b"".join(store.open(digest)) == b"bytes"
    assert store.tidy(lambda _: ("risk/a",)) == 5
    assert where(store, digest) == {1}


class Moving(MemoryBlobs):
    """Somebody moves the blob that it has to another store as soon as it is asked for it here."""

    def __init__(self, target: MemoryBlobs) -> None:
        super().__init__()
        self.target = target

    def _move(self, digest: str) -> None:
        if super().stat(digest) is not None:
            self.target.put(super().open(digest))
            self.delete(digest)

    def stat(self, digest):
        self._move(digest)
        return super().stat(digest)

    def open(self, digest, **given):
        self._move(digest)
        return super().open(digest, **given)

    def verify(self, digest, **given):
        self._move(digest)
        super().verify(digest, **given)


@pytest.mark.parametrize(
    "ask",
    [
        lambda store, digest: store.stat(digest),
        lambda store, digest: b"".join(store.open(digest)),
        lambda store, digest: store.verify(digest) is None,
        lambda store, digest: store.house(digest, "risk/a") is None,
    ],
    ids=["stat", "open", "verify", "house"],
)
def test_a_blob_that_is_moved_while_it_is_looked_for_is_found(ask):
    main = MemoryBlobs()
    moving = Moving(main)
    digest = moving.put([b"bytes"]).digest
    store = Rooms(main, [("eu/*", moving), ("risk/*", MemoryBlobs())])
    assert ask(store, digest)


def test_a_damaged_blob_is_left_alone_and_the_others_are_tidied():
    store = rooms()
    good, bad = (store.put([data]).digest for data in (b"good", b"bad"))
    damage(store.main, bad)
    store.tidy(lambda _: ("risk/a",))
    assert (where(store, good), where(store, bad)) == ({1}, {0})


def test_where_a_blob_was_is_remembered_for_a_bounded_number():
    store = rooms()
    for number in range(MOST_SEEN + 10):
        store._remember(f"{number}", store.main)
    assert len(store._seen) == MOST_SEEN


@given(
    blobs=st.lists(
        st.tuples(
            st.frozensets(st.integers(0, 2), min_size=1),
            st.frozensets(st.sampled_from(NAMES)),
        ),
        max_size=6,
    )
)
def test_tidying_leaves_a_copy_exactly_where_models_want_one_and_never_none(blobs):
    store, models, before = rooms(), {}, {}
    for number, (there, names) in enumerate(blobs):
        for place in there:
            digest = store.stores[place].put([b"%d" % number]).digest
        models[digest], before[digest] = names, set(there)
    size = sum(info.size for each in store.stores for info in each.list())
    freed = store.tidy(lambda digest: models[digest])
    for digest, names in models.items():
        wanted = {store.stores.index(store.room_of(name)) for name in names}
        assert where(store, digest) == (wanted or before[digest])
        store.verify(digest, cached=False)
    brought = sum(len(where(store, digest) - before[digest]) for digest in models)
    assert freed == size + brought - sum(info.size for each in store.stores for info in each.list())
    assert store.tidy(lambda digest: models[digest]) == 0
    with suppress(StopIteration):
        assert store.stat(next(iter(models))) is not None
