"""Laws of the symbolic machine."""

from __future__ import annotations

import io
import pickle
import pickletools
from collections import OrderedDict, defaultdict, deque
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modelyard.scanning.findings import Findings, Unreadable
from modelyard.scanning.pickles import trace
from modelyard.scanning.scanner import TracingScanner
from modelyard.scanning.source import over

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.complex_numbers(),
    st.dates(), st.datetimes(timezones=st.just(UTC)), st.timedeltas(), st.decimals(allow_nan=False), st.fractions(),
    st.uuids(), st.binary().map(bytearray),
)  # fmt: skip
KEYS = st.one_of(st.text(), st.integers(), st.dates())
DATA = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner),
        st.tuples(inner, inner),
        st.dictionaries(KEYS, inner),
        st.frozensets(KEYS),
        st.sets(KEYS),
        st.lists(inner).map(deque),
        st.dictionaries(KEYS, inner).map(OrderedDict),
        st.dictionaries(KEYS, inner).map(lambda found: defaultdict(list, found)),
    ),
    max_leaves=20,
)
PROTOCOLS = st.integers(0, 5)


def follow(data: bytes, *, arrays: bool = True) -> tuple[Findings, int]:
    findings = Findings()
    source = over(io.BytesIO(data), len(data))
    trace(source, findings, arrays=arrays)
    return findings, source.tell()


@given(value=DATA, protocol=PROTOCOLS)
def test_harmless_data_is_clean_in_every_protocol(value: Any, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    findings, end = follow(data)
    assert (findings.verdict, findings.reasons()) == ("clean", ())
    assert end == len(data)


@pytest.mark.parametrize("code", [pickle.BINBYTES8, pickle.BYTEARRAY8, pickle.BINUNICODE8])
@pytest.mark.parametrize("framed", [True, False])
def test_a_length_that_nothing_has_is_unreadable(code: bytes, framed: bool) -> None:
    body = code + b"\xff" * 8 + b"x."
    frame = pickle.FRAME + len(body).to_bytes(8, "little") if framed else b""
    data = b"\x80\x05" + frame + body
    assert TracingScanner().scan(io.BytesIO(data), size=len(data)).verdict == "unknown"


@given(value=DATA, protocol=PROTOCOLS)
def test_optimised_and_unframed_streams_are_clean_too(value: Any, protocol: int) -> None:
    data = pickletools.optimize(pickle.dumps(value, protocol))
    assert follow(data)[0].verdict == "clean"


@given(value=DATA, protocol=PROTOCOLS, cut=st.floats(0, 1, exclude_max=True))
def test_a_stream_cut_short_is_never_followed_to_the_end(value: Any, protocol: int, cut: float) -> None:
    data = pickle.dumps(value, protocol)
    with pytest.raises(Unreadable):
        follow(data[: int(len(data) * cut)])


@given(data=st.binary(max_size=300))
def test_no_bytes_whatever_make_the_scanner_fail(data: bytes) -> None:
    report = TracingScanner().scan(io.BytesIO(b"\x80\x04" + data), size=len(data) + 2)
    assert report.verdict in ("clean", "unsafe", "unknown")


@given(value=DATA, at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_one_changed_byte_never_makes_the_scanner_fail(value: Any, at: int, byte: int) -> None:
    data = bytearray(pickle.dumps({"model": value, "array": np.arange(3)}, 4))
    data[at % len(data)] = byte
    assert TracingScanner().scan(io.BytesIO(bytes(data)), size=len(data)).verdict != "error"


@given(value=DATA, protocol=PROTOCOLS)
def test_whatever_is_clean_can_be_loaded_with_the_recorded_names_alone(value: Any, protocol: int) -> None:
    """The tracer names at least what the real machine looks up."""

    class Recorder(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            seen.add(f"{module}.{name}")
            return super().find_class(module, name)

    seen: set[str] = set()
    data = pickle.dumps(value, protocol)
    Recorder(io.BytesIO(data), fix_imports=True).load()
    renamed = {name.replace("__builtin__", "builtins").replace("copy_reg", "copyreg") for name in seen}
    renamed = {"builtins.range" if name == "builtins.xrange" else name for name in renamed}
    assert renamed <= follow(data)[0].names


@given(
    array=hnp.arrays(
        st.one_of(hnp.scalar_dtypes(), hnp.array_dtypes(), hnp.nested_dtypes()),
        hnp.array_shapes(min_dims=0, max_dims=3),
    ),
    protocol=PROTOCOLS,
)
def test_the_bytes_of_every_array_are_skipped_exactly(array: Any, protocol: int) -> None:
    file = io.BytesIO()
    joblib.dump({"before": 1, "array": array, "after": [np.arange(3), "text"]}, file, protocol=protocol)
    data = file.getvalue()
    if array.dtype.itemsize == 0:  # numpy itself cannot read such an array back from a joblib file
        with pytest.raises(Unreadable, match="without size"):
            follow(data)
        return
    findings, end = follow(data)
    assert findings.verdict == "clean"
    assert end == len(data)


@given(items=st.lists(st.one_of(st.text(), st.none(), st.dates(), st.decimals(allow_nan=False)), max_size=5))
def test_arrays_of_objects_are_followed_into_their_own_stream(items: list[Any]) -> None:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    file = io.BytesIO()
    joblib.dump([array, date(2024, 1, 1), timedelta(1), Decimal(1), Fraction(1), datetime.now(UTC)], file)
    findings, end = follow(file.getvalue())
    assert findings.verdict == "clean"
    assert end == len(file.getvalue())


def test_a_name_of_neither_list_is_unknown_and_named() -> None:
    data = b"\x80\x04\x8c\x06my_pkg\x8c\x05Model\x93)\x81."
    report = TracingScanner().scan(io.BytesIO(data), size=len(data))
    assert (report.verdict, report.globals) == ("unknown", ("my_pkg.Model",))
    assert report.reasons == ("my_pkg.Model is not on the allowlist",)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x80\x04cnumpy\ncore.multiarray._reconstruct\n.", "reached through attributes"),
        (b"\x80\x04ccollections\nOrderedDict\n\x8c\x01xNs.", "changes the global"),
        (b"\x80\x04ccollections\nOrderedDict\nNa.", "changes the global"),
        (b"\x80\x04ccollections\nOrderedDict\n}b.", "changes the global"),
        (b"\x80\x05\x97.", "buffers that are not in the file"),
        (b"\x80\x04)R.", "malformed"),
        (b"\x80\x04" + b"\x95" + b"\xff" * 8 + b".", "frame larger"),
        (b"\x80\x04\x95\x0b\0\0\0\0\0\0\0\x95\x01\0\0\0\0\0\0\0N..", "frame inside a frame"),
        (b"\x80\x04\x95\x03\0\0\0\0\0\0\0N.N.", "inside its last frame"),
        (b"\x80\x04N.garbage", "truncated"),
        (b"\x80\x06N.", "format that is not known"),
        (b"\x80\x04r\xff\xff\xff\x7f.", "malformed"),
        (b"\x80\x04Nr\x05\0\0\0\x94.", "two ways of numbering"),
    ],
)
def test_what_two_machines_could_read_differently_is_not_clean(data: bytes, reason: str) -> None:
    report = TracingScanner().scan(io.BytesIO(data), size=len(data))
    assert report.verdict != "clean"
    assert any(reason in found for found in report.reasons), report
