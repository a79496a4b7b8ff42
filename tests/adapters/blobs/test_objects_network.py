"""What a broken network does to an object store: nothing wrong is ever visible, and every wait has an end."""

from __future__ import annotations

import hashlib
import time
import uuid
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from tests.services.fault_proxy import Fault, proxying
from tests.services.seaweedfs import free_ports

from modelyard.adapters.blobs.object_leftovers import Leftovers
from modelyard.adapters.blobs.object_place import Patience
from modelyard.adapters.blobs.objectstore import ObjectBlobs
from modelyard.domain.errors import BlobDamaged, StorageError, Unreachable

MIB = 1 << 20
DATA = hashlib.shake_256(b"weights").digest(12 * MIB)
SMALL = b"forty-two bytes"
QUICK = Patience(connect=1, silence=1, tries=5, budget=8)


def digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture
def proxy(seaweedfs):
    parts = urlsplit(seaweedfs.endpoint)
    with proxying(parts.hostname, parts.port) as proxy:
        yield proxy


@pytest.fixture
def direct(seaweedfs):
    """The same store without the proxy."""
    return ObjectBlobs(replace(seaweedfs, prefix=uuid.uuid4().hex), small=MIB)


@pytest.fixture
def store(direct, proxy):
    place = replace(direct.place, endpoint=f"http://127.0.0.1:{proxy.port}", patience=QUICK)
    return ObjectBlobs(place, small=MIB)


def break_once(proxy, **fault):
    """From the next connection on."""
    proxy.fault = Fault(**fault)
    proxy.cut()


FAULTS_UP = [
    {"kind": "refuse", "times": 2},
    {"kind": "503", "times": 2},
    {"kind": "cut", "up": True, "after": MIB},
    {"kind": "stall", "up": True, "after": MIB},
    {"kind": "cut", "after": 10},
]
ids = [" ".join(map(str, fault.values())) for fault in FAULTS_UP]


@pytest.mark.parametrize("fault", FAULTS_UP, ids=ids)
def test_F20_an_upload_survives_a_connection_that_breaks_once(store, direct, proxy, fault):
    break_once(proxy, **fault)
    assert store.put((DATA,), expect=digest(DATA)).size == len(DATA)
    assert proxy.hits >= 1
    direct.verify(digest(DATA), cached=False)


@pytest.mark.parametrize("kind", ["refuse", "503"])
@pytest.mark.parametrize("data", [SMALL, DATA], ids=len)
def test_F20_a_store_that_stays_away_is_given_up_after_five_tries_with_a_clear_error(
    store, direct, proxy, kind, data
):
    break_once(proxy, kind=kind, times=1000)
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"S3 bucket 'reg' at http://127.*then try again"):
        store.put((data,), expect=digest(data))
    assert time.monotonic() - began < 20
    tried = proxy.hits
    proxy.fault = None
    assert direct.stat(digest(data)) is None
    # A refused connection is also tried again by whoever makes connections, for each address of the host.
    # Of a large one, it is asked what is under way before and after, and whether it arrived after all.
    assert kind == "refuse" or tried <= (12 if data is DATA else 5)


def test_F20_a_store_that_nobody_listens_for_is_unreachable(direct):
    (free_port,) = free_ports(1)
    place = replace(direct.place, endpoint=f"http://127.0.0.1:{free_port}", patience=QUICK)
    store = ObjectBlobs(place)
    for call in (
        lambda: store.stat(digest(SMALL)),
        lambda: store.open(digest(SMALL)),
        lambda: list(store.list()),
    ):
        with pytest.raises(Unreachable, match="check the endpoint"):
            call()


@pytest.mark.parametrize("kind", ["cut", "stall"])
def test_F20_a_download_goes_on_where_it_broke(store, direct, proxy, kind):
    direct.put((DATA,))
    break_once(proxy, kind=kind, after=MIB + 7)
    assert b"".join(store.open(digest(DATA))) == DATA
    break_once(proxy, kind=kind, after=MIB + 7)
    assert b"".join(store.open(digest(DATA), start=5, length=4 * MIB)) == DATA[5 : 5 + 4 * MIB]
    assert proxy.hits == 2


def test_F20_a_download_that_breaks_again_and_again_without_progress_ends_in_an_error(store, direct, proxy):
    direct.put((DATA,))
    break_once(proxy, kind="cut", after=2 * MIB)
    pieces = store.open(digest(DATA))
    got = [next(pieces)]
    proxy.fault = Fault(kind="refuse", times=10**6)
    proxy.cut()
    with pytest.raises(Unreachable):
        got.extend(pieces)
    assert DATA.startswith(b"".join(got))


def test_F20_a_bit_that_turns_over_on_the_way_down_is_found(store, direct, proxy, tmp_path):
    direct.put((DATA,))
    for use in (
        lambda: list(store.open(digest(DATA))),
        lambda: store.materialise(digest(DATA), tmp_path / "copy"),
        lambda: store.verify(digest(DATA), cached=False),
    ):
        break_once(proxy, kind="flip", after=3 * MIB)
        with pytest.raises(BlobDamaged):
            use()
    assert list(tmp_path.iterdir()) == []
    direct.verify(digest(DATA), cached=False)


@pytest.mark.parametrize("data", [DATA, DATA[: 1000 * 1000]], ids=len)
def test_F20_a_bit_that_turns_over_on_the_way_up_never_becomes_a_blob(store, direct, proxy, data):
    break_once(proxy, kind="flip", up=True, after=len(data) // 2, times=1)
    try:
        store.put((data,), expect=digest(data))
    except StorageError:
        assert direct.stat(digest(data)) is None
    else:
        direct.verify(digest(data), cached=False)
    assert proxy.hits == 1


@pytest.mark.parametrize(
    ("data", "when"),
    [(SMALL, b"PUT /"), (DATA, b"partNumber=2"), (DATA, b"<CompleteMultipartUpload")],
    ids=["small", "a part", "the end"],
)
def test_F20_an_answer_that_is_lost_after_the_work_was_done_changes_nothing(store, direct, proxy, data, when):
    break_once(proxy, kind="drop", when=when)
    assert store.put((data,), expect=digest(data)).size == len(data)
    assert proxy.hits == 1
    assert [info.digest for info in direct.list()] == [digest(data)]
    direct.verify(digest(data), cached=False)


def test_a_source_that_breaks_off_leaves_no_parts_in_the_bucket(direct):
    def chunks():
        yield DATA
        raise RuntimeError("the client went away")

    with pytest.raises(RuntimeError, match="went away"):
        direct.put(chunks(), expect=digest(DATA))
    with pytest.raises(BlobDamaged):
        direct.put((DATA, b"more"), expect=digest(DATA))
    assert list(Leftovers(direct.place).below("")) == []
    assert list(direct.list()) == []


def test_an_upload_of_somebody_else_to_the_same_key_is_left_alone(direct):
    """Announcing a wrong digest must not stop those who announce the right one."""
    import threading

    begun, go = threading.Event(), threading.Event()

    def slow():
        yield DATA
        begun.set()
        go.wait(10)
        yield b"the end"

    whole = DATA + b"the end"
    honest = threading.Thread(target=direct.put, args=(slow(),), kwargs={"expect": digest(whole)})
    honest.start()
    assert begun.wait(10)
    with pytest.raises(BlobDamaged):
        direct.put((DATA, b"something else"), expect=digest(whole))
    go.set()
    honest.join()
    direct.verify(digest(whole), cached=False)
    assert list(Leftovers(direct.place).below("")) == []
