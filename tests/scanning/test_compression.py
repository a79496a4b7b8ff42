"""What was packed comes out again, by the same code for scanning and loading."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.hostile import _lz4
from modelyard.scanning.compression import compressor_of, inflated
from modelyard.scanning.findings import Unreadable

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "lz4": _lz4,
}
TEXTS = st.one_of(
    st.binary(max_size=2000),
    st.builds(lambda part, times: part * times, st.binary(min_size=1, max_size=40), st.integers(1, 20_000)),
)


def unpack(data: bytes, method: str) -> bytes:
    return inflated(io.BytesIO(data), method, size=len(data)).read()


@pytest.mark.parametrize("method", PACKERS)
@given(data=TEXTS)
def test_unpacking_undoes_packing(method: str, data: bytes) -> None:
    packed = PACKERS[method](data)
    assert compressor_of(packed) == method
    assert unpack(packed, method) == data


@pytest.mark.parametrize("method", PACKERS)
@given(data=st.binary(min_size=1, max_size=2000), cut=st.integers(1, 4))
def test_a_packed_stream_cut_short_is_noticed(method: str, data: bytes, cut: int) -> None:
    with pytest.raises(Unreadable):
        unpack(PACKERS[method](data)[:-cut], method)


@pytest.mark.parametrize("method", ["gzip", "bz2", "xz"])
def test_further_members_are_read_too(method: str) -> None:
    assert unpack(PACKERS[method](b"one") + PACKERS[method](b"two"), method) == b"onetwo"


@pytest.mark.parametrize("method", ["zlib", "lzma", "lz4"])
def test_bytes_behind_the_end_are_noticed(method: str) -> None:
    with pytest.raises(Unreadable):
        unpack(PACKERS[method](b"one") + b"more", method)


@given(data=st.binary(max_size=500))
def test_no_bytes_whatever_make_unpacking_fail_otherwise(data: bytes) -> None:
    for method, start in (
        ("lz4", b"\x04\x22\x4d\x18\x40\x40\xc0"),
        ("zlib", b"\x78\x9c"),
        ("gzip", b"\x1f\x8b\x08"),
    ):
        with suppress(Unreadable):
            unpack(start + data, method)
