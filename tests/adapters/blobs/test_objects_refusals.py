"""What a bucket may refuse, and what is said then: which part, what was found, what to do, and never a secret."""

from __future__ import annotations

import hashlib
import logging
import traceback
import uuid
from dataclasses import replace

import pytest
from tests.services import gcs_stub
from tests.services import seaweedfs as server

from modelyard.adapters.blobs.object_place import Patience, Place, place_of
from modelyard.adapters.blobs.object_probe import examine, examine_parts, prove
from modelyard.adapters.blobs.objectstore import ObjectBlobs
from modelyard.domain.errors import (
    BlobNotFound,
    Conflict,
    InvalidConfig,
    NotSupported,
    StorageError,
    TooLarge,
)

LARGE = hashlib.shake_256(b"large").digest(9 << 20)
ABSENT = "sha256:" + "0" * 64
CANARY = "canary-2f6b1c"


@pytest.fixture(params=["seaweedfs", "ceph"])
def store(request):
    return ObjectBlobs(replace(request.getfixturevalue(request.param), prefix=uuid.uuid4().hex))


def told(call):
    """The error of a call, and everything that a log or a screen could show of it."""
    with pytest.raises(StorageError) as caught:
        call()
    error = caught.value
    everything = (
        "".join(traceback.format_exception(error)) + repr(error) + repr(error.data) + repr(error.reasons)
    )
    return error, everything


def uses(store):
    """One call of each kind."""
    return {
        "stat": lambda: store.stat(ABSENT),
        "open": lambda: store.open(ABSENT),
        "range": lambda: store.open(ABSENT, start=1),
        "put": lambda: store.put((b"small",)),
        "put in parts": lambda: store.put((LARGE,)),
        "list": lambda: list(store.list()),
        "verify": lambda: store.verify(ABSENT),
        "sweep": lambda: store.sweep(older_than_seconds=0),
        "examine": lambda: examine(store),
    }


KINDS = list(uses(None))


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_bucket_is_named_with_what_to_do(store, kind):
    absent = ObjectBlobs(replace(store.place, bucket="absent"))
    error, _ = told(uses(absent)[kind])
    assert "bucket 'absent' at http://127.0.0.1" in str(error)
    assert "there is no such bucket: create it, or correct its name" in str(error)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrong", ["access_key_id", "secret_access_key"])
def test_A26_wrong_keys_are_said_to_be_wrong_and_are_never_shown(store, caplog, kind, wrong):
    caplog.set_level(logging.DEBUG)
    refused = ObjectBlobs(replace(store.place, secrets=store.place.secrets | {wrong: CANARY}))
    error, everything = told(uses(refused)[kind])
    assert "check the access key and its secret" in str(error)
    secrets = {CANARY, *store.place.secrets.values()} if wrong == "secret_access_key" else {CANARY}
    for secret in secrets - {store.place.secrets["access_key_id"]}:
        assert (
            secret not in everything + caplog.text + repr(refused) + repr(refused.place) + refused.place.url
        )


def test_keys_that_may_only_read_can_read_and_are_told_what_they_lack(store):
    if server.os.environ.get(server.VARIABLE):
        pytest.skip("the server given from outside has no keys of a reader")
    stored = store.put((b"bytes",))
    reader = ObjectBlobs(replace(store.place, secrets=server.READER))
    assert b"".join(reader.open(stored.digest)) == b"bytes"
    assert reader.stat(stored.digest) == stored
    assert list(reader.list()) == [stored]
    for call in (
        lambda: reader.put((b"more",)),
        lambda: reader.put((LARGE,)),
        lambda: reader.delete(stored.digest),
        lambda: reader.quarantine(stored.digest),
        lambda: reader.collecting().__enter__(),
        lambda: examine(reader),
    ):
        error, _ = told(call)
        assert "AccessDenied" in str(error)
        assert "give the credentials leave to list, read, write and delete" in str(error)
    assert list(store.list()) == [stored]


def test_a_full_store_says_so_and_keeps_what_it_has():
    if server.missing() or server.os.environ.get(server.VARIABLE):
        pytest.skip(server.missing() or "a server given from outside is not to be filled")
    with server.running(volumes=8, mebibytes=2) as place:
        store = ObjectBlobs(replace(place, patience=Patience(budget=2, tries=2)))
        stored = []
        error, _ = told(lambda: stored.extend(store.put((LARGE[: 4 << 20], b"%d" % n)) for n in range(30)))
        assert "has space left" in str(error)
        assert stored
        assert {info.digest for info in store.list()} == {info.digest for info in stored}
        for info in stored:
            store.verify(info.digest, cached=False)
        (warning,) = prove((store.place,))
        assert "has space left" in warning


def test_an_object_of_two_parts_is_tried_and_leaves_nothing(store, azurite, request):
    stub = request.getfixturevalue("gcs_stub")
    for place in (store.place, azurite, stub):
        blobs = ObjectBlobs(place)
        examine_parts(blobs)
        assert list(blobs._objects("tmp")) == []


def test_a_bucket_that_is_as_it_should_be_is_found_so(request, store, azurite):
    stub = request.getfixturevalue("gcs_stub")
    for place in (store.place, azurite, stub):
        found = examine(ObjectBlobs(place))
        assert found.conditional_put
        assert abs(found.skew) < 10
        assert found.warnings == ()
        assert found.links == (place is not stub)
    assert list(store._objects("tmp")) == []


def test_a_clock_that_is_off_is_warned_of(store, monkeypatch):
    from datetime import datetime, timedelta

    from modelyard.adapters.blobs import object_probe

    class Late(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) - timedelta(minutes=5)

    monkeypatch.setattr(object_probe, "datetime", Late)
    found = examine(store)
    assert 290 < found.skew < 310
    assert "clock is +" in found.warnings[0]


@pytest.fixture
def careless():
    """A store that ignores conditions, as some do."""
    with gcs_stub.running() as (place, behind):
        behind.keeps_conditions = False
        yield ObjectBlobs(place)


def test_a_bucket_without_conditional_put_is_never_collected_and_still_stores(careless):
    stored = careless.put((b"bytes",))
    careless.verify(stored.digest)
    found = examine(careless)
    assert not found.conditional_put
    assert "nothing can be collected there" in found.warnings[0]
    for _ in range(2):
        with pytest.raises(NotSupported, match=r"nothing keeps two collections apart.*conditional PUT"):
            careless.collecting().__enter__()


def test_no_server_starts_on_a_bucket_without_conditional_put(careless, store):
    assert prove(()) == prove((store.place,)) == ()
    with pytest.raises(
        NotSupported, match=r"by which servers keep out of each other's way.*has conditional PUT"
    ):
        prove((store.place, careless.place))


def test_a_blob_that_is_missing_is_not_a_missing_bucket(store):
    with pytest.raises(BlobNotFound):
        store.open(ABSENT)


def test_a_stream_that_would_need_too_many_parts_is_refused_before_it_is_complete(store, monkeypatch):
    from modelyard.adapters.blobs import objectstore

    monkeypatch.setattr(objectstore, "MOST_PARTS", 1)
    with pytest.raises(TooLarge, match="store it from a file"):
        store.put((LARGE, LARGE))
    assert list(store.list()) == []


def test_a_link_serves_the_bytes_for_a_while_and_nothing_else(store, azurite):
    from urllib.error import HTTPError
    from urllib.request import urlopen

    for each in (store, ObjectBlobs(replace(azurite, prefix=uuid.uuid4().hex))):
        stored, other = each.put((LARGE,)), each.put((b"other",))
        link = each.presign(stored.digest, seconds=600)
        with urlopen(link) as answer:
            assert answer.read() == LARGE
        for spoilt in (
            link.replace(stored.digest[-64:], other.digest[-64:]),
            link.replace("600", "6000", 1) if "Expires=600" in link else link.replace("sig=", "sig=A", 1),
        ):
            with pytest.raises(HTTPError) as refused:
                urlopen(spoilt)
            refused.value.close()
            assert refused.value.code == 403
        assert not any(secret in link for secret in set(each.place.secrets.values()) - {"test-key"})


@pytest.mark.parametrize(
    ("url", "kind", "bucket", "prefix", "endpoint"),
    [
        ("s3://models", "s3", "models", "", None),
        ("s3://models/a/b/", "s3", "models", "a/b", None),
        ("gs://models/a", "gcs", "models", "a", None),
        ("az://models/a", "azure", "models", "a", None),
        ("https://s3.example.org/models", "s3", "models", "", "https://s3.example.org"),
        ("http://[::1]:9000/models/a", "s3", "models", "a", "http://[::1]:9000"),
    ],
)
def test_an_address_says_where(url, kind, bucket, prefix, endpoint):
    place = place_of(url)
    assert (place.kind, place.bucket, place.prefix, place.endpoint) == (kind, bucket, prefix, endpoint)
    assert place_of(place.url) == place


@pytest.mark.parametrize(
    "url",
    [
        f"s3://key:{CANARY}@models",
        f"https://{CANARY}@host/models",
        f"s3://models/a?secret={CANARY}",
        "s3://models/../other",
        "s3://models/a//b",
        "s3:///models",
        "https://host",
        "https://host:x/models",
        "ftp://host/models",
        "models",
        "",
    ],
)
def test_A26_an_address_of_another_form_or_with_credentials_is_refused_without_quoting_it(url):
    with pytest.raises(InvalidConfig, match=r"expected s3://bucket/prefix") as caught:
        place_of(url)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_A26_what_the_client_refuses_is_not_quoted(tmp_path):
    file = tmp_path / "key.json"
    file.write_text(f'{{"private_key": "{CANARY}"')
    for place in (
        Place(kind="gcs", bucket="models", secrets={"service_account_key": file.read_text()}),
        Place(kind="azure", bucket="models", account="me", secrets={"account_key": f"{CANARY}!"}),
    ):
        with pytest.raises(InvalidConfig, match="the client refuses") as caught:
            ObjectBlobs(place)
        assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_two_stores_of_one_place_share_the_right_to_collect(store):
    manifests = ObjectBlobs(store.place, folder="manifests", lease=store.lease)
    with store.collecting(), pytest.raises(Conflict):
        manifests.collecting().__enter__()
    with manifests.collecting():
        pass
