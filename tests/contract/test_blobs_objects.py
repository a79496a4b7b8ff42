"""Object stores keep the blob contract: two real S3 servers, Microsoft's emulator, and a stub of Google's API."""

from __future__ import annotations

import uuid
from dataclasses import replace
from functools import partial

import pytest

from modelyard.adapters.blobs.object_place import Place
from modelyard.adapters.blobs.objectstore import ObjectBlobs
from modelyard.testing.blobs import MIB, BlobContract, SharedBlobContract

LIFE = 2.4
"""Seconds; a dead collector must not be waited for in tests."""


def fresh(place: Place) -> Place:
    """A part of the bucket that nobody used yet."""
    return replace(place, prefix=f"{uuid.uuid4().hex[:12]}/deep")


def key_of(digest: str) -> str:
    hexdigits = digest.removeprefix("sha256:")
    return f"blobs/sha256/{hexdigits[:2]}/{hexdigits}"


class AroundTheStore:
    """Raw accesses by the client alone; large blobs of the contract go in parts."""

    def raw_read(self, store, digest):
        import obstore

        try:
            return bytes(obstore.get(store.client, key_of(digest)).bytes())
        except FileNotFoundError:
            return None

    def raw_write(self, store, digest, data):
        import obstore

        obstore.put(store.client, key_of(digest), data, use_multipart=False)

    def opener(self, store):
        return partial(ObjectBlobs, store.place, small=MIB, life=LIFE)


class TestSeaweedFS(AroundTheStore, SharedBlobContract):
    @pytest.fixture
    def store(self, seaweedfs):
        return ObjectBlobs(fresh(seaweedfs), small=MIB, life=LIFE)


class TestCeph(AroundTheStore, SharedBlobContract):
    @pytest.fixture
    def store(self, ceph):
        return ObjectBlobs(fresh(ceph), small=MIB, life=LIFE)


class TestAzurite(AroundTheStore, SharedBlobContract):
    @pytest.fixture
    def store(self, azurite):
        return ObjectBlobs(fresh(azurite), small=MIB, life=LIFE)


class TestStubOfGoogleCloudStorage(AroundTheStore, BlobContract):
    @pytest.fixture
    def store(self, gcs_stub):
        return ObjectBlobs(fresh(gcs_stub), small=MIB, life=LIFE)
