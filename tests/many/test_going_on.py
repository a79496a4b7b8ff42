"""What one server began another one goes on with, and what one was told the others know."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import pytest

from modelyard.domain.errors import NotAuthenticated
from modelyard.domain.permissions import Grant
from modelyard.ports import service as ask
from modelyard.wire.operations import PREFIX

from .farm import Farm

UPLOADS = f"{PREFIX}/blobs/uploads"
DATA = hashlib.shake_256(b"a large model").digest(20 << 20)
DIGEST = f"sha256:{hashlib.sha256(DATA).hexdigest()}"


@pytest.fixture
def two(farm: Callable[..., Farm]) -> Farm:
    return farm(2)


def http(farm: Farm, number: int) -> httpx.Client:
    return httpx.Client(
        base_url=farm.servers[number].url, headers={"Authorization": f"Bearer {farm.token}"}, timeout=60
    )


def piece(client: httpx.Client, upload: str, start: int, end: int) -> httpx.Response:
    span = {"Content-Range": f"{start}-{end - 1}"}
    return client.patch(f"{UPLOADS}/{upload}", content=DATA[start:end], headers=span)


def test_an_upload_goes_on_at_another_server_after_the_first_was_killed(two: Farm) -> None:
    """It was cut off in the middle of a piece, and a third process finishes it: the one that was started again."""
    with http(two, 0) as first:
        upload = first.post(UPLOADS).json()["upload"]
        assert piece(first, upload, 0, 9 << 20).json()["size"] == 9 << 20

        def broken_off() -> Iterator[bytes]:
            yield DATA[9 << 20 : 18 << 20]
            two.die(0)
            yield DATA[18 << 20 :]

        with pytest.raises(httpx.TransportError):
            first.patch(f"{UPLOADS}/{upload}", content=broken_off())
    with http(two, 1) as second:
        size = second.get(f"{UPLOADS}/{upload}").json()["size"]
        assert 9 << 20 <= size <= 18 << 20
        assert piece(second, upload, 0, 1 << 20).status_code == 409
        assert piece(second, upload, size, 19 << 20).json()["size"] == 19 << 20
    two.revive(0)
    with http(two, 0) as third:
        assert piece(third, upload, 19 << 20, 20 << 20).json()["size"] == len(DATA)
        done = third.put(f"{UPLOADS}/{upload}", params={"digest": DIGEST})
        assert done.status_code == 201
    client = two.client(1)
    assert hashlib.sha256(b"".join(client.open_blob(DIGEST))).hexdigest() == DIGEST.partition(":")[2]


def test_a_token_that_one_server_revoked_opens_no_other_a_second_later(two: Farm) -> None:
    here = two.client(0)
    made = here.create_token(ask.CreateToken(name="short", grants=(Grant(role="reader"),)))
    theirs = two.client(1, made.secret)
    assert theirs.stats().total_models == 0
    here.revoke_token(ask.RevokeToken(token=made.token.token_id))
    revoked = time.monotonic()
    while time.monotonic() - revoked <= 1:  # asking all the time must not make it last
        with suppress(NotAuthenticated):
            theirs.stats()
    with pytest.raises(NotAuthenticated):
        theirs.stats()


def test_bytes_that_one_server_freed_are_taken_anew_by_the_one_that_stored_them(two: Farm) -> None:
    """A server that remembers good bytes must not take them for there when another one has freed them."""
    from .load import stored

    here, there = two.client(0), two.client(1)
    for number in (1, 2, 3):
        made = stored(here, b"the same bytes", ask.CreateVersion(name="fraud"))
        assert made.number == number
        assert b"".join(there.open_blob(made.files[0].digest)) == b"the same bytes"
        here.delete(ask.Delete(ref=made.model_id))
        assert len(there.collect(ask.Collect(dry_run=False, grace_days=0)).blobs) == 1
        assert not here.has_blob(made.files[0].digest)
