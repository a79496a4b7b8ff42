"""What every blob store has to keep: subclass, give a ``store`` fixture and two raw accesses, and run it with
pytest.

    class TestMine(BlobContract):
        @pytest.fixture
        def store(self): ...
        def raw_read(self, store, digest): ...          # around the store, so that its writes are tested
        def raw_write(self, store, digest, data): ...   # without its own reads, and the other way round

``SharedBlobContract`` adds what several processes may do at once to one store.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.domain.errors import (
    AlreadyExists,
    BlobDamaged,
    BlobNotFound,
    Conflict,
    InvalidInput,
    StorageError,
)
from modelyard.ports.blobs import BlobStore

MIB = 1 << 20
SMALL = b"forty-two bytes of weights, give or take.."
LARGE = bytes(range(256)) * (3 * MIB // 256) + b"tail"
ABSENT = "sha256:" + "0" * 64
MALFORMED = (
    "",
    "sha256:",
    "0" * 64,
    "sha1:" + "0" * 40,
    "sha256:" + "0" * 63,
    "sha256:" + "0" * 65,
    "sha256:" + "A" * 64,
    "SHA256:" + "a" * 64,
    "sha256:" + "g" * 64,
    "sha256:" + "a" * 64 + "\n",
    "sha256:../../" + "a" * 58,
    "sha256:" + "a" * 63 + "\u0661",
    "sha256:" + "a" * 62 + "/.",
)
# The store may be shared by examples and the test by subclasses: each law holds in any store, whatever is in
# it.
_FROM_FIXTURE = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


def digest(data: bytes) -> str:
    """The address of ``data``."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def in_pieces(data: bytes, size: int = 64 * 1024) -> Iterator[bytes]:
    """``data`` as a client would send it."""
    return (data[at : at + size] for at in range(0, len(data), size))


def flipped(data: bytes, at: int, mask: int = 1) -> bytes:
    """``data`` with a bit of byte ``at`` turned over."""
    changed = bytearray(data)
    changed[at] ^= mask
    return bytes(changed)


class BlobContract:
    """Laws of one store, used by one process."""

    @pytest.fixture
    def store(self) -> Iterator[BlobStore]:
        """An empty store."""
        raise NotImplementedError

    def raw_read(self, store: BlobStore, digest: str) -> bytes | None:
        """The bytes under a digest, read around the store; ``None`` if there are none."""
        raise NotImplementedError

    def raw_write(self, store: BlobStore, digest: str, data: bytes) -> None:
        """Put any bytes under a digest, around the store, as damage does."""
        raise NotImplementedError

    # Storing

    @pytest.mark.parametrize("data", [b"", b"x", SMALL, LARGE, LARGE[:MIB], LARGE[: MIB + 1]], ids=len)
    def test_what_is_put_is_there_whole_under_its_digest(self, store: BlobStore, data: bytes) -> None:
        info = store.put(in_pieces(data))
        assert (info.digest, info.size) == (digest(data), len(data))
        assert self.raw_read(store, info.digest) == data

    def test_the_time_of_a_blob_is_aware_utc_and_now(self, store: BlobStore) -> None:
        moment = store.put([SMALL]).modified_at
        assert moment.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)

    def test_a_put_may_be_repeated(self, store: BlobStore) -> None:
        first = store.put([SMALL])
        assert store.put(in_pieces(SMALL, 5)) == first
        assert store.put([LARGE]) == store.put(in_pieces(LARGE))
        assert sum(1 for _ in store.list()) == 2

    def test_how_bytes_are_cut_into_chunks_does_not_matter(self, store: BlobStore) -> None:
        cut = [b"", LARGE[:1], b"", LARGE[1 : 2 * MIB], LARGE[2 * MIB :], b""]
        assert store.put(cut).digest == store.put([LARGE]).digest == digest(LARGE)

    @pytest.mark.parametrize("data", [SMALL, LARGE], ids=len)
    def test_an_announced_digest_that_is_right_is_accepted_twice(self, store: BlobStore, data: bytes) -> None:
        for _ in range(2):
            assert store.put(in_pieces(data), expect=digest(data)).digest == digest(data)
        assert self.raw_read(store, digest(data)) == data

    @pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=len)
    def test_A12_a_wrong_announced_digest_leaves_nothing_behind(self, store: BlobStore, data: bytes) -> None:
        other = digest(b"something else")
        with pytest.raises(BlobDamaged) as caught:
            store.put(in_pieces(data), expect=other)
        assert caught.value.data == {"digest": other, "expected": other, "found": digest(data)}
        assert self.raw_read(store, other) is None
        assert self.raw_read(store, digest(data)) is None
        assert list(store.list()) == []
        assert store.sweep(older_than_seconds=0) == 0

    @pytest.mark.parametrize("data", [SMALL, LARGE], ids=len)
    def test_A12_other_bytes_for_a_stored_digest_are_refused_and_change_nothing(
        self, store: BlobStore, data: bytes
    ) -> None:
        store.put([data])
        with pytest.raises(BlobDamaged):
            store.put(in_pieces(flipped(data, 7)), expect=digest(data))
        assert self.raw_read(store, digest(data)) == data
        assert [info.digest for info in store.list()] == [digest(data)]

    @pytest.mark.parametrize("sent", [10, 2 * MIB])
    def test_an_upload_that_breaks_off_leaves_nothing_behind(self, store: BlobStore, sent: int) -> None:
        def chunks() -> Iterator[bytes]:
            yield LARGE[:sent]
            raise ConnectionError("the client went away")

        with pytest.raises(ConnectionError, match="went away"):
            store.put(chunks())
        assert list(store.list()) == []
        assert store.sweep(older_than_seconds=0) == 0

    def test_a_chunk_may_be_reused_by_its_owner_after_it_was_taken(self, store: BlobStore) -> None:
        def chunks() -> Iterator[bytes]:
            buffer = bytearray(2 * MIB)
            for number in range(4):
                buffer[:] = bytes([number]) * len(buffer)
                yield buffer  # type: ignore[misc]

        assert store.put(chunks()).digest == digest(b"".join(bytes([n]) * 2 * MIB for n in range(4)))

    @_FROM_FIXTURE
    @given(data=st.binary(max_size=4096), size=st.integers(1, 700))
    def test_any_bytes_come_back_as_they_went_in(self, store: BlobStore, data: bytes, size: int) -> None:
        """open(put(x)) == x, and the digest is the sha256 of x."""
        info = store.put(in_pieces(data, size))
        assert info.digest == digest(data)
        assert b"".join(store.open(info.digest)) == data

    # Files

    @pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=len)
    def test_a_file_is_stored_like_its_bytes(self, store: BlobStore, tmp_path: Path, data: bytes) -> None:
        source = tmp_path / "model.bin"
        source.write_bytes(data)
        seen: list[int] = []
        info = store.put_file(source, expect=digest(data), progress=seen.append)
        assert info == store.put([data])
        assert self.raw_read(store, info.digest) == data
        assert sum(seen) == len(data)
        assert source.read_bytes() == data

    def test_a_file_stored_again_is_not_stored_twice(self, store: BlobStore, tmp_path: Path) -> None:
        source = tmp_path / "model.bin"
        source.write_bytes(LARGE)
        seen: list[int] = []
        assert store.put_file(source) == store.put_file(source, progress=seen.append)
        assert sum(seen) == len(LARGE)
        assert len(list(store.list())) == 1

    @pytest.mark.parametrize("data", [SMALL, LARGE], ids=len)
    def test_a_file_with_another_digest_than_announced_is_refused(
        self, store: BlobStore, tmp_path: Path, data: bytes
    ) -> None:
        source = tmp_path / "model.bin"
        source.write_bytes(data)
        with pytest.raises(BlobDamaged):
            store.put_file(source, expect=ABSENT)
        assert list(store.list()) == []
        assert store.sweep(older_than_seconds=0) == 0

    def test_links_folders_and_pipes_are_not_files_to_store(self, store: BlobStore, tmp_path: Path) -> None:
        (tmp_path / "real").write_bytes(SMALL)
        (tmp_path / "link").symlink_to("real")
        os.mkfifo(tmp_path / "pipe")
        for name in ("link", "pipe", "."):
            with pytest.raises(InvalidInput, match="regular file"):
                store.put_file(tmp_path / name)
        with pytest.raises(StorageError, match="ENOENT"):
            store.put_file(tmp_path / "absent")
        assert list(store.list()) == []

    def test_a_source_that_grows_while_it_is_read_is_refused(self, store: BlobStore, tmp_path: Path) -> None:
        source = tmp_path / "model.bin"
        source.write_bytes(LARGE)

        def append(_: int) -> None:
            with source.open("ab") as file:
                file.write(b"more")

        with pytest.raises(StorageError, match="changed while it was read"):
            store.put_file(source, progress=append)
        assert list(store.list()) == []

    # Reading

    @pytest.mark.parametrize("data", [b"", SMALL, LARGE, LARGE[:MIB], LARGE[: 2 * MIB]], ids=len)
    def test_a_whole_read_gives_all_bytes_in_pieces_of_at_most_a_mebibyte(
        self, store: BlobStore, data: bytes
    ) -> None:
        self.raw_write(store, digest(data), data)
        pieces = list(store.open(digest(data)))
        assert b"".join(pieces) == data
        assert all(0 < len(piece) <= MIB for piece in pieces)

    def test_bytes_never_stored_are_not_found_at_the_call(self, store: BlobStore, tmp_path: Path) -> None:
        with pytest.raises(BlobNotFound) as caught:
            store.open(ABSENT)
        assert caught.value.data["digest"] == ABSENT
        with pytest.raises(BlobNotFound):
            store.open(ABSENT, start=1, length=1)
        with pytest.raises(BlobNotFound):
            store.verify(ABSENT)
        with pytest.raises(BlobNotFound):
            store.materialise(ABSENT, tmp_path / "copy")
        assert store.stat(ABSENT) is None
        assert store.location(ABSENT) is None
        assert list(tmp_path.iterdir()) == []

    @_FROM_FIXTURE
    @given(start=st.integers(0, len(LARGE) + 9), length=st.none() | st.integers(0, len(LARGE) + 9))
    def test_a_range_is_the_slice_of_the_whole(
        self, store: BlobStore, start: int, length: int | None
    ) -> None:
        """open(d, start=s, length=n) == data[s : s + n], also past the end."""
        found = b"".join(store.open(store.put([LARGE]).digest, start=start, length=length))
        assert found == LARGE[start:][:length]

    @pytest.mark.parametrize(("start", "length"), [(-1, None), (0, -1), (-5, 3)])
    def test_a_range_that_counts_backwards_is_refused(
        self, store: BlobStore, start: int, length: int | None
    ) -> None:
        store.put([SMALL])
        with pytest.raises(InvalidInput):
            store.open(digest(SMALL), start=start, length=length)

    @pytest.mark.parametrize("at", [0, MIB, len(LARGE) - 1])
    def test_F9_damaged_bytes_raise_before_the_last_piece_is_given(self, store: BlobStore, at: int) -> None:
        store.put([LARGE])
        self.raw_write(store, digest(LARGE), flipped(LARGE, at))
        got: list[bytes] = []
        with pytest.raises(BlobDamaged) as caught:
            got.extend(store.open(digest(LARGE)))
        assert caught.value.data["found"] == digest(flipped(LARGE, at))
        assert sum(map(len, got)) <= len(LARGE) // MIB * MIB

    def test_F9_a_damaged_blob_of_one_piece_gives_no_byte(self, store: BlobStore) -> None:
        self.raw_write(store, digest(SMALL), flipped(SMALL, 3))
        with pytest.raises(BlobDamaged):
            next(store.open(digest(SMALL)))

    @pytest.mark.parametrize("length", [0, 1, MIB, len(LARGE) - 1])
    def test_F10_truncated_bytes_are_damaged_however_they_are_read(
        self, store: BlobStore, tmp_path: Path, length: int
    ) -> None:
        store.put([LARGE])
        self.raw_write(store, digest(LARGE), LARGE[:length])
        with pytest.raises(BlobDamaged):
            list(store.open(digest(LARGE)))
        with pytest.raises(BlobDamaged):
            store.verify(digest(LARGE))
        with pytest.raises(BlobDamaged):
            store.materialise(digest(LARGE), tmp_path / "copy")
        assert list(tmp_path.iterdir()) == []

    def test_a_read_may_be_left_before_its_end(self, store: BlobStore) -> None:
        store.put([LARGE])
        reading = store.open(digest(LARGE))
        assert next(reading) == LARGE[:MIB]
        del reading
        assert b"".join(store.open(digest(LARGE))) == LARGE

    def test_stat_tells_size_without_judging_the_bytes(self, store: BlobStore) -> None:
        stored = store.put([SMALL])
        assert store.stat(stored.digest) == stored
        self.raw_write(store, stored.digest, flipped(SMALL, 0))
        found = store.stat(stored.digest)
        assert found is not None
        assert found.size == len(SMALL)

    def test_list_names_every_blob_once(self, store: BlobStore) -> None:
        stored = {store.put([bytes([number])]) for number in range(40)}
        assert sorted(store.list(), key=str) == sorted(stored, key=str)

    # Checking

    def test_verify_accepts_what_was_put_however_it_is_asked(self, store: BlobStore) -> None:
        store.put([LARGE])
        store.verify(digest(LARGE))
        store.verify(digest(LARGE), cached=False)

    @pytest.mark.parametrize("cached", [True, False])
    def test_F9_verify_finds_a_flipped_bit_in_a_blob_that_was_good_before(
        self, store: BlobStore, cached: bool
    ) -> None:
        store.put([LARGE])
        store.verify(digest(LARGE))
        self.raw_write(store, digest(LARGE), flipped(LARGE, MIB + 1))
        for _ in range(2):  # A damaged blob is never remembered as good.
            with pytest.raises(BlobDamaged):
                store.verify(digest(LARGE), cached=cached)

    # Copies

    @pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=len)
    def test_a_copy_is_whole_private_and_writable(
        self, store: BlobStore, tmp_path: Path, data: bytes
    ) -> None:
        store.put([data])
        seen: list[int] = []
        store.materialise(digest(data), tmp_path / "copy", progress=seen.append)
        assert (tmp_path / "copy").read_bytes() == data
        assert sum(seen) == len(data)
        with (tmp_path / "copy").open("r+b") as copied:
            copied.write(b"changed by its owner")
        assert self.raw_read(store, digest(data)) == data
        assert [path.name for path in tmp_path.iterdir()] == ["copy"]

    @pytest.mark.parametrize("data", [SMALL, LARGE], ids=len)
    def test_a_copy_of_bytes_that_were_never_verified_is_whole(
        self, store: BlobStore, tmp_path: Path, data: bytes
    ) -> None:
        self.raw_write(store, digest(data), data)
        store.materialise(digest(data), tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == data

    @pytest.mark.parametrize("data", [SMALL, LARGE], ids=len)
    def test_no_copy_is_made_of_damaged_bytes(self, store: BlobStore, tmp_path: Path, data: bytes) -> None:
        store.put([data])
        self.raw_write(store, digest(data), flipped(data, len(data) - 1))
        with pytest.raises(BlobDamaged):
            store.materialise(digest(data), tmp_path / "copy")
        assert list(tmp_path.iterdir()) == []

    def test_a_copy_never_replaces_what_is_there(self, store: BlobStore, tmp_path: Path) -> None:
        store.put([SMALL])
        (tmp_path / "file").write_bytes(b"mine")
        (tmp_path / "link").symlink_to("nowhere")
        for name in ("file", "link"):
            with pytest.raises(AlreadyExists):
                store.materialise(digest(SMALL), tmp_path / name)
        assert (tmp_path / "file").read_bytes() == b"mine"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]

    def test_a_copy_into_a_folder_that_is_missing_is_a_clear_error(
        self, store: BlobStore, tmp_path: Path
    ) -> None:
        store.put([SMALL])
        with pytest.raises(StorageError, match="ENOENT"):
            store.materialise(digest(SMALL), tmp_path / "absent" / "copy")

    def test_a_location_holds_exactly_the_bytes(self, store: BlobStore) -> None:
        store.put([SMALL])
        place = store.location(digest(SMALL))
        assert place is None or place.read_bytes() == SMALL

    # Removing

    def test_a_deleted_blob_is_gone_and_can_be_stored_again(self, store: BlobStore) -> None:
        store.put([LARGE])
        store.delete(digest(LARGE))
        assert self.raw_read(store, digest(LARGE)) is None
        assert store.stat(digest(LARGE)) is None
        store.delete(digest(LARGE))
        store.put([LARGE])
        assert b"".join(store.open(digest(LARGE))) == LARGE

    def test_quarantined_bytes_are_out_of_the_way_and_the_digest_can_be_stored_again(
        self, store: BlobStore
    ) -> None:
        store.put([SMALL])
        self.raw_write(store, digest(SMALL), flipped(SMALL, 1))
        store.quarantine(digest(SMALL))
        assert store.stat(digest(SMALL)) is None
        store.quarantine(digest(SMALL))
        store.put([SMALL])
        store.verify(digest(SMALL), cached=False)

    @pytest.mark.parametrize("bad", [b"", SMALL[:-1], flipped(SMALL, 5)], ids=["empty", "short", "flipped"])
    def test_a_put_over_damaged_bytes_heals_them(self, store: BlobStore, bad: bytes) -> None:
        store.put([SMALL])
        self.raw_write(store, digest(SMALL), bad)
        store.put([SMALL])
        assert self.raw_read(store, digest(SMALL)) == SMALL

    def test_two_collectors_never_work_at_once(self, store: BlobStore) -> None:
        for _ in range(2):
            with store.collecting():
                with pytest.raises(Conflict, match="collection is running"), store.collecting():
                    pytest.fail("a second collector was let in")
                store.put([SMALL])  # Only collectors keep each other out.
                store.delete(digest(SMALL))

    # Addresses

    @pytest.mark.parametrize("bad", MALFORMED)
    def test_A12_a_malformed_digest_is_refused_by_every_method(
        self, store: BlobStore, tmp_path: Path, bad: str
    ) -> None:
        (tmp_path / "source").write_bytes(SMALL)
        calls: list[Callable[[], object]] = [
            lambda: store.put([SMALL], expect=bad),
            lambda: store.put_file(tmp_path / "source", expect=bad),
            lambda: store.open(bad) and list(store.open(bad)),
            lambda: store.stat(bad),
            lambda: store.delete(bad),
            lambda: store.presign(bad, seconds=60),
            lambda: store.location(bad),
            lambda: store.verify(bad),
            lambda: store.materialise(bad, tmp_path / "copy"),
            lambda: store.quarantine(bad),
        ]
        for call in calls:
            with pytest.raises(InvalidInput):
                call()
        assert list(store.list()) == []

    # Threads

    @pytest.mark.parametrize("data", [SMALL, LARGE], ids=len)
    def test_eight_threads_may_put_the_same_bytes_at_once(self, store: BlobStore, data: bytes) -> None:
        with ThreadPoolExecutor(8) as pool:
            found = set(pool.map(lambda _: store.put(in_pieces(data)).digest, range(24)))
        assert found == {digest(data)}
        assert self.raw_read(store, digest(data)) == data
        assert len(list(store.list())) == 1

    def test_eight_threads_may_put_and_read_different_bytes_at_once(self, store: BlobStore) -> None:
        def round_trip(number: int) -> bool:
            data = number.to_bytes(4) * 1000
            return b"".join(store.open(store.put([data]).digest)) == data

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(round_trip, range(80)))
        assert len(list(store.list())) == 80

    def test_I9_readers_beside_writers_and_deleters_see_whole_bytes_or_none(self, store: BlobStore) -> None:
        def churn(number: int) -> None:
            for _ in range(15):
                if number % 4 == 0:
                    store.delete(digest(LARGE))
                elif number % 4 == 1:
                    store.put(in_pieces(LARGE, MIB))
                else:
                    _read_whole_or_none(store, digest(LARGE), LARGE)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(churn, range(8)))


def _read_whole_or_none(store: BlobStore, name: str, data: bytes) -> None:
    try:
        assert b"".join(store.open(name)) == data
    except BlobNotFound:
        return


class SharedBlobContract(BlobContract):
    """Laws of a store that several processes may open."""

    def opener(self, store: BlobStore) -> Callable[[], BlobStore]:
        """Something picklable that opens the same store in another process."""
        raise NotImplementedError

    @pytest.mark.parametrize("data", [SMALL, LARGE], ids=len)
    def test_F22_processes_that_put_the_same_bytes_leave_one_blob(
        self, store: BlobStore, data: bytes
    ) -> None:
        with ProcessPoolExecutor(8, multiprocessing.get_context("spawn")) as pool:
            work = [pool.submit(_put_often, self.opener(store), data, 5) for _ in range(8)]
            assert {name for each in work for name in each.result()} == {digest(data)}
        assert self.raw_read(store, digest(data)) == data
        assert len(list(store.list())) == 1
        assert store.sweep(older_than_seconds=0) == 0

    def test_what_another_process_put_is_seen_at_once(self, store: BlobStore) -> None:
        assert store.stat(digest(SMALL)) is None
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            pool.submit(_put_often, self.opener(store), SMALL, 1).result()
        store.verify(digest(SMALL))
        with tempfile.TemporaryDirectory() as folder:
            store.materialise(digest(SMALL), Path(folder, "copy"))
            assert Path(folder, "copy").read_bytes() == SMALL

    def test_a_collector_in_another_process_keeps_ours_out_until_it_dies(self, store: BlobStore) -> None:
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=_collect_until_killed, args=(self.opener(store), theirs))
        process.start()
        try:
            assert ours.recv() == "collecting"
            with pytest.raises(Conflict), store.collecting():
                pytest.fail("a second collector was let in")
        finally:
            process.kill()
            process.join()
        with store.collecting():
            assert list(store.list()) == []


def _collect_until_killed(opener: Callable[[], BlobStore], pipe: Connection) -> None:
    with opener().collecting():
        pipe.send("collecting")
        pipe.recv()


def _put_often(opener: Callable[[], BlobStore], data: bytes, times: int) -> list[str]:
    store = opener()
    return [store.put(in_pieces(data)).digest for _ in range(times)]
