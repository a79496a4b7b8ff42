"""Archives and configurations of deep-learning frameworks, made by hand: what of them is data, and what is code."""

from __future__ import annotations

import io
import json
import pickle
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.hostile import _zip
from modelyard.domain.records import ScanReport
from modelyard.scanning import rules, torchzip
from modelyard.scanning.allowed import keras as keras_names
from modelyard.scanning.scanner import TracingScanner

SYSTEM = b"cos\nsystem\n(S'true'\ntR."
STATE = pickle.dumps({"epoch": 1}, 2)
EXTRAS = {"version": b"3\n", "byteorder": b"little", ".data/serialization_id": b"0" * 40}


def scan(data: bytes) -> ScanReport:
    return TracingScanner().scan(io.BytesIO(data), size=len(data))


def torch_zip(root: str = "model", **files: bytes) -> bytes:
    named = {name.replace("__", "/").replace("_pkl", ".pkl"): data for name, data in files.items()}
    return _zip({f"{root}/{name}": data for name, data in {**named, **EXTRAS}.items()})


def test_plain_weights_are_clean() -> None:
    report = scan(torch_zip(data_pkl=STATE, data__0=bytes(range(200))))
    assert (report.verdict, report.format, report.kind) == ("clean", "torch", "code-capable")


@pytest.mark.parametrize("root", ["data", "model", "x"])
def test_the_pickle_is_followed_whatever_the_archive_is_called(root: str) -> None:
    """torch's root is the first component of the first name, so ``data/data.pkl`` is no storage."""
    assert scan(torch_zip(root, data_pkl=SYSTEM)).verdict == "unsafe"


def test_a_second_pickle_elsewhere_is_followed_too() -> None:
    for name in (
        "other/data.pkl",
        "model/deep/data.pkl",
        "model/DATA.PKL",
        "model/data/deep/0",
        "other/data/0",
    ):
        files = {"model/data.pkl": STATE, "model/data/0": b"\0" * 16, name: SYSTEM}
        assert scan(_zip(files)).verdict == "unsafe", name


def test_torchscript_needs_trust_and_hides_no_pickle() -> None:
    own = b"c__torch__.Net\nNet\n)\x81."
    report = scan(torch_zip(data_pkl=own, constants_pkl=b").", code__net_py=b"def f(): pass\n"))
    assert (report.verdict, report.format, report.globals) == ("unknown", "torchscript", (torchzip.SCRIPT,))
    for name in ("data_pkl", "constants_pkl", "code__net_debug_pkl"):
        files = {"data_pkl": own, "constants_pkl": b").", name: SYSTEM}
        assert scan(torch_zip(**files)).verdict == "unsafe", name


def test_an_exported_program_needs_trust_and_hides_no_pickle() -> None:
    files = {
        "archive_format": b"pt2",
        "models__model.json": b"{}",
        "data__weights__weight_0": b"\x01\x02\xfe" * 9,
    }
    report = scan(torch_zip(**files))
    assert (report.verdict, report.format, report.globals) == ("unknown", "torch_export", (torchzip.EXPORT,))
    assert report.reasons == ("torch_export.program is not on the allowlist",)
    for name in ("data__weights__weight_0", "data__constants__c", "data__sample_inputs__model.pt"):
        assert scan(torch_zip(**{**files, name: SYSTEM})).verdict == "unsafe", name


@pytest.mark.parametrize(
    "name", [torchzip.SCRIPT, torchzip.EXPORT, "keras.layers.Lambda", "my_pkg.loader._load_pyfunc"]
)
def test_what_stands_for_a_program_can_be_trusted_by_its_name(name: str) -> None:
    assert not rules.denied(name)
    assert not rules.allowed(name)
    assert rules.matches(name, (name,))


def keras_zip(layer: dict[str, Any], weights: bytes = b"\x89HDF\r\n\x1a\n" + b"\0" * 40) -> bytes:
    config = {"module": "keras.models", "class_name": "Sequential", "config": {"layers": [layer]}}
    files = {"config.json": json.dumps(config).encode(), "metadata.json": b"{}", "model.weights.h5": weights}
    return _zip(files)


DENSE = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 2}, "registered_name": None}


def test_layers_of_keras_are_clean() -> None:
    report = scan(keras_zip(DENSE))
    assert (report.verdict, report.format, report.globals) == ("clean", "keras", ())


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"class_name": "Lambda"}, "keras.layers.Lambda"),
        (
            {"config": {"function": {"class_name": "__lambda__", "config": {"code": "4wEA"}}}},
            "keras.layers.Lambda",
        ),
        ({"module": "my_pkg.layers"}, "my_pkg.layers.Dense"),
        ({"module": None, "registered_name": "my_pkg>Dense"}, "my_pkg.Dense"),
        ({"module": None}, "Custom.Dense"),
        ({"registered_name": "my_pkg>Dense"}, "my_pkg.Dense"),
        ({"class_name": "function", "config": "evil", "module": "my_pkg"}, "my_pkg.evil"),
        ({"class_name": "function", "config": "load_model", "module": "builtins"}, "keras.load_model"),
        ({"class_name": "function", "config": ["x"]}, "keras.unnamed"),
        ({"class_name": "TFSMLayer"}, "keras.layers.TFSMLayer"),
        ({"class_name": "__typespec__", "spec_name": "Spec", "module": "my_pkg"}, "my_pkg.Spec"),
    ],
)
def test_what_is_not_of_keras_needs_trust_by_name(change: dict[str, Any], name: str) -> None:
    report = scan(keras_zip({**DENSE, **change}))
    assert (report.verdict, report.globals) == ("unknown", (name,))


@pytest.mark.parametrize(("module", "name"), [("os", "system"), ("builtins", "eval"), ("subprocess", "run")])
def test_what_no_trust_opens_is_unsafe_in_keras_too(module: str, name: str) -> None:
    expected = "unknown" if module == "builtins" else "unsafe"  # Keras looks for builtins in itself only
    assert (
        scan(keras_zip({**DENSE, "class_name": "function", "module": module, "config": name})).verdict
        == expected
    )


def test_functions_and_values_of_keras_are_clean() -> None:
    relu = {"module": "builtins", "class_name": "function", "config": "relu", "registered_name": "relu"}
    tensor = {"class_name": "__keras_tensor__", "config": {"shape": [None, 2], "dtype": "float32"}}
    assert scan(keras_zip({**DENSE, "config": {"activation": relu, "inputs": [tensor]}})).verdict == "clean"


def test_a_layer_that_reads_a_file_is_never_clean() -> None:
    report = scan(keras_zip({**DENSE, "config": {"vocabulary": "https://example.org/words"}}))
    assert report.verdict == "unknown"
    assert "https://example.org/words" in report.reasons[0]


def test_weights_that_are_no_weights_are_never_clean() -> None:
    assert scan(keras_zip(DENSE, SYSTEM)).verdict != "clean"
    assert scan(_zip({"config.json": b"{", "model.weights.h5": b"\x89HDF\r\n\x1a\n"})).verdict == "unknown"


def test_the_names_of_keras_are_none_that_run_text_open_files_or_can_be_pickled() -> None:
    names = rules.listed(keras_names.NAMES)
    words = ("Lambda", "TFSM", "TorchModule", "Jax", "Flax", "load", "save", "deserialize", "get_file")
    assert [name for name in names if any(word in name.rpartition(".")[2] for word in words)] == []
    assert not any(rules.allowed(name) for name in names)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n", "clean"),
        ("flavors:\n  python_function:\n    loader_module: my_pkg.loader\n", "unknown"),
        ("flavors: {python_function: {loader_module: my_pkg.loader, code: code}}\n", "unknown"),
        ('flavors:\n  python_function:\n    "loader_module": "my_pkg"\n', "unknown"),
        ("flavors:\n  python_function:\n    loader_module: >\n      my_pkg\n", "unknown"),
        ("flavors:\n  python_function:\n    loader_module: os\n", "unsafe"),
        ("flavors:\n  sklearn:\n    pickled_model: ../../model.pkl\n", "unsafe"),
        ("flavors:\n  sklearn:\n    pickled_model: '/etc/model.pkl'\n", "unsafe"),
        ("flavors:\n  sklearn:\n    code: null\n    pickled_model: model.pkl\n", "clean"),
    ],
)
def test_an_mlmodel_file_is_judged_by_its_loader_and_its_paths(text: str, verdict: str) -> None:
    assert scan(text.encode()).verdict == verdict


@pytest.mark.parametrize(
    ("config", "verdict"),
    [
        ({"model_type": "bert"}, "clean"),
        ({"auto_map": None}, "clean"),
        ({"auto_map": {}}, "clean"),
        ({"auto_map": {"AutoModel": "evil.Model"}}, "unknown"),
    ],
)
def test_a_configuration_that_names_code_is_never_clean(config: dict[str, Any], verdict: str) -> None:
    assert scan(json.dumps(config).encode()).verdict == verdict


def packed(value: Any) -> bytes:
    """MessagePack of dicts, lists, bytes, short texts, numbers and ``None``."""
    if value is None:
        return b"\xc0"
    if isinstance(value, int):
        return b"\xcf" + struct.pack(">Q", value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"\xd9" + bytes([len(value.encode())]) + value.encode()
    if isinstance(value, bytes):
        return b"\xc6" + struct.pack(">I", len(value)) + value
    if isinstance(value, list):
        return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(packed, value))
    items = b"".join(packed(key) + packed(item) for key, item in value.items())
    return (
        bytes([0x80 | len(value)]) if len(value) < 16 else b"\xdf" + struct.pack(">I", len(value))
    ) + items


scalars = st.none() | st.integers(0, 2**64 - 1) | st.floats() | st.text(max_size=20) | st.binary(max_size=20)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner), max_leaves=20
)


@given(value=st.dictionaries(st.text(min_size=1, max_size=9), values, min_size=1, max_size=20))
def test_messagepack_is_read_to_its_last_byte(value: dict[str, Any]) -> None:
    data = b"\xdf" + struct.pack(">I", len(value)) + packed(value)[1 if len(value) < 16 else 5 :]
    assert scan(data).format == "msgpack"
    assert scan(data[:-1]).verdict == scan(data + b"\xc0").verdict == "unknown"


def test_a_pickle_inside_messagepack_is_never_clean() -> None:
    assert scan(packed({"weights": b"\x01\x02" * 50})).verdict == "clean"
    assert scan(packed({"kind": "O", "data": pickle.dumps([1, 2, 3])})).verdict == "unknown"
