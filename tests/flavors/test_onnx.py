"""ONNX: graphs, weights beside them, and weights that point elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard import ModelRegistry
from modelyard.domain.errors import InvalidInput, LoadRefused
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import detect
from modelyard.flavors.onnx import OnnxFlavor
from modelyard.ports.flavors import SaveOptions, Trust
from modelyard.testing.flavors import FlavorContract

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'modelyard[onnx]'")

WEIGHTS = np.arange(6, dtype="f4").reshape(3, 2)


def graph() -> Any:
    from onnx import TensorProto, helper, numpy_helper

    body = helper.make_graph(
        [helper.make_node("MatMul", ["x", "W"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 2])],
        [numpy_helper.from_array(WEIGHTS, "W")],
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], producer_name="tests")
    model.ir_version = 9
    return model


def outside(folder: Path, location: str = "weights.bin") -> Any:
    """The same graph with its weights in a file, as onnx itself writes it; read back without them."""
    onnx.save(
        graph(), folder / "net.onnx", save_as_external_data=True, size_threshold=0, location="weights.bin"
    )
    model = onnx.load(folder / "net.onnx", load_external_data=False)
    model.graph.initializer[0].external_data[0].value = location
    return model


class TestOnnx(FlavorContract):
    flavor = OnnxFlavor()
    data_only = True

    def model(self) -> Any:
        return graph()

    def same(self, a: Any, b: Any) -> bool:
        return bool(a == b)


def test_inputs_outputs_and_sizes_are_recorded(tmp_path: Path) -> None:
    record = OnnxFlavor().save(graph(), tmp_path, SaveOptions())
    assert (record.framework, record.framework_version) == ("onnx", onnx.__version__)
    assert record.facts == {
        "inputs": [{"name": "x", "type": "float", "shape": [-1, 3]}],
        "outputs": [{"name": "y", "type": "float", "shape": [-1, 2]}],
        "opsets": {"ai.onnx": 17},
        "ir_version": 9,
        "num_nodes": 1,
        "num_parameters": 6,
        "n_features_in": 3,
        "producer": "tests",
    }


def test_a_sequence_and_an_unknown_shape_are_told_as_they_are() -> None:
    from onnx import TensorProto, helper

    from modelyard.flavors.onnx import facts

    inner = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    inputs = [
        helper.make_value_info("s", inner),
        helper.make_tensor_value_info("t", TensorProto.INT64, None),
        helper.make_tensor_value_info("scalar", TensorProto.INT64, []),
    ]
    found = facts(helper.make_model(helper.make_graph([], "g", inputs, [])))
    assert found["inputs"] == [
        {"name": "s", "type": "sequence", "shape": None},
        {"name": "t", "type": "int64", "shape": None},
        {"name": "scalar", "type": "int64", "shape": []},
    ]


def test_a_session_of_onnxruntime_can_be_had_instead(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install onnxruntime")
    registry = ModelRegistry(tmp_path / "registry")
    registry.register_model(graph(), "net")
    session = registry.load_model("net", form="session")
    (found,) = session.run(None, {"x": np.ones((2, 3), "f4")})
    assert np.array_equal(found, np.ones((2, 3)) @ WEIGHTS)


def test_a_directory_with_weights_beside_the_graph_loads_whole(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    outside(folder)
    registry = ModelRegistry(tmp_path / "registry")
    version = registry.get_model(registry.register_model(folder, "net"))
    assert (version.flavor.name, version.flavor.entry) == ("onnx", "net.onnx")
    assert registry.load_model("net") == graph()


@pytest.mark.parametrize(
    "location", ["../secret", "/etc/passwd", "deep/../../secret", "..\\secret", "C:secret", "", "missing.bin"]
)
def test_A54_weights_outside_the_version_are_never_read(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(b"\0" * 24)
    (folder / "net.onnx").write_bytes(outside(folder, location).SerializeToString())
    with pytest.raises(LoadRefused, match="not a file of this version"):
        OnnxFlavor().load(folder, FlavorRecord(name="onnx", entry="net.onnx"), Trust())


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("offset", "20", "shorter"),
        ("length", "9999", "shorter"),
        ("offset", "-4", "no whole number"),
        ("length", "1e3", "no whole number"),
        ("offset", "9" * 30, "no whole number"),
    ],
)
def test_weights_that_their_file_does_not_hold_are_refused(
    key: str, value: str, words: str, tmp_path: Path
) -> None:
    model = outside(tmp_path)
    for item in model.graph.initializer[0].external_data:
        if item.key == key:
            item.value = value
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(LoadRefused, match=words):
        OnnxFlavor().load(tmp_path, FlavorRecord(name="onnx", entry="net.onnx"), Trust())


def test_weights_in_attributes_subgraphs_and_functions_are_taken_in_too(tmp_path: Path) -> None:
    from onnx import helper

    tensor = outside(tmp_path).graph.initializer[0]
    constant = helper.make_node("Constant", [], ["c"], value=tensor)
    inner = helper.make_graph([constant], "inner", [], [])
    choice = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    function = helper.make_function("mine", "F", [], ["c"], [constant], [helper.make_opsetid("", 17)])
    model = helper.make_model(helper.make_graph([choice], "g", [], []), functions=[function])
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    loaded = OnnxFlavor().load(tmp_path, FlavorRecord(name="onnx", entry="net.onnx"), Trust())
    branches = [attribute.g.node[0] for attribute in loaded.graph.node[0].attribute]
    for node in (*branches, loaded.functions[0].node[0]):
        assert node.attribute[0].t.raw_data == WEIGHTS.tobytes()
        assert not node.attribute[0].t.external_data


def test_a_live_graph_without_its_weights_is_refused_at_registration(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="register the directory"):
        OnnxFlavor().save(outside(tmp_path), tmp_path, SaveOptions())
    with pytest.raises(InvalidInput, match="ModelProto, found dict"):
        OnnxFlavor().save({}, tmp_path, SaveOptions())


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"\x08\x08\x12\x05pytorch" * 9)
    with pytest.raises(LoadRefused, match="not an ONNX model"):
        OnnxFlavor().load(tmp_path, FlavorRecord(name="onnx", entry="net.onnx"), Trust())


def test_a_file_of_any_name_is_known_and_two_in_a_directory_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(graph().SerializeToString())
    assert detect.flavor_of_file(tmp_path / "a.bin").name == "onnx"
    assert detect.flavor_of_directory(tmp_path).name == "onnx"
    (tmp_path / "b.bin").write_bytes(graph().SerializeToString())
    assert detect.flavor_of_directory(tmp_path).name == "directory"
