"""MLflow's words for a signature. The documents are what MLflow 3.17's ``ModelSignature.to_dict`` writes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from modelyard.domain.errors import InvalidInput
from modelyard.domain.signature import Field, Param, Signature
from modelyard.domain.signature_given import parse
from modelyard.domain.signature_mlflow import to_mlflow
from modelyard.testing.signatures import mlflow_signatures

LONG = {"type": "long", "required": True}


def one(entry: dict[str, Any]) -> Field:
    """The field that MLflow's entry becomes."""
    inputs = parse({"inputs": json.dumps([entry])}).inputs
    assert inputs is not None
    return inputs[0]


@given(mlflow_signatures())
def test_what_mlflow_can_say_comes_back_as_it_was(signature: Signature) -> None:
    assert parse(to_mlflow(signature)) == signature


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"name": "a", "type": "long", "required": True}, Field(name="a", type="int64")),
        ({"name": "a", "type": "integer", "required": True}, Field(name="a", type="int32")),
        ({"name": "a", "type": "double", "required": False}, Field(name="a", type="float64", optional=True)),
        ({"name": "a", "type": "float", "optional": True}, Field(name="a", type="float32", optional=True)),
        ({"name": "a", "type": "boolean", "required": True}, Field(name="a", type="boolean")),
        ({"name": "a", "type": "any", "required": False}, Field(name="a", type="any", optional=True)),
        ({"type": "string", "required": True}, Field(type="string")),
        ({"type": "long"}, Field(type="int64")),
        (
            {"name": "l", "type": "array", "items": {"type": "double"}, "required": True},
            Field(name="l", type="float64", shape=(-1, -1)),
        ),
        (
            {"name": "l", "type": "array", "items": {"type": "array", "items": {"type": "any"}}},
            Field(name="l", type="any", shape=(-1, -1, -1)),
        ),
        (
            {"name": "o", "type": "object", "properties": {"p": {"type": "long", "required": False}}},
            Field(name="o", type="object", fields=(Field(name="p", type="int64", optional=True),)),
        ),
        (
            {"name": "m", "type": "map", "values": {"type": "array", "items": {"type": "double"}}},
            Field(name="m", type="map", fields=(Field(type="float64", shape=(-1,)),)),
        ),
        (
            {"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 28, 28]}},
            Field(type="float32", shape=(-1, 28, 28)),
        ),
        (
            {"name": "s", "type": "tensor", "tensor-spec": {"dtype": "str", "shape": [-1]}},
            Field(name="s", type="string", shape=(-1,)),
        ),
        (
            {"type": "tensor", "tensor-spec": {"dtype": "str96", "shape": [-1]}},
            Field(type="string", shape=(-1,)),
        ),
        (
            {"type": "tensor", "tensor-spec": {"dtype": "datetime64[s]", "shape": [-1]}},
            Field(type="datetime", shape=(-1,)),
        ),
        ({"type": "tensor", "tensor-spec": {"dtype": "object", "shape": []}}, Field(type="any", shape=())),
        (
            {"name": "a", "type": "double", "shape": [-1, 28, 28]},
            Field(name="a", type="float64", shape=(-1, 28, 28)),
        ),
        ({"name": "a", "type": "long", "shape": []}, Field(name="a", type="int64", shape=())),
        ({"name": "a", "type": "float64", "required": False}, Field(name="a", type="float64", optional=True)),
        ({"name": "a", "type": "uint8", "required": True, "optional": False}, Field(name="a", type="uint8")),
        (
            {
                "name": "t",
                "type": "tensor",
                "tensor-spec": {"dtype": "int8", "shape": [-1]},
                "required": False,
            },
            Field(name="t", type="int8", shape=(-1,), optional=True),
        ),
        (
            {
                "name": "o",
                "type": "object",
                "fields": [{"name": "l", "type": "array", "items": {"type": "long"}}],
            },
            Field(name="o", type="object", fields=(Field(name="l", type="int64", shape=(-1,)),)),
        ),
    ],
)
def test_mlflows_entries_and_what_they_become(entry: dict[str, Any], field: Field) -> None:
    assert one(entry) == field


def test_a_whole_document_with_texts_inside() -> None:
    document = {
        "inputs": json.dumps([{"type": "long", "name": "a", "required": True}]),
        "outputs": json.dumps([{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]),
        "params": json.dumps([{"name": "t", "default": 0.5, "shape": None, "type": "double"}]),
    }
    signature = Signature(
        inputs=(Field(name="a", type="int64"),),
        outputs=(Field(type="int64", shape=(-1,)),),
        params=(Param(name="t", type="float64", default=0.5),),
    )
    assert parse(document) == signature
    written = {part: json.loads(text or "null") for part, text in to_mlflow(signature).items()}
    assert written == {part: json.loads(text) for part, text in document.items()}


def test_params_may_be_lists_and_objects() -> None:
    document = [
        {"name": "stop", "default": ["a"], "shape": [-1], "type": "string"},
        {
            "name": "cfg",
            "default": {"a": 1},
            "shape": None,
            "type": "object",
            "properties": {"a": {"type": "long", "required": True}},
        },
    ]
    signature = parse({"params": json.dumps(document)})
    assert [(p.name, p.type, p.shape, p.default) for p in signature.params] == [
        ("stop", "string", (-1,), ["a"]),
        ("cfg", "object", None, {"a": 1}),
    ]
    assert json.loads(to_mlflow(signature)["params"] or "") == document


def test_columns_without_names_are_told_by_their_position() -> None:
    inputs = parse({"inputs": [LONG, LONG]}).inputs
    assert inputs is not None
    assert [field.name for field in inputs] == ["0", "1"]


def test_types_that_mlflow_lacks_become_the_next_larger_one() -> None:
    written = [
        json.loads(to_mlflow(Signature(inputs=(Field(name="x", type=name),)))["inputs"] or "")[0]["type"]
        for name in ("int8", "uint16", "uint32", "float16", "bfloat16", "date")
    ]
    assert written == ["integer", "integer", "long", "float", "float", "datetime"]


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (Field(name="x", type="uint64"), "'x': MLflow has no column type for uint64"),
        (Field(name="x", type="decimal"), "'x': MLflow has no column type for decimal"),
        (Field(name="x", type="float32", shape=(-1, 3), optional=True), r"'x': .*shape \[-1, 3\]"),
        (Field(name="x", type="date", shape=()), r"'x': .*tensors of date.*shape \[\]"),
        (
            Field(name="o", type="object", fields=(Field(name="l", type="int64", shape=(3,)),)),
            r"'l': MLflow's arrays have no fixed length, found \[3\]",
        ),
    ],
)
def test_what_mlflow_cannot_say_is_refused(field: Field, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        to_mlflow(Signature(inputs=(field,)))


def test_an_empty_part_is_left_out_since_mlflow_refuses_one() -> None:
    assert to_mlflow(Signature(inputs=(), outputs=(Field(type="int64"),)))["inputs"] is None


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "tensor"},
        {"type": "tensor", "tensor-spec": {"shape": [-1]}},
        {"type": "tensor", "tensor-spec": {"dtype": "quaternion", "shape": [-1]}},
        {"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": None}, "name": 7},
        {"type": "array", "items": 3},
        {"type": "array"},
        {"type": "object", "properties": ["p"]},
        {"type": "map", "values": "long"},
        {"type": "sparse", "required": True},
        {"type": ["long"], "required": True},
        {"type": "array", "items": {"type": "array", "items": {"type": "array", "items": {"type": "x"}}}},
    ],
)
def test_what_only_looks_like_mlflows_is_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="signature"):
        one(entry)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"name": "a", "type": "double", "optionl": True}, r"'a'.*'optionl'.*Did you mean 'optional'"),
        ({"name": "a", "type": "double", "fields": []}, r"'a'.*'fields'"),
        ({"name": "a", "type": "double", "required": "false"}, r"'a'.*true or false as required.*'false'"),
        ({"name": "a", "type": "double", "optional": 1}, r"'a'.*true or false as optional.*found 1"),
        ({"name": "a", "type": "double", "required": True, "optional": True}, r"'a'.*contradict"),
        ({"name": "a", "type": "float64", "required": "no"}, r"'a'.*true or false as required.*'no'"),
        ({"name": "a", "type": "double", "shape": 5}, r"'a'.*shape.*5"),
        ({"name": "a", "type": "double", "items": {}}, r"'a'.*'items'"),
        ({"name": 0, "type": "double"}, "name of a field"),
        ({"name": "a", "type": "array", "items": {"type": "long"}, "shape": [-1]}, r"'a'.*'shape'"),
        ({"name": "a", "type": "array", "items": {"type": "long", "required": False}}, "'required'"),
        ({"name": "a", "type": "map", "values": {"type": "long", "optional": True}}, "'optional'"),
        ({"name": "a", "type": "object", "properties": {"p": {"type": "long", "name": "q"}}}, "'name'"),
        (
            {"name": "a", "type": "object", "properties": {"p": {"type": "long", "required": 0}}},
            "'p'.*found 0",
        ),
        (
            {"name": "a", "type": "tensor", "shape": [1], "tensor-spec": {"dtype": "int8", "shape": [-1]}},
            "'a'.*'shape'",
        ),
        (
            {"type": "tensor", "tensor-spec": {"dtype": "int8", "shpe": [-1]}},
            "tensor-spec.*Did you mean 'shape'",
        ),
    ],
)
def test_nothing_that_stands_beside_mlflows_words_is_thrown_away(entry: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        one(entry)


@pytest.mark.parametrize(
    ("param", "words"),
    [
        ({"name": "t", "type": "double", "default": 1.0, "shape": 5}, r"'t'.*shape.*5"),
        ({"name": "t", "type": "double", "default": 1.0, "shape": [3]}, r"'t'.*\[-1\].*\[3\]"),
        ({"name": "t", "type": "double", "defualt": 1.0}, r"'t'.*'defualt'.*Did you mean 'default'"),
        ({"name": "t", "type": "array", "items": {"type": "long"}}, "signature params"),
        ({"name": "t", "type": "tensor"}, "signature params"),
    ],
)
def test_a_param_with_more_or_else_than_mlflow_writes_is_refused(param: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        parse({"params": [param]})


def test_a_key_that_stands_twice_in_the_json_is_refused() -> None:
    text = '{"inputs": [{"type": "int8"}], "inputs": [{"type": "int16"}]}'
    with pytest.raises(InvalidInput, match="'inputs' stands twice"):
        parse(text)
    with pytest.raises(InvalidInput, match="'type' stands twice"):
        parse({"inputs": '[{"type": "int8", "type": "int16"}]'})


def test_arrays_nested_without_end_are_refused() -> None:
    entry: dict[str, Any] = {"type": "long"}
    for _ in range(200):
        entry = {"type": "array", "items": entry}
    with pytest.raises(InvalidInput, match="signature inputs"):
        one(entry)


def test_mlflows_own_object_is_read() -> None:
    """A class of that module and with that method is enough: MLflow need not be installed."""

    class ModelSignature:
        def to_dict(self) -> dict[str, Any]:
            return {"inputs": json.dumps([LONG]), "outputs": None, "params": None}

    ModelSignature.__module__ = "mlflow.models.signature"
    assert parse(ModelSignature()) == Signature(inputs=(Field(type="int64"),))
