"""Large downloads over several connections at once: the same bytes, whatever breaks, in bounded memory."""

from __future__ import annotations

import os
import threading
from contextlib import closing

import pytest

from modelyard.domain.errors import BlobDamaged, ModelyardWarning, Unreachable
from modelyard.remote import blobs, downloads, patience, ranges
from modelyard.remote.ranges import AHEAD, Ranges
from modelyard.remote.transport import TRIES

from .away import Away, give_up_at_once

MIB = 2**20


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Ranges of 1 MiB from the first on, and no pauses to speak of."""
    monkeypatch.setattr(downloads, "WORTH", 1)
    monkeypatch.setattr(ranges, "RANGE", MIB)
    monkeypatch.setattr(blobs, "FAST", 1e18)  # nothing is: several connections, here too
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.001)


@pytest.fixture
def kept(server, large):
    return server.service.put_file(large).digest


@pytest.fixture
def gets(server):
    """The ``Range`` of each GET."""
    found, plain = [], server.watched

    async def noted(scope, receive, send):
        if scope["method"] == "GET":
            found.append(dict(scope["headers"]).get(b"range", b"").decode())
        await plain(scope, receive, send)

    server.watched = noted
    server.stop()
    server.start()
    return found


def threads():
    return [each for each in threading.enumerate() if each.name.startswith("modelyard-range")]


def test_each_range_is_asked_for_once_and_every_byte_counted_once(gets, client, large, kept):
    told = []
    client().materialise(kept, large.with_name("copy"), told.append)
    assert large.with_name("copy").read_bytes() == large.read_bytes()
    assert sum(told) == large.stat().st_size
    first, *others = gets
    assert first == f"bytes=0-{8 * MIB - 1}"
    assert sorted(others) == sorted(f"bytes={n * MIB}-{(n + 1) * MIB - 1}" for n in range(8, 20))
    assert threads() == []


@pytest.mark.parametrize("odd", [1, MIB, 7 * MIB + 3])
def test_sizes_that_are_no_multiple_of_a_range_arrive_too(server, client, tmp_path, odd):
    data = os.urandom(8 * MIB + odd)
    digest = server.service.put_blob([data]).digest
    client().materialise(digest, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data


@pytest.mark.parametrize("after", [0, 10_000, 13 * MIB])
def test_a_connection_that_breaks_costs_no_byte_that_had_arrived(server, client, large, kept, after):
    server.break_after = after
    told = []
    client().materialise(kept, large.with_name("copy"), told.append)
    assert large.with_name("copy").read_bytes() == large.read_bytes()
    assert sum(told) == large.stat().st_size


def test_what_is_in_memory_is_bounded_however_slowly_it_is_taken(gets, server, client, large, kept):
    coming = Ranges(client().transport, f"/api/v1/blobs/{kept}", 0, large.stat().st_size)
    taken, data = 0, large.read_bytes()
    with closing(iter(coming)) as pieces:
        for piece in pieces:
            assert bytes(piece) == data[taken * MIB : (taken + 1) * MIB]
            taken += 1
            assert len(gets) <= taken - 1 + AHEAD
    assert taken == 20


def test_who_stops_taking_leaves_no_thread_behind(client, large, kept):
    coming = Ranges(client().transport, f"/api/v1/blobs/{kept}", 0, large.stat().st_size)
    with closing(iter(coming)) as pieces:
        next(pieces)
        assert threads()
    assert threads() == []


def test_another_run_asks_only_for_what_is_missing(gets, client, large, kept):
    arriving = client()._blobs._arriving
    arriving.append(kept, arriving.begin(kept).upload, 0, (large.read_bytes()[: 15 * MIB],))
    told = []
    client().materialise(kept, large.with_name("copy"), told.append)
    assert large.with_name("copy").read_bytes() == large.read_bytes()
    assert len(gets) == 5
    assert sum(told) == large.stat().st_size


def test_what_arrived_before_the_server_went_stays_for_the_next_run(server, client, large, kept, monkeypatch):
    with monkeypatch.context() as patch:
        give_up_at_once(patch)
        service = client()

        def stop(count):
            if server.server.should_exit is False:
                server.server.should_exit = True
                server.server.force_exit = True
                server.thread.join()
                server.listening.close()

        with pytest.raises(Unreachable):
            service.materialise(kept, large.with_name("copy"), stop)
    (part,) = service._blobs._arriving.held(kept)
    assert part.size >= 8 * MIB
    assert threads() == []
    server.start()
    client().materialise(kept, large.with_name("copy"))
    assert large.with_name("copy").read_bytes() == large.read_bytes()


@pytest.mark.parametrize("worth", [1, 2**40], ids=["ranges", "one go"])
def test_a_server_that_was_away_for_long_is_gone_on_with(server, client, large, kept, monkeypatch, worth):
    monkeypatch.setattr(downloads, "WORTH", worth)
    away, told = Away(monkeypatch, server, downloads), []

    def follow(count):
        told.append(count)
        away.leave()

    with pytest.warns(ModelyardWarning, match=f"again for up to 60 seconds: no answer from {server.url}"):
        client().materialise(kept, large.with_name("copy"), follow)
    assert away.pauses > TRIES
    assert large.with_name("copy").read_bytes() == large.read_bytes()
    assert sum(told) == large.stat().st_size
    assert threads() == []


def test_a_server_that_does_not_know_ranges_sends_all_over_one_connection(server, client, large, kept):
    plain = server.app

    async def without(scope, receive, send):
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await plain({**scope, "headers": headers}, receive, send)

    server.app = without
    told = []
    client().materialise(kept, large.with_name("copy"), told.append)
    assert large.with_name("copy").read_bytes() == large.read_bytes()
    assert sum(told) == large.stat().st_size
    assert threads() == []


def test_what_comes_fast_over_one_connection_is_left_to_it(gets, client, large, kept, monkeypatch):
    monkeypatch.setattr(blobs, "FAST", 0)
    client().materialise(kept, large.with_name("copy"))
    assert large.with_name("copy").read_bytes() == large.read_bytes()
    assert gets == [f"bytes=0-{8 * MIB - 1}", f"bytes={8 * MIB}-"]


def test_ranges_that_do_not_make_up_the_whole_never_get_into_the_cache(server, client, large, kept):
    place = server.service.location(kept)
    place.chmod(0o600)
    with place.open("r+b") as file:
        file.seek(17 * MIB)
        file.write(b"!")
    service = client()
    with pytest.raises(BlobDamaged):
        service.materialise(kept, large.with_name("copy"))
    assert service.location(kept) is None
    assert not large.with_name("copy").exists()
