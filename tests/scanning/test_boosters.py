"""Files of boosted trees and graphs: what is believed of them, and what is not."""

from __future__ import annotations

import io
import struct
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.records import ScanReport
from modelyard.scanning.boosters import scan_ubjson
from modelyard.scanning.findings import Unreadable
from modelyard.scanning.scanner import TracingScanner
from modelyard.scanning.source import over


def scan(data: bytes) -> ScanReport:
    return TracingScanner().scan(io.BytesIO(data), size=len(data))


def ubj(value: Any) -> bytes:
    """UBJSON as xgboost writes it: lengths of eight bytes, arrays with their count."""
    if isinstance(value, dict):
        return b"{" + b"".join(count(len(k)) + k.encode() + ubj(v) for k, v in value.items()) + b"}"
    if isinstance(value, list):
        return b"[#" + count(len(value)) + b"".join(map(ubj, value))
    if isinstance(value, bytes):  # numbers of one kind
        return b"[$U#" + count(len(value)) + value
    if isinstance(value, bool):
        return b"T" if value else b"F"
    if isinstance(value, int):
        return count(value)
    return b"S" + count(len(value)) + value.encode()


def count(number: int) -> bytes:
    return b"L" + struct.pack(">q", number)


MODEL = {
    "learner": {
        "attributes": {"scikit_learn": '{"_estimator_type": "classifier"}'},
        "feature_names": ["age", "sum"],
        "gradient_booster": {
            "trees": [{"left": b"\1\2\3", "version": "not this"}, {"right": b""}],
            "ok": True,
        },
        "learner_model_param": {"num_feature": "2"},
    },
    "version": [3, 2, 0],
}


def test_an_xgboost_file_is_read_to_its_end_and_summarised() -> None:
    data = ubj(MODEL)
    report = scan(data)
    assert (report.verdict, report.format, report.kind) == ("clean", "xgboost", "data")
    assert scan_ubjson(over(io.BytesIO(data), len(data))) == {
        "learner.attributes.scikit_learn": '{"_estimator_type": "classifier"}',
        "learner.feature_names": ["age", "sum"],
        "learner.learner_model_param.num_feature": "2",
        "version": [3, 2, 0],
    }


@pytest.mark.parametrize("cut", range(20, len(ubj(MODEL)), 23))
def test_an_xgboost_file_cut_short_or_with_more_behind_is_not_clean(cut: int) -> None:
    data = ubj(MODEL)
    assert scan(data[:cut]).verdict == "unknown"
    assert scan(data + data[:cut]).verdict == "unknown"


START = b"{L\0\0\0\0\0\0\0\x07learner"


@pytest.mark.parametrize(
    "rest",
    [
        b"S" + struct.pack(">cq", b"L", -1),
        b"SL\x7f" + b"\xff" * 7,
        b"Sd\0\0\0\0",
        b"[$d" + count(3),
        b"[$d#L" + struct.pack(">q", 2**60),
        b"[" * 5000,
        b"{" + count(1) + b"a" + b"?",
        b"]",
        b"",
    ],
)
def test_malformed_ubjson_is_not_clean(rest: bytes) -> None:
    assert scan(START + rest).verdict == "unknown"


@given(data=st.binary(max_size=60))
def test_ubjson_is_read_or_refused_and_never_fails_otherwise(data: bytes) -> None:
    whole = START + data
    try:
        scan_ubjson(over(io.BytesIO(whole), len(whole)))
    except Unreadable:
        return
    assert scan(whole).verdict in ("clean", "unknown")


def test_an_array_of_endless_constants_without_bytes_of_their_own_ends_at_once() -> None:
    started = time.process_time()
    assert scan(START + b"[$Z#" + count(2**60)).verdict == "unknown"
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("data", "format_"),
    [
        (b"CBM1" + struct.pack("<I", 24) + bytes(24), "catboost"),
        (b"CBM1" + struct.pack("<I", 24) + bytes(24) + b"further parts", "catboost"),
        (b"tree\nversion=v4\nnum_class=1\n", "lightgbm"),
        (b'{"learner":{"attributes":{}},"version":[3,2,0]}', "xgboost_json"),
    ],
)
def test_the_other_formats_are_called_by_their_names(data: bytes, format_: str) -> None:
    report = scan(data)
    assert (report.verdict, report.format, report.kind) == ("clean", format_, "data")


@pytest.mark.parametrize("data", [b"CBM1", b"CBM1" + struct.pack("<I", 25) + bytes(24), b"CBM1" + bytes(60)])
def test_a_catboost_file_shorter_than_it_says_is_not_clean(data: bytes) -> None:
    assert scan(data).verdict == "unknown"


def test_a_text_of_trees_may_not_construct_objects_for_a_yaml_reader() -> None:
    assert scan(b"tree\nversion=v4\n!!python/object/apply:os.system ['id']\n").verdict == "unsafe"


# ONNX, by the field numbers of onnx.proto


def varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def _field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def external(location: bytes) -> bytes:
    entry = _field(1, b"location") + _field(2, location)
    return _field(8, b"w") + _field(13, entry)


def model(*parts: bytes) -> bytes:
    return b"\x08\x08\x12\x07pytorch" + b"".join(parts)


def places(tensor: bytes) -> dict[str, bytes]:
    sparse = _field(1, tensor)
    attribute = _field(1, b"value") + _field(5, tensor)
    node = _field(4, b"Constant") + _field(5, attribute)
    inner = _field(1, node)
    return {
        "an initialiser": _field(7, _field(5, tensor)),
        "a sparse one": _field(7, _field(15, sparse)),
        "indices": _field(7, _field(15, _field(2, tensor))),
        "an attribute": _field(7, inner),
        "tensors": _field(7, _field(1, _field(5, _field(10, tensor)))),
        "a sparse attribute": _field(7, _field(1, _field(5, _field(22, sparse)))),
        "a branch": _field(7, _field(1, _field(5, _field(6, inner)))),
        "branches": _field(7, _field(1, _field(5, _field(11, inner)))),
        "a function": _field(25, _field(7, node)),
        "a default of a function": _field(25, _field(11, attribute)),
        "training": _field(20, _field(2, inner)),
        "behind numbers": _field(
            7,
            _field(
                1,
                _field(5, b"\x3d\0\0\0\0" * 50 + b"\x40\x85\x01" * 50 + _field(9, b"ab") + _field(5, tensor)),
            ),
        ),
    }


@pytest.mark.parametrize("place", sorted(places(b"")))
def test_A54_weights_outside_are_found_wherever_a_tensor_can_lie(place: str) -> None:
    assert scan(model(places(external(b"../x"))[place])).verdict == "unsafe"
    assert scan(model(places(external(b"beside.bin"))[place])).verdict == "clean"


def test_A54_a_path_too_long_to_read_is_not_clean() -> None:
    assert scan(model(places(external(b"a/" * 3000 + b"../" * 3001))["an attribute"])).verdict == "unknown"


def test_A54_graphs_nested_without_end_are_not_followed() -> None:
    body = b""
    for _ in range(100):
        body = _field(1, _field(5, _field(6, body)))
    assert scan(model(_field(7, body))).verdict == "unknown"


def test_a_forest_of_a_million_nodes_is_judged_at_once() -> None:
    many = (b"\x3d\0\0\0\0" + b"\x40\xff\x01" + _field(9, b"BRANCH_LEQ")) * 300_000
    data = model(_field(7, _field(1, _field(5, many))))
    started = time.process_time()
    assert scan(data).verdict == "clean"
    assert time.process_time() - started < 10
