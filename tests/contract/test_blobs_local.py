"""The folder keeps the blob contract, with several processes at once too."""

from functools import partial

import pytest

from modelyard.adapters.blobs.local import LocalBlobs
from modelyard.testing.blobs import SharedBlobContract


class TestLocalBlobs(SharedBlobContract):
    @pytest.fixture
    def store(self, tmp_path_factory):
        return LocalBlobs(tmp_path_factory.mktemp("registry") / "new")

    def raw_read(self, store, digest):
        place = self.place(store, digest)
        return place.read_bytes() if place.exists() else None

    def raw_write(self, store, digest, data):
        place = self.place(store, digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():
            place.chmod(0o600)
        place.write_bytes(data)

    def opener(self, store):
        return partial(LocalBlobs, store._root)

    @staticmethod
    def place(store, digest):
        hexdigits = digest.removeprefix("sha256:")
        return store._root / "blobs" / "sha256" / hexdigits[:2] / hexdigits
