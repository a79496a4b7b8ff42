"""Signatures that models carry with them: each kind of model for real, small."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modelyard import ModelRegistry
from modelyard.domain.errors import BumpRefused, InvalidInput
from modelyard.domain.records import FlavorRecord
from modelyard.domain.signature import Field, Signature
from modelyard.flavors import carried, onnx_schema

TABLE = pd.DataFrame({"age": [31.0, 28, 45, 60], "income": [1.0, 2, 3, 4]})
Y = np.array([0, 1, 0, 1])
NAMED = Signature(inputs=(Field(name="age", type="any"), Field(name="income", type="any")))
COUNTED = Signature(inputs=(Field(type="any", shape=(-1, 2)),))


def read(model: Any, **facts: Any) -> Signature | None:
    """What a live model says; its flavor knows ``facts``."""
    return carried.read(FlavorRecord(name="joblib", facts=facts), model, None)


# --- estimators ---------------------------------------------------------------------------------------------


def estimators() -> dict[str, Any]:
    from sklearn.ensemble import VotingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    plain = LogisticRegression()
    return {
        "estimator": plain,
        "pipeline": make_pipeline(StandardScaler(), plain),
        "search": GridSearchCV(plain, {"C": [1.0]}, cv=2),
        "vote": VotingClassifier([("a", plain)]),
    }


@pytest.mark.parametrize("kind", ["estimator", "pipeline", "search", "vote"])
def test_scikit_learn_knows_the_names_of_a_tables_columns_and_the_width_of_an_array(kind: str) -> None:
    pytest.importorskip("sklearn")
    model = estimators()[kind]
    assert read(model) is None, "nothing is known before it is fitted"
    assert read(model.fit(TABLE, Y)) == NAMED
    assert read(estimators()[kind].fit(TABLE.to_numpy(), Y)) == COUNTED


def test_xgboost_knows_them_with_and_without_the_estimator() -> None:
    xgboost = pytest.importorskip("xgboost")
    on_table = xgboost.XGBClassifier(n_estimators=2).fit(TABLE, Y)
    on_array = xgboost.XGBClassifier(n_estimators=2).fit(TABLE.to_numpy(), Y)
    assert [read(model) for model in (on_table, on_table.get_booster())] == [NAMED, NAMED]
    assert [read(model) for model in (on_array, on_array.get_booster())] == [COUNTED, COUNTED]
    assert read(xgboost.XGBClassifier()) is None


def test_lightgbm_knows_them_with_and_without_the_estimator() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    options = {"n_estimators": 2, "min_child_samples": 1, "verbosity": -1}
    on_table = lightgbm.LGBMClassifier(**options).fit(TABLE, Y)
    on_array = lightgbm.LGBMClassifier(**options).fit(TABLE.to_numpy(), Y)
    assert [read(model) for model in (on_table, on_table.booster_)] == [NAMED, NAMED]
    assert [read(model) for model in (on_array, on_array.booster_)] == [COUNTED, COUNTED]
    assert read(lightgbm.LGBMClassifier()) is None


def test_facts_of_a_file_are_as_good_as_the_object() -> None:
    assert read(None, feature_names_in=["age", "income"], n_features_in=2) == NAMED
    assert read(None, feature_names_in=["age", "income"]) == NAMED
    assert read(None, n_features_in=2) == COUNTED
    assert read(None) is None


def test_a_list_of_names_that_was_cut_off_is_not_taken_for_all() -> None:
    assert read(None, feature_names_in=["age"], n_features_in=2) == COUNTED


def test_of_very_many_names_only_the_number_is_kept() -> None:
    names = np.array([f"gene {i}" for i in range(carried.MOST_NAMES + 1)])
    model = SimpleNamespace(feature_names_in_=names, n_features_in_=len(names))
    assert read(model) == Signature(inputs=(Field(type="any", shape=(-1, len(names))),))


def test_a_model_that_raises_whatever_is_asked_has_no_signature() -> None:
    class Sulking:
        @property
        def feature_names_in_(self) -> Any:
            raise RuntimeError("not today")

    assert read(Sulking()) is None


def test_names_that_make_no_signature_leave_none() -> None:
    assert read(SimpleNamespace(feature_names_in_=np.array(["a", "a"]), n_features_in_=2)) is None


def test_a_version_without_files_has_no_model_to_ask() -> None:
    assert carried.read(None, None, None) is None


# --- ONNX ---------------------------------------------------------------------------------------------------


def graph() -> Any:
    """Names that are free axes, fixed ones, a text, a sequence of maps, an optional; and one weight."""
    onnx = pytest.importorskip("onnx")
    h, t = onnx.helper, onnx.TensorProto
    weight = h.make_tensor("w", t.FLOAT, [2, 2], [1.0] * 4)
    maps = h.make_map_type_proto(t.INT64, h.make_tensor_type_proto(t.FLOAT, []))
    inputs = [
        h.make_tensor_value_info("x", t.FLOAT, ["batch", 2]),
        h.make_tensor_value_info("w", t.FLOAT, [2, 2]),
        h.make_tensor_value_info("half", t.FLOAT16, [None, 3, 8, 8]),
        h.make_value_info("maybe", h.make_optional_type_proto(h.make_tensor_type_proto(t.INT64, [1]))),
    ]
    outputs = [
        h.make_tensor_value_info("y", t.FLOAT, ["batch", 2]),
        h.make_tensor_value_info("label", t.STRING, ["batch"]),
        h.make_value_info("scores", h.make_sequence_type_proto(maps)),
        h.make_tensor_value_info("unknown", t.BOOL, None),
        h.make_tensor_value_info("tiny", t.FLOAT8E4M3FN, [1]),
        h.make_sparse_tensor_value_info("sparse", t.DOUBLE, [4, 4]),
    ]
    nodes = [h.make_node("MatMul", ["x", "w"], ["y"])]
    return h.make_model(h.make_graph(nodes, "g", inputs, outputs, [weight]))


GRAPH = Signature(
    inputs=(
        Field(name="x", type="float32", shape=(-1, 2)),
        Field(name="half", type="float16", shape=(-1, 3, 8, 8)),
        Field(name="maybe", type="int64", shape=(1,), optional=True),
    ),
    outputs=(
        Field(name="y", type="float32", shape=(-1, 2)),
        Field(name="label", type="string", shape=(-1,)),
        Field(name="scores", type="map", shape=(-1,), fields=(Field(type="float32", shape=()),)),
        Field(name="unknown", type="boolean"),
        Field(name="tiny", type="any", shape=(1,)),
        Field(name="sparse", type="float64", shape=(4, 4)),
    ),
)


def test_a_graph_says_all_of_its_ends_and_weights_are_none_of_them(tmp_path: Path) -> None:
    model = graph()
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    onnx = FlavorRecord(name="onnx", entry="model.onnx")
    assert carried.read(onnx, model, None) == GRAPH
    assert carried.read(onnx, None, path) == GRAPH
    assert carried.read(onnx, None, None) is None


def test_a_damaged_graph_has_no_signature_wherever_it_was_cut(tmp_path: Path) -> None:
    whole = graph().SerializeToString()
    path = tmp_path / "model.onnx"
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert onnx_schema.read_file(path) in (None, GRAPH)
    path.write_bytes(b"\x3a\x0a\x5a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
    assert onnx_schema.read_file(path) is None


def test_every_element_type_of_onnx_is_known_or_small() -> None:
    onnx = pytest.importorskip("onnx")
    words = {"float": "float32", "double": "float64", "bool": "boolean"}
    known = {
        number: words.get(name.lower(), name.lower())
        for name, number in onnx.TensorProto.DataType.items()
        if not any(part in name for part in ("UNDEFINED", "8E", "INT4", "INT2", "FLOAT4", "FLOAT6"))
    }
    assert known == onnx_schema.ELEMENTS


# --- MLflow -------------------------------------------------------------------------------------------------

MLFLOW = {
    "inputs": json.dumps([{"type": "double", "name": "age", "required": True}]),
    "outputs": json.dumps([{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]),
    "params": None,
}
FROM_MLFLOW = Signature(
    inputs=(Field(name="age", type="float64"),), outputs=(Field(type="int64", shape=(-1,)),)
)


def test_the_signature_in_an_mlmodel_file_is_taken() -> None:
    flavor = FlavorRecord(name="mlflow", facts={"mlflow": {"flavors": ["sklearn"], "signature": MLFLOW}})
    assert carried.read(flavor, None, None) == FROM_MLFLOW
    assert (
        carried.read(FlavorRecord(name="mlflow", facts={"mlflow": {"signature": None}}), None, None) is None
    )


def test_a_model_that_mlflow_loaded_says_its_own() -> None:
    class PyFuncModel:
        def __init__(self, signature: Any) -> None:
            self.metadata = SimpleNamespace(signature=signature)

    PyFuncModel.__module__ = "mlflow.pyfunc"
    assert read(PyFuncModel(MLFLOW)) == FROM_MLFLOW
    assert read(PyFuncModel(None), n_features_in=2) == COUNTED


# --- registering --------------------------------------------------------------------------------------------


@pytest.fixture
def registry(tmp_path: Path) -> Any:
    with ModelRegistry(tmp_path / "registry") as registry:
        yield registry


def kept(registry: ModelRegistry, model: Any, **facts: Any) -> Any:
    return registry.get_model(registry.register_model(model, "fraud", **facts)).signature


def test_examples_go_before_what_the_model_says_part_by_part(registry: ModelRegistry) -> None:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(TABLE, Y)
    assert kept(registry, model) == NAMED.to_mapping()
    assert kept(registry, model, output_example=model.predict(TABLE)) == {
        "inputs": NAMED.to_mapping()["inputs"],
        "outputs": [{"type": "int64", "shape": [-1]}],
    }
    assert kept(registry, model, input_example=TABLE)["inputs"][0] == {"name": "age", "type": "float64"}
    given = {"inputs": [{"name": "given", "type": "any"}]}
    assert kept(registry, model, signature=given, input_example=TABLE) == given


def test_a_graph_file_brings_its_signature(registry: ModelRegistry, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(graph().SerializeToString())
    assert kept(registry, path) == GRAPH.to_mapping()


def test_without_anything_known_there_is_none(registry: ModelRegistry) -> None:
    assert kept(registry, None) is None
    assert kept(registry, {"weights": [1, 2]}) is None


MLMODEL = """\
flavors:
  python_function:
    loader_module: mlflow.sklearn
    model_path: model.pkl
mlflow_version: 3.17.2
signature:
  inputs: '[{"type": "double", "name": "age", "required": true}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
  params: null
"""


def test_a_directory_of_mlflow_brings_its_signature(registry: ModelRegistry, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "MLmodel").write_text(MLMODEL, "utf-8")
    (folder / "model.pkl").write_bytes(pickle.dumps({"weights": [1.0]}))
    assert kept(registry, folder) == FROM_MLFLOW.to_mapping()


def test_a_file_of_a_framework_brings_its_features(registry: ModelRegistry, tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost")
    path = tmp_path / "model.ubj"
    xgboost.XGBClassifier(n_estimators=2).fit(TABLE, Y).save_model(path)
    assert kept(registry, path) == NAMED.to_mapping()


def test_a_graph_beside_its_weights_brings_its_signature(registry: ModelRegistry, tmp_path: Path) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "net.onnx").write_bytes(graph().SerializeToString())
    assert kept(registry, folder) == GRAPH.to_mapping()


def test_a_signature_that_is_none_is_refused_before_anything_is_stored(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match="signature inputs: the name 'a' stands twice"):
        registry.register_model({"w": 1}, "fraud", input_example=pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(InvalidInput, match="input_example: "):
        registry.register_model({"w": 1}, "fraud", input_example=object())
    assert registry.list_names() == []
    assert registry.get_registry_stats()["stored_bytes"] == 0


def test_the_setting_refuses_labels_that_are_too_small_a_step(tmp_path: Path) -> None:
    config = tmp_path / "modelyard.yaml"
    config.write_text("versioning: {enforce: refuse}\n", "utf-8")
    with ModelRegistry(tmp_path / "registry", config=config) as registry:
        registry.register_model(None, "fraud", "1.0.0", input_example=[{"age": 1}])
        with pytest.raises(BumpRefused, match="input 'age': removed"):
            registry.register_model(None, "fraud", "1.0.1", input_example=[{"income": 1}])
        registry.register_model(None, "fraud", "2.0.0", input_example=[{"income": 1}])
