"""Large files over a real connection that breaks, to a server and from a client that are stopped and started."""

from __future__ import annotations

import hashlib
import os
import threading

import pytest

from modelyard.domain.errors import (
    BlobDamaged,
    BlobNotFound,
    ModelyardWarning,
    StorageError,
    Unreachable,
)
from modelyard.remote import patience, uploads
from modelyard.remote.connections import Connection
from modelyard.remote.transport import TRIES

from .away import Away, give_up_at_once

MIB = 2**20


def digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Pieces of 4 MiB and no pauses to speak of: the same path in less time."""
    monkeypatch.setattr(uploads, "STEP", 4 * MIB)
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.001)


class TestUploads:
    def test_a_large_file_arrives_whole_and_progress_counts_every_byte_once(self, server, client, large):
        told = []
        info = client().put_file(large, progress=told.append)
        assert info.size == sum(told) == large.stat().st_size
        assert b"".join(server.service.open_blob(info.digest)) == large.read_bytes()

    def test_what_the_server_has_is_not_sent_again(self, server, client, large, monkeypatch):
        monkeypatch.setattr(
            uploads, "HEAD_START", 60
        )  # however slow the machine is: hashed before it is sent
        client().put_file(large)
        server.seen.clear()
        told = []
        info = client().put_file(large, progress=told.append)
        assert info.size == sum(told) == large.stat().st_size
        assert server.asked("PATCH") == []

    @pytest.mark.parametrize("after", [0, 100_000, 9 * MIB])
    def test_a_broken_connection_costs_no_byte_that_had_arrived(self, server, client, large, after):
        server.break_after = after
        told = []
        info = client().put_file(large, progress=told.append)
        assert b"".join(server.service.open_blob(info.digest)) == large.read_bytes()
        assert sum(told) == info.size

    def test_another_run_goes_on_with_what_an_earlier_one_sent(self, server, client, large, monkeypatch):
        with monkeypatch.context() as patch:
            give_up_at_once(patch)
            server.break_after = 13 * MIB
            with pytest.raises(Unreachable):
                client().put_file(large)
        server.stop()
        server.start()
        server.seen.clear()
        info = client().put_file(large)
        assert b"".join(server.service.open_blob(info.digest)) == large.read_bytes()
        assert len(server.asked("PATCH")) == 2  # 8 of the 20 MiB were left
        assert server.asked("POST", "uploads") == []

    @pytest.mark.parametrize("after", [1, 20 * MIB], ids=["early", "at the end"])
    def test_a_server_that_was_away_for_long_is_gone_on_with(self, server, client, large, monkeypatch, after):
        away, told = Away(monkeypatch, server, uploads), []

        def follow(count):
            told.append(count)
            if sum(told) >= after:
                away.leave()

        with pytest.warns(ModelyardWarning, match=f"again for up to 60 seconds: no answer from {server.url}"):
            info = client().put_file(large, progress=follow)
        assert away.pauses > TRIES
        assert b"".join(server.service.open_blob(info.digest)) == large.read_bytes()
        assert sum(told) == info.size

    def test_a_server_that_stays_away_is_given_up(self, server, client, large, monkeypatch):
        away = Away(monkeypatch, server, uploads)
        monkeypatch.setattr(patience, "AWAY", 0)
        with pytest.raises(Unreachable, match=server.url) as caught:
            client().put_file(large, progress=lambda count: away.leave())
        assert away.pauses == TRIES - 1
        assert "\n  - it had answered before" in str(caught.value)
        server.start()

    def test_one_that_was_not_there_from_the_first_is_given_up_without_waiting(
        self, server, client, large, monkeypatch
    ):
        away = Away(monkeypatch, server, uploads)
        away.leave()
        with pytest.raises(Unreachable, match="Is the server running"):
            client().put_file(large)
        assert away.pauses == 0
        server.start()

    def test_an_upload_that_was_swept_begins_again(self, server, client, large, monkeypatch):
        with monkeypatch.context() as patch:
            give_up_at_once(patch)
            server.break_after = 9 * MIB
            with pytest.raises(Unreachable):
                client().put_file(large)
        for part in (server.folder / "tmp").glob("upload-*"):
            part.unlink()
        info = client().put_file(large)
        assert b"".join(server.service.open_blob(info.digest)) == large.read_bytes()

    def test_a_first_half_that_went_bad_on_the_server_is_sent_again(self, server, client, large, monkeypatch):
        with monkeypatch.context() as patch:
            give_up_at_once(patch)
            server.break_after = 9 * MIB
            with pytest.raises(Unreachable):
                client().put_file(large)
        server.stop()  # what it remembers of the digest goes with it
        (part,) = (server.folder / "tmp").glob("upload-*")
        with part.open("r+b") as file:
            file.write(b"!!!!")
        server.start()
        info = client().put_file(large)
        assert info.digest == digest(large.read_bytes())

    def test_a_file_that_changes_on_the_way_is_refused(self, server, client, large):
        def change(count):
            with large.open("r+b") as file:
                file.seek(-10, os.SEEK_END)
                file.write(os.urandom(10))
            os.utime(large, ns=(1, 1))

        with pytest.raises(StorageError, match="changed"):
            client().put_file(large, progress=change)
        assert list(server.service.blobs.list()) == []

    def test_a_file_that_gets_shorter_on_the_way_is_refused(self, client, large):
        def shorten(count):
            os.truncate(large, 6 * MIB)

        with pytest.raises(StorageError):
            client().put_file(large, progress=shorten)

    def test_another_digest_than_announced_is_refused_by_the_server(self, server, client, large):
        with pytest.raises(BlobDamaged):
            client().put_file(large, digest=digest(b"other"))
        assert list(server.service.blobs.list()) == []

    def test_a_stream_that_does_not_fit_into_memory_travels_in_pieces_too(self, server, client):
        data = os.urandom(9 * MIB)
        info = client().put_blob(iter([data[:MIB], data[MIB:]]))
        assert b"".join(server.service.open_blob(info.digest)) == data
        assert server.asked("PATCH")


class TestDownloads:
    @pytest.fixture
    def kept(self, server, large):
        return server.service.put_file(large).digest

    def test_a_large_file_arrives_whole(self, client, large, kept, tmp_path):
        told = []
        client().materialise(kept, tmp_path / "copy", told.append)
        assert (tmp_path / "copy").read_bytes() == large.read_bytes()
        assert sum(told) == large.stat().st_size

    @pytest.mark.parametrize("after", [0, 10_000, 8 * MIB + 5, 13 * MIB])
    def test_a_broken_download_goes_on_where_it_stopped(self, server, client, large, kept, after):
        server.break_after = after
        told = []
        service = client()
        service.materialise(kept, large.with_name("copy"), told.append)
        assert large.with_name("copy").read_bytes() == large.read_bytes()
        assert sum(told) == large.stat().st_size

    def test_another_run_goes_on_with_what_an_earlier_one_fetched(self, client, large, kept):
        first = client()
        first._blobs._start(kept)
        first._blobs._arriving.append(
            kept, first._blobs._arriving.begin(kept).upload, 0, (large.read_bytes()[: 15 * MIB],)
        )
        sent = []
        client().materialise(kept, large.with_name("copy"), sent.append)
        assert large.with_name("copy").read_bytes() == large.read_bytes()

    def test_a_partial_file_that_went_bad_is_fetched_again(self, client, large, kept):
        service = client()
        arriving = service._blobs._arriving
        arriving.append(kept, arriving.begin(kept).upload, 0, (bytes(15 * MIB),))
        service.materialise(kept, large.with_name("copy"))
        assert large.with_name("copy").read_bytes() == large.read_bytes()

    def test_a_partial_file_that_is_whole_is_only_checked(self, server, client, large, kept):
        service = client()
        arriving = service._blobs._arriving
        arriving.append(kept, arriving.begin(kept).upload, 0, (large.read_bytes(),))
        service.materialise(kept, large.with_name("copy"))
        assert large.with_name("copy").read_bytes() == large.read_bytes()

    def test_two_clients_may_fetch_the_same_bytes_at_once(self, client, large, kept):
        services = [client(), client()]
        failed = []

        def fetch(service, number):
            try:
                service.materialise(kept, large.with_name(f"copy{number}"))
            except Exception as error:
                failed.append(error)

        threads = [threading.Thread(target=fetch, args=(s, n)) for n, s in enumerate(services)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert large.with_name("copy0").read_bytes() == large.with_name("copy1").read_bytes()

    def test_other_bytes_than_asked_for_never_get_into_the_cache(self, server, client, large, kept):
        place = server.service.location(kept)
        place.chmod(0o600)
        data = bytearray(large.read_bytes())
        data[5] ^= 1
        place.write_bytes(data)
        service = client()
        with pytest.raises((BlobDamaged, Unreachable)):
            service.materialise(kept, large.with_name("copy"))
        assert service.location(kept) is None
        assert not large.with_name("copy").exists()

    def test_what_is_not_there_is_not_found(self, client):
        with pytest.raises(BlobNotFound):
            client().materialise(digest(b"nothing"), "/nowhere")

    def test_small_files_take_one_request(self, server, client, tmp_path):
        kept = server.service.put_blob([b"small"]).digest
        server.seen.clear()
        client().materialise(kept, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == b"small"
        assert len(server.seen) == 1

    def test_empty_files_too(self, server, client, tmp_path):
        kept = server.service.put_blob([b""]).digest
        client().materialise(kept, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == b""

    def test_what_was_fetched_needs_no_server(self, server, client, large, kept):
        service = client()
        service.materialise(kept, large.with_name("copy"))
        server.seen.clear()
        service.materialise(kept, large.with_name("again"))
        assert server.seen == []


def test_a_proxy_of_the_environment_is_asked(server, client, large, monkeypatch):
    """The server itself stands in for the proxy of an address that leads nowhere."""
    kept = server.service.put_file(large).digest
    transport = client().transport
    transport.url = "http://models.example.invalid"
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    path, size = f"/api/v1/blobs/{kept}", large.stat().st_size
    with Connection(transport) as connection, connection.receive(path, {}, size=size) as answer:
        assert answer.read() == large.read_bytes()
