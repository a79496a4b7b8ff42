"""The right to collect after a death: who waits for it, how long, and by whose clock."""

from __future__ import annotations

import time

import pytest

from modelyard.adapters.blobs import object_lease
from modelyard.adapters.blobs.object_place import Place
from modelyard.adapters.blobs.objectstore import ObjectBlobs
from modelyard.domain.errors import Conflict, Unreachable
from modelyard.wire.problems import raised

LIFE = 12.0


@pytest.fixture
def dead(place: Place) -> ObjectBlobs:
    """A store whose last collector died."""
    store = ObjectBlobs(place, life=LIFE)
    with store.collecting():
        store.lease._lost = True  # so it is not given back
    return store


def test_who_has_no_patience_waits_for_nobody(
    dead: ObjectBlobs, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_lease.time, "sleep", lambda _: pytest.fail("waited"))
    other = ObjectBlobs(place, life=LIFE)
    with pytest.raises(Conflict, match="cut off less than 12 s ago"):
        other.collecting(patient=False).__enter__()


def test_who_looked_long_enough_without_patience_gets_it(dead: ObjectBlobs, place: Place) -> None:
    other = ObjectBlobs(place, life=LIFE)
    with pytest.raises(Conflict):
        other.collecting(patient=False).__enter__()
    seen, since = other.lease._watched
    other.lease._watched = seen, since - LIFE
    with other.collecting(patient=False):
        pass


def test_a_lease_that_is_old_by_the_stores_own_clock_needs_two_looks_only(
    dead: ObjectBlobs, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ObjectBlobs(place, life=LIFE)
    seen = other.lease._highest()
    assert seen is not None
    assert -2 <= other.lease._age(seen) < 3600
    asked = []
    monkeypatch.setattr(other.lease, "_age", lambda found: asked.append(found) or LIFE + 2)
    other.lease._watched = seen, time.monotonic() - LIFE / 4  # far from the whole life of a lease
    with other.collecting(patient=False):
        assert asked == [seen]


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_proxy_that_lost_the_server_is_no_answer(status: int) -> None:
    assert isinstance(raised(None, status=status), Unreachable)
    assert not isinstance(raised(None, status=500), Unreachable)
