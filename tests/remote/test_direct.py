"""Bytes from where the server sends one: nothing of the caller's goes there, and there is always a way back."""

from __future__ import annotations

from contextlib import closing

import pytest

from modelyard.domain.errors import BlobDamaged
from modelyard.remote import blobs, downloads, patience, ranges
from modelyard.remote.advance import Advance
from modelyard.remote.direct import is_safe
from modelyard.remote.lines import opened, origin, target

from .elsewhere import storing

MIB = 2**20


IN_RANGES, IN_ONE_GO = 1, 2**40
BOTH = pytest.mark.parametrize("small", [IN_RANGES, IN_ONE_GO], indirect=True, ids=["ranges", "one go"])


@pytest.fixture(autouse=True)
def small(monkeypatch, request):
    """Ranges of 1 MiB or none, and no pauses to speak of."""
    worth = getattr(request, "param", IN_RANGES)
    monkeypatch.setattr(downloads, "WORTH", worth)
    monkeypatch.setattr(ranges, "RANGE", MIB)
    monkeypatch.setattr(blobs, "FAST", 1e18)  # nothing is: several connections, here too
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.001)
    return worth


@pytest.fixture
def kept(server, large):
    return server.service.put_file(large).digest


@pytest.fixture
def store(server, large):
    with storing(large.read_bytes()) as found:
        server.link = found.sign
        yield found


def fetched(service, digest, large):
    """What arrives, and how many bytes of it were reported."""
    told = []
    service.materialise(digest, large.with_name("copy"), told.append)
    return large.with_name("copy").read_bytes(), sum(told)


@BOTH
def test_what_is_large_comes_from_the_store_and_nothing_of_the_caller_goes_there(store, client, large, kept):
    data, told = fetched(client("secret-token"), kept, large)
    assert (data, told) == (large.read_bytes(), large.stat().st_size)
    assert store.seen
    for headers in store.seen:
        assert set(headers) <= {"host", "user-agent", "accept-encoding", "range"}
        assert "secret-token" not in repr(headers)


@BOTH
def test_an_address_is_used_again_as_long_as_it_is_good(server, store, client, large, kept, small):
    fetched(client(), kept, large)
    assert len(store.good) <= (ranges.WAYS if small == IN_RANGES else 1)


@BOTH
def test_an_address_that_ended_is_asked_for_anew(server, store, client, large, kept):
    store.uses = 1
    data, told = fetched(client(), kept, large)
    assert (data, told) == (large.read_bytes(), large.stat().st_size)
    assert all(left == 0 for left in store.good.values())


def test_a_store_that_refuses_what_was_just_signed_is_left_out(server, store, client, large, kept):
    store.uses = 0
    data, told = fetched(client(), kept, large)
    assert (data, told) == (large.read_bytes(), large.stat().st_size)


@BOTH
@pytest.mark.parametrize("odd", ["chunked", "page"])
def test_an_answer_of_another_length_than_asked_for_is_somebody_elses(
    server, store, client, large, kept, odd
):
    store.odd = odd
    data, told = fetched(client(), kept, large)
    assert (data, told) == (large.read_bytes(), large.stat().st_size)
    assert store.seen


def test_bytes_of_unknown_length_are_taken_for_a_broken_connection(store, kept):
    store.odd, link = "chunked", store.sign(kept)
    with closing(opened(link, 60.0)) as line:
        line.request("GET", target(link))
        with pytest.raises(ConnectionError, match="how many"):
            next(downloads._pieces(line.getresponse(), 0, Advance(None)))


@pytest.mark.parametrize(
    "link", ["http://127.0.0.1:1/x", "ftp://127.0.0.1/x", "http://127.0.0.1:1/\xe9", "http://127.0.0.1:1/a b"]
)
def test_an_address_that_leads_nowhere_is_not_the_end(server, client, large, kept, link):
    server.link = lambda digest: link
    data, told = fetched(client(), kept, large)
    assert (data, told) == (large.read_bytes(), large.stat().st_size)


def test_nobody_is_sent_on_from_there(server, store, client, large, kept):
    with storing(b"somebody else's") as other:
        store.moved = other.sign(kept)
        data, _ = fetched(client(), kept, large)
        assert data == large.read_bytes()
        assert other.seen == []


def test_other_bytes_than_asked_for_never_get_into_the_cache(store, client, large, kept):
    store.data = bytes(len(store.data))
    service = client()
    with pytest.raises(BlobDamaged):
        fetched(service, kept, large)
    assert service.location(kept) is None
    assert not large.with_name("copy").exists()


def test_little_is_asked_of_the_server_alone(server, store, client, large, kept):
    service = client()
    assert b"".join(service.open_blob(kept, start=5, length=100)) == large.read_bytes()[5:105]
    assert store.seen == []


@pytest.mark.parametrize(
    ("url", "port"),
    [("http://[fd00::12]/x", 80), ("https://[fd00::12]", 443), ("http://[fd00::12]:9000/x", 9000)],
)
def test_an_address_of_six_needs_no_port(url, port):
    line = opened(url, 1.0)
    assert (line.host, line.port) == ("fd00::12", port)
    assert origin(url) == (url.partition(":")[0], "fd00::12", port)


@pytest.mark.parametrize(
    ("link", "server", "safe"),
    [
        ("https://store/x?y", "https://models", True),
        ("https://store/x?y", "http://models", True),
        ("http://store/x?y", "http://models", True),
        ("http://store/x?y", "https://models", False),
        ("file:///etc/passwd", "http://models", False),
        ("https://user:word@store/x", "https://models", False),
        ("https:///x", "https://models", False),
        ("https://store:x/x", "https://models", False),
        ("//store/x", "https://models", False),
        ("http://[::1/x", "http://models", False),
        ("/here", "http://models", False),
        ("", "http://models", False),
    ],
)
def test_one_is_never_sent_where_it_is_less_safe(link, server, safe):
    assert is_safe(link, server) is safe
