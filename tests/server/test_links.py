"""Readers who are sent to the object store: after they were let in, for a while, and never where it is less safe."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import uuid
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from modelyard.adapters.blobs.cache import CachedBlobs
from modelyard.adapters.blobs.local import LocalBlobs
from modelyard.adapters.blobs.memory import MemoryBlobs
from modelyard.adapters.blobs.object_place import Place
from modelyard.adapters.blobs.object_rooms import rooms
from modelyard.adapters.blobs.objectstore import ObjectBlobs
from modelyard.adapters.blobs.uploads.local import LocalUploads
from modelyard.domain.errors import InvalidConfig
from modelyard.domain.permissions import Principal, parse_grant
from modelyard.domain.records import Actor, FileEntry
from modelyard.edge.doorkeeper import Everybody
from modelyard.ports import service as ask
from modelyard.remote.service import RemoteService
from modelyard.remote.transport import Transport
from modelyard.rest.api import Api
from modelyard.server.links import Direct, links_of, prove_links
from modelyard.server.plan import Plan, planned
from modelyard.server.proving import warn_of_links
from modelyard.settings import Settings
from modelyard.settings.model import DirectSettings
from modelyard.wiring import in_memory

from .running import Command

MIB = 2**20
S3 = Place(
    kind="s3",
    bucket="models",
    endpoint="http://store.example:9000",
    region="us-east-1",
    secrets={"access_key_id": "key", "secret_access_key": "canary-secret"},
)


class Bucket:
    """What ``links_of`` looks at: a store of bytes, and records."""

    def __init__(self, blobs, store=None):
        self.blobs, self.store = blobs, store


@pytest.fixture
def service():
    """A registry with a large file and a small one."""
    found = in_memory()
    files = []
    for path, data in (("large.txt", b"x" * 2 * MIB), ("small.txt", b"small")):
        info = found.put_blob([data])
        files.append(FileEntry(path=path, size=info.size, digest=info.digest))
    found.create_version(ask.CreateVersion(name="fraud", files=tuple(files)))
    yield found
    found.close()


@pytest.fixture
def large(service):
    return service.get_version("fraud").files[0].digest


# --- addresses -------------------------------------------------------------------------------------------------------


def test_nobody_is_sent_anywhere_unless_it_was_asked_for():
    assert planned(Settings().server).direct is None
    assert links_of(Bucket(ObjectBlobs(S3)), None, encrypted=False) is None


def test_the_settings_say_how():
    server = replace(
        Settings().server, direct=DirectSettings(enabled=True, seconds=60, endpoint="https://s3")
    )
    assert planned(server).direct == Direct(seconds=60, endpoint="https://s3")


@pytest.mark.parametrize("blobs", [MemoryBlobs, lambda: LocalBlobs("/nowhere")], ids=["memory", "folder"])
def test_bytes_that_have_no_address_are_told_at_the_start(blobs):
    with pytest.raises(InvalidConfig, match=r"server\.direct\.enabled"):
        prove_links(blobs(), Direct(), encrypted=False)
    with pytest.raises(InvalidConfig, match=r"server\.direct\.endpoint"):
        prove_links(blobs(), Direct(endpoint="https://s3"), encrypted=False)


def test_workers_that_are_to_send_readers_to_a_folder_are_not_started(tmp_path):
    env = {name: value for name, value in os.environ.items() if not name.startswith("MODELYARD_")}
    words = ["--registry", tmp_path, "server", "--port", "0", "--workers", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "modelyard", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=env | {"MODELYARD_SERVER_DIRECT_ENABLED": "true"},
    )
    assert done.returncode not in (0, 1)
    assert done.stderr.count("server.direct.enabled: the store of the bytes gives out no addresses") == 1
    assert "Traceback" not in done.stderr


def test_a_worker_that_cannot_sign_now_says_so_and_sends_the_bytes(service, large, caplog):
    plan = Plan(direct=Direct())
    with caplog.at_level("WARNING"):
        warn_of_links(service, plan)
    assert "sent by this server until they can be signed for: server.direct.enabled" in caplog.text
    assert links_of(service, plan.direct, encrypted=False)(large) is None
    caplog.clear()
    warn_of_links(Bucket(ObjectBlobs(S3)), plan)
    warn_of_links(service, Plan())
    assert caplog.text == ""


def test_who_comes_over_tls_is_never_sent_to_where_there_is_none(service, large):
    with pytest.raises(InvalidConfig, match="without it; expected an https address") as caught:
        prove_links(ObjectBlobs(S3), Direct(), encrypted=True)
    assert "Signature" not in str(caught.value)
    prove_links(ObjectBlobs(S3), Direct(endpoint="https://s3.example"), encrypted=True)
    assert links_of(Bucket(ObjectBlobs(S3), service.store), Direct(), encrypted=True)(large) is None


def test_no_bucket_of_a_rule_may_be_without_tls_either():
    safe = ObjectBlobs(replace(S3, endpoint="https://store.example"))
    prove_links(rooms(safe, [("risk/*", replace(safe.place, bucket="risk"))]), Direct(), encrypted=True)
    mixed = rooms(safe, [("risk/*", S3)])
    prove_links(mixed, Direct(), encrypted=False)
    with pytest.raises(InvalidConfig, match=r"storage\.buckets too, found 'http://store"):
        prove_links(mixed, Direct(), encrypted=True)


def test_an_address_is_signed_for_the_host_that_callers_reach_and_for_as_long_as_was_said(service, large):
    direct = Direct(seconds=77, endpoint="https://public.example")
    links = links_of(Bucket(ObjectBlobs(S3), service.store), direct, encrypted=True)
    parts = urlsplit(links(large))
    assert (parts.scheme, parts.hostname) == ("https", "public.example")
    assert parts.path.endswith(large.removeprefix("sha256:"))
    assert parse_qs(parts.query)["X-Amz-Expires"] == ["77"]
    assert "canary-secret" not in parts.query


def test_bytes_of_what_was_withdrawn_have_no_address(service, large):
    links = links_of(Bucket(ObjectBlobs(S3), service.store), Direct(), encrypted=False)
    assert links(large)
    service.withdraw(ask.Withdraw(target="fraud#1", reason="leaked"))
    assert links(large) is None


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(service):
    """One request to a server that sends readers to ``https://store/<digest>``, as somebody with a grant."""
    signed = []

    def link(digest):
        signed.append(digest)
        return f"https://store/{digest}" if digest != asked.nothing else None

    def asked(path, grant="reader", method="GET", **headers):
        keeper = Everybody(Principal(actor=Actor(name="ann"), grants=(parse_grant(grant),)))
        app = Api(service, keeper, links=link)

        async def sent():
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
                return await client.request(method, f"/api/v1/blobs/{path}", headers=headers)

        return asyncio.run(sent())

    asked.signed, asked.nothing = signed, None
    return asked


def test_a_reader_is_sent_to_the_store_and_nobody_keeps_the_address(asked, large):
    answer = asked(large)
    assert (answer.status_code, answer.headers["location"]) == (307, f"https://store/{large}")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content == b""


def test_a_reader_of_a_large_part_is_sent_there_too(asked, large):
    assert asked(large, Range=f"bytes=5-{MIB + 4}").status_code == 307


def test_who_may_not_have_the_bytes_gets_no_address(asked, large):
    assert asked(large, grant="reader on other/*").status_code == 404
    assert asked.signed == []


@pytest.mark.parametrize(
    ("method", "query", "headers", "status"),
    [
        ("GET", "?direct=false", {}, 200),
        ("HEAD", "", {}, 200),
        ("GET", "", {"Range": "bytes=0-99"}, 206),
        ("GET", "", {"If-None-Match": "*"}, 304),
        ("GET", "", {"Range": "bytes=99999999-"}, 416),
        ("GET", "?direct=maybe", {}, 400),
    ],
)
def test_other_questions_are_answered_here(asked, large, method, query, headers, status):
    assert asked(large + query, method=method, **headers).status_code == status
    assert asked.signed == []


def test_small_files_are_sent_from_here(asked, service):
    answer = asked(service.get_version("fraud").files[1].digest)
    assert (answer.status_code, answer.content) == (200, b"small")


def test_bytes_that_have_no_address_are_sent_from_here(asked, large):
    asked.nothing = large
    assert asked(large).content == b"x" * 2 * MIB


# --- a real store ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_client_fetches_from_the_store_what_the_server_lets_it_have(tmp_path, seaweedfs, workers):
    env = {
        "MODELYARD_STORAGE_BACKEND": "s3",
        "MODELYARD_STORAGE_S3_BUCKET": seaweedfs.bucket,
        "MODELYARD_STORAGE_S3_PREFIX": uuid.uuid4().hex,
        "MODELYARD_STORAGE_S3_REGION": "us-east-1",
        "MODELYARD_STORAGE_S3_ENDPOINT_URL": seaweedfs.endpoint,
        "MODELYARD_STORAGE_S3_ACCESS_KEY": seaweedfs.secrets["access_key_id"],
        "MODELYARD_STORAGE_S3_SECRET_KEY": seaweedfs.secrets["secret_access_key"],
        "MODELYARD_SERVER_DIRECT_ENABLED": "true",
    }
    data = os.urandom(40 * MIB)
    with Command(tmp_path / "registry", "--workers", workers, env=env) as server:
        cache = CachedBlobs(tmp_path / "cache")
        client = RemoteService(Transport(server.url, server.token), cache, LocalUploads(cache, notes=False))
        info = client.put_blob([data])
        entry = FileEntry(path="m.txt", size=info.size, digest=info.digest)
        client.create_version(ask.CreateVersion(name="fraud", files=(entry,)))
        told = []
        client.materialise(info.digest, tmp_path / "copy", told.append)
        client.close()
        with server.client() as http:
            counted = http.get("/metrics").text
    assert (tmp_path / "copy").read_bytes() == data
    assert sum(told) == len(data)
    assert re.search(r'blobs/\{digest\}",status="307"\} [1-9]', counted), counted
