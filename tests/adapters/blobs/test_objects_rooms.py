"""Buckets and prefixes for single models, by a setting, in a real S3 server."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
import yaml

from modelyard import ModelRegistry
from modelyard.adapters.blobs.object_place import Place, connect, place_of
from modelyard.adapters.blobs.object_rooms import rooms, rules_of
from modelyard.adapters.blobs.object_settings import places_from
from modelyard.adapters.blobs.objectstore import ObjectBlobs
from modelyard.adapters.blobs.uploads.objects import ObjectUploads
from modelyard.domain.errors import BlobNotFound, InvalidConfig, InvalidName
from modelyard.domain.names import check_model_name
from modelyard.ports.service import Check, Collect
from modelyard.settings import load
from modelyard.wiring import open_service, uploads_of

LARGE = hashlib.shake_256(b"large").digest(9 << 20)
SMALL = b"small"
NOW = Collect(dry_run=False, grace_days=0)
MAIN = Place(kind="s3", bucket="models", region="eu-west-1", endpoint="http://store:9000", secrets={"a": "b"})


@pytest.fixture(scope="module")
def second(seaweedfs):
    """Another bucket of the same server, made by the one request that makes one."""
    from urllib.request import Request, urlopen

    import obstore

    place = replace(seaweedfs, bucket=f"second-{uuid.uuid4().hex[:8]}", prefix="")
    link = obstore.sign(connect(place), "PUT", "", timedelta(seconds=60))
    urlopen(Request(link, method="PUT")).close()
    return place


@pytest.fixture
def configured(tmp_path, seaweedfs, second):
    """Settings with a main prefix, another prefix for ``risk/*`` and another bucket for ``tenant/*``."""
    begin = uuid.uuid4().hex
    s3 = {
        "bucket": seaweedfs.bucket,
        "prefix": f"{begin}/main",
        "endpoint_url": seaweedfs.endpoint,
        "access_key": seaweedfs.secrets["access_key_id"],
        "secret_key": seaweedfs.secrets["secret_access_key"],
    }
    rules = [
        f"risk/* -> s3://{seaweedfs.bucket}/{begin}/risk",
        f"tenant/* -> {second.endpoint}/{second.bucket}/{begin}",
    ]
    file = tmp_path / "rooms.yaml"
    file.write_text(yaml.safe_dump({"storage": {"backend": "s3", "buckets": rules, "s3": s3}}))
    return load(file, env={})


def digests(place: Place) -> set[str]:
    return {info.digest for info in ObjectBlobs(place).list()}


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_each_model_has_its_bytes_in_its_own_bucket_and_nothing_is_lost(tmp_path, configured):
    main, risk, tenant = places_from(configured)
    (tmp_path / "large").write_bytes(LARGE)
    (tmp_path / "small").write_bytes(SMALL)
    with ModelRegistry(tmp_path / "registry", config=configured) as registry:
        for name, file in (
            ("risk/a", "large"),
            ("tenant/b", "large"),
            ("tenant/b", "small"),
            ("fraud", "small"),
        ):
            registry.register_model(tmp_path / file, name)
        assert (digests(risk), digests(tenant)) == ({digest(LARGE)}, {digest(LARGE), digest(SMALL)})
        registry.service.collect(NOW)
        assert digests(main) == {digest(SMALL)}
        assert (digests(risk), digests(tenant)) == ({digest(LARGE)}, {digest(LARGE), digest(SMALL)})
        assert registry.service.check(Check(deep=True), None).findings == ()
        for ref, data in (
            ("risk/a", LARGE),
            ("tenant/b:0.1.0", LARGE),
            ("tenant/b", SMALL),
            ("fraud", SMALL),
        ):
            held = registry.get_model(ref).files[0]
            assert b"".join(registry.service.open_blob(held.digest)) == data
        registry.delete_model("tenant/b:0.1.0", force=True, reason="the tenant asked for it")
        registry.service.collect(NOW)
        assert (digests(risk), digests(tenant)) == ({digest(LARGE)}, {digest(SMALL)})
        registry.delete_model("risk/a", force=True)
        assert registry.service.collect(NOW).blobs == (digest(LARGE),)
        assert (digests(risk), digests(main)) == (set(), {digest(SMALL)})
    with ModelRegistry(tmp_path / "registry", config=configured) as registry:
        assert registry.service.check(Check(deep=True), None).findings == ()


def test_a_bundle_takes_bytes_from_every_bucket_along(tmp_path, configured):
    (tmp_path / "large").write_bytes(LARGE)
    with ModelRegistry(tmp_path / "registry", config=configured) as registry:
        registry.register_model(tmp_path / "large", "tenant/b")
        registry.service.collect(NOW)
        registry.export_registry(tmp_path / "bundle.tar")
    with ModelRegistry(tmp_path / "other") as other:
        other.import_registry(tmp_path / "bundle.tar")
        held = other.get_model("tenant/b").files[0]
        assert b"".join(other.service.open_blob(held.digest)) == LARGE


def test_uploads_in_pieces_arrive_in_the_main_bucket(tmp_path, configured):
    _, service = open_service(configured, tmp_path / "registry")
    uploads = uploads_of(service)
    assert isinstance(uploads, ObjectUploads)
    upload = uploads.begin("ann").upload
    uploads.append("ann", upload, 0, (SMALL,))
    uploads.finish("ann", upload, digest(SMALL))
    assert digests(places_from(configured)[0]) == {digest(SMALL)}
    service.close()


def test_a_blob_that_is_removed_while_it_is_copied_is_not_found(configured):
    from modelyard.adapters.blobs.object_rooms import carry

    stores = [ObjectBlobs(place) for place in places_from(configured)]
    for target in stores[1:]:
        with pytest.raises(BlobNotFound, match="while it was copied"):
            carry(target, stores[0], digest(b"never"))


def test_a_rule_keeps_what_it_does_not_say_of_the_main_bucket():
    ((pattern, place), (_, other)) = rules_of(
        ["risk/* -> s3://risk/live", "eu/*->https://eu.example.org/eu"], MAIN
    )
    assert (pattern, place) == ("risk/*", replace(MAIN, bucket="risk", prefix="live"))
    assert other == replace(place_of("https://eu.example.org/eu"), region="eu-west-1", secrets={"a": "b"})


def test_a_rule_may_name_a_place_for_no_model():
    main = replace(MAIN, secrets={})
    ((pattern, place),) = rules_of(["=left -> s3://old/reg"], main)
    store = rooms(ObjectBlobs(main), [(pattern, place)])
    assert [each.place for each in store.stores] == [main, replace(main, bucket="old", prefix="reg")]
    with pytest.raises(InvalidName):
        check_model_name(pattern)


def test_an_address_from_the_environment_is_the_same_place(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://store:9000/")
    main = ObjectBlobs(replace(MAIN, endpoint=None, secrets={}))
    for address in ("http://store:9000/models", "s3://models"):
        assert len(rooms(main, rules_of([f"risk/* -> {address}"], main.place)).stores) == 1


def test_one_bucket_under_two_names_of_its_host_is_told_before_a_copy_is_removed(seaweedfs):
    main = ObjectBlobs(replace(seaweedfs, prefix=uuid.uuid4().hex))
    twin = replace(main.place, endpoint=seaweedfs.endpoint.replace("127.0.0.1", "localhost"))
    assert twin != main.place
    store = rooms(main, [("risk/*", twin)])
    data = store.put([SMALL]).digest
    store.house(data, "risk/a")
    with store.collecting(), pytest.raises(InvalidConfig, match="the same address"):
        store.tidy(lambda _: ("risk/a",))
    assert digests(main.place) == {data}


@pytest.mark.parametrize(
    "text",
    ["risk/*", "-> s3://x", "risk/* ->", "risk/* -> gs://x", "risk/* -> s3://k:s@x", "risk/* -> elsewhere"],
)
def test_a_rule_of_another_form_is_refused(text):
    with pytest.raises(InvalidConfig, match="expected"):
        rules_of([text], MAIN)


def test_a_folder_has_no_buckets(tmp_path):
    settings = load(None, env={"MODELYARD_STORAGE_BUCKETS": "risk/* -> s3://risk"}, cwd=tmp_path)
    with pytest.raises(InvalidConfig, match=r"storage\.buckets: only an object store"):
        open_service(settings, tmp_path / "registry")
