"""The routes for bytes as any HTTP client sees them, sound or hostile."""

from __future__ import annotations

import hashlib
import socket
import time

import httpx
import pytest

HERE = "/api/v1/blobs"
DATA = bytes(range(256)) * 4096


def digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture
def ann(server):
    with httpx.Client(base_url=server.url, headers={"Authorization": "Bearer ann"}, timeout=60) as client:
        yield client


@pytest.fixture
def bob(server):
    with httpx.Client(base_url=server.url, headers={"Authorization": "Bearer bob"}, timeout=60) as client:
        yield client


@pytest.fixture
def place(ann):
    """The address of a fresh upload of ann's."""
    answer = ann.post(f"{HERE}/uploads")
    assert answer.status_code == 202
    return answer.headers["location"]


def send(client, place, data, start, **headers):
    span = {"Content-Range": f"{start}-{start + len(data) - 1}"}
    return client.patch(place, content=data, headers=span | headers)


def raw(server, head, body=b""):
    """Send bytes as they are, hang up, and give back what was answered."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as wire:
        wire.sendall(head.replace("\n", "\r\n").encode() + body)
        wire.shutdown(socket.SHUT_WR)
        answer = b""
        while more := wire.recv(65536):
            answer += more
    return answer


def put_head(data, length):
    return f"PUT {HERE}/{digest(data)} HTTP/1.1\nHost: x\nAuthorization: Bearer ann\n{length}\n\n"


def until(ask, good):
    """Ask again and again, for a minute at most."""
    ends = time.monotonic() + 60
    while not good(found := ask()):
        assert time.monotonic() < ends, found
        time.sleep(0.01)
    return found


class TestUploads:
    def test_pieces_with_ranges_as_registries_of_images_take_them(self, server, ann, place):
        first = send(ann, place, DATA[:1000], 0)
        assert (first.status_code, first.headers["range"], first.headers["location"]) == (202, "0-999", place)
        second = send(ann, place, DATA[1000:], 1000)
        assert second.json()["size"] == len(DATA)
        assert ann.get(place).headers["range"] == f"0-{len(DATA) - 1}"
        done = ann.put(place, params={"digest": digest(DATA)})
        assert (done.status_code, done.headers["location"]) == (201, f"{HERE}/{digest(DATA)}")
        assert b"".join(server.service.open_blob(digest(DATA))) == DATA

    def test_the_last_piece_may_come_with_the_end_and_without_a_range(self, server, ann, place):
        ann.patch(place, content=DATA[:1000])
        done = ann.put(place, params={"digest": digest(DATA)}, content=DATA[1000:])
        assert done.status_code == 201
        assert server.service.find_blob(digest(DATA)).size == len(DATA)

    def test_finishing_twice_says_the_same_and_stores_once(self, ann, place):
        send(ann, place, DATA, 0)
        answers = [ann.put(place, params={"digest": digest(DATA)}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()

    @pytest.mark.parametrize("start", [0, 500, 2000])
    def test_overlapping_repeated_and_skipping_pieces_are_refused(self, ann, place, start):
        send(ann, place, DATA[:1000], 0)
        answer = send(ann, place, DATA[:1000], start)
        assert (answer.status_code, answer.json()["code"], answer.json()["data"]["offset"]) == (
            409,
            "conflict",
            1000,
        )
        assert ann.get(place).json()["size"] == 1000

    @pytest.mark.parametrize(
        "span", ["5-1", "a-b", "-5", "0-", "0-4,6-9", "0-99999999999999999999", "٠-٩", ""]
    )
    def test_a_range_that_is_none_is_refused(self, ann, place, span):
        answer = ann.patch(place, content=b"12345", headers={"Content-Range": span.encode()})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
        assert ann.get(place).json()["size"] == 0

    @pytest.mark.parametrize("span", ["0-3", "0-5", "0-9"])
    def test_a_range_of_another_length_than_the_body_is_refused(self, ann, place, span):
        assert ann.patch(place, content=b"12345", headers={"Content-Range": span}).status_code == 400
        assert ann.get(place).json()["size"] == 0

    def test_a_body_longer_than_its_range_is_cut_off_at_the_server(self, ann, place):
        def chunks():
            yield b"12345"
            yield b"67890"

        answer = ann.patch(place, content=chunks(), headers={"Content-Range": "0-4"})
        assert answer.status_code == 400
        assert ann.get(place).json()["size"] <= 5

    def test_other_bytes_than_announced_leave_nothing(self, server, ann, place):
        send(ann, place, DATA, 0)
        answer = ann.put(place, params={"digest": digest(b"other")})
        assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (
            422,
            "blob_damaged",
            422,
        )
        assert ann.get(place).status_code == 404
        assert list(server.service.blobs.list()) == []

    @pytest.mark.parametrize("given", ["", "sha256:x", "md5:" + "0" * 32, "sha256:" + "A" * 64])
    def test_a_digest_must_be_one(self, ann, place, given):
        assert ann.put(place, params={"digest": given}).status_code == 400
        assert ann.get(place).status_code == 200

    def test_somebody_elses_upload_is_as_unknown_as_none(self, ann, bob, place):
        send(ann, place, DATA, 0)
        nowhere = f"{HERE}/uploads/{'0' * 32}"
        for method, more in (
            ("GET", {}),
            ("PATCH", {"content": b"x"}),
            ("PUT", {"params": {"digest": digest(DATA)}}),
            ("DELETE", {}),
        ):
            theirs, none = bob.request(method, place, **more), bob.request(method, nowhere, **more)
            assert (theirs.status_code, none.status_code) == (404, 404)
            assert theirs.json()["code"] == none.json()["code"]
        assert ann.get(place).json()["size"] == len(DATA)

    def test_what_was_given_up_is_gone(self, ann, place):
        assert ann.delete(place).status_code == 204
        assert ann.get(place).status_code == 404

    def test_one_caller_cannot_begin_without_end(self, ann, bob):
        codes = [ann.post(f"{HERE}/uploads").status_code for _ in range(33)]
        assert codes == [202] * 32 + [429]
        assert bob.post(f"{HERE}/uploads").status_code == 202

    def test_a_body_that_breaks_off_keeps_what_arrived(self, server, ann, place):
        data = DATA * 3
        head = f"PATCH {place} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ann\r\nContent-Length: {len(data)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as wire:
            wire.sendall(head.encode() + data[: len(DATA) * 2])
            size = until(lambda: ann.get(place).json()["size"], lambda size: size >= len(DATA))
        answer = until(
            lambda: send(ann, place, data[(size := ann.get(place).json()["size"]) :], size),
            lambda answer: answer.status_code == 202,  # as long as the broken one still holds it: 409
        )
        assert size >= len(DATA)
        assert answer.json()["size"] == len(data)
        assert ann.put(place, params={"digest": digest(data)}).status_code == 201


class TestPut:
    def test_other_bytes_than_the_address_says_are_refused(self, server, ann):
        answer = ann.put(f"{HERE}/{digest(b'other')}", content=DATA)
        assert (answer.status_code, answer.json()["code"]) == (422, "blob_damaged")
        assert list(server.service.blobs.list()) == []

    def test_a_body_that_breaks_off_stores_nothing(self, server, ann):
        raw(server, put_head(DATA, f"Content-Length: {len(DATA)}"), DATA[:-1])
        assert ann.get(f"{HERE}/{digest(DATA)}").status_code == 404
        assert list((server.folder / "tmp").glob("*")) == []

    def test_chunks_without_an_end_store_nothing(self, server, ann):
        raw(server, put_head(b"12345", "Transfer-Encoding: chunked"), b"5\r\n12345\r\n")
        assert ann.get(f"{HERE}/{digest(b'12345')}").status_code == 404


class TestGet:
    @pytest.fixture
    def stored(self, server):
        server.service.put_blob([DATA])
        return f"{HERE}/{digest(DATA)}"

    @pytest.mark.parametrize(
        ("asked", "first", "last"),
        [
            ("bytes=0-0", 0, 0),
            ("bytes=5-9", 5, 9),
            ("bytes=1048570-", 1048570, 1048575),
            ("bytes=9-99999999", 9, 1048575),
        ],
    )
    def test_ranges(self, ann, stored, asked, first, last):
        answer = ann.get(stored, headers={"Range": asked})
        assert (answer.status_code, answer.headers["content-range"]) == (
            206,
            f"bytes {first}-{last}/{len(DATA)}",
        )
        assert answer.content == DATA[first : last + 1]

    @pytest.mark.parametrize("asked", ["bytes=1048576-", "bytes=9-5"])
    def test_a_range_outside_is_told_the_size(self, ann, stored, asked):
        answer = ann.get(stored, headers={"Range": asked})
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(DATA)}")
        assert answer.json()["status"] == 416

    @pytest.mark.parametrize("asked", ["lines=1-2", "bytes=a-b", "bytes=0-1,5-6", "bytes"])
    def test_a_range_that_is_not_understood_is_ignored(self, ann, stored, asked):
        answer = ann.get(stored, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (200, DATA)

    def test_the_last_bytes_may_be_asked_for(self, ann, stored):
        answer = ann.get(stored, headers={"Range": "bytes=-10"})
        assert (answer.status_code, answer.content) == (206, DATA[-10:])

    def test_whoever_has_the_bytes_is_told_so(self, ann, stored):
        tag = ann.head(stored).headers["etag"]
        for said in (tag, f'"x", {tag}', f"W/{tag}", "*"):
            answer = ann.get(stored, headers={"If-None-Match": said})
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        assert ann.get(stored, headers={"If-None-Match": '"x"'}).status_code == 200

    def test_a_head_has_the_size_and_no_body(self, ann, stored):
        answer = ann.head(stored)
        assert (answer.headers["content-length"], answer.content) == (str(len(DATA)), b"")

    def test_the_empty_blob_is_an_answer_even_to_a_range(self, server, ann):
        server.service.put_blob([b""])
        answer = ann.get(f"{HERE}/{digest(b'')}", headers={"Range": "bytes=0-100"})
        assert (answer.status_code, answer.content) == (200, b"")

    def test_bytes_that_went_bad_are_cut_off_before_the_end(self, server, ann, stored):
        place = server.service.location(digest(DATA))
        place.chmod(0o600)
        place.write_bytes(b"!" + DATA[1:])
        with pytest.raises(httpx.RemoteProtocolError):
            ann.get(stored)
