"""Signatures: what may stand in one, and the forms it is read from and written to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from modelyard.domain.errors import InvalidInput
from modelyard.domain.signature import DEEPEST, MOST_FIELDS, TYPES, Field, Param, Signature
from modelyard.domain.signature_given import parse, stored
from modelyard.testing.signatures import signatures

AGE = {"name": "age", "type": "float64"}


def deep(levels: int) -> dict[str, Any]:
    field: dict[str, Any] = {"name": "leaf", "type": "int64"}
    for _ in range(levels - 1):
        field = {"name": "nest", "type": "object", "fields": [field]}
    return field


@given(signatures())
def test_json_gives_the_same_signature_back(signature: Signature) -> None:
    mapping = signature.to_mapping()
    assert parse(mapping) == signature
    assert parse(json.dumps(mapping)) == signature
    assert stored(mapping) == signature
    assert parse(signature) is signature


def test_the_json_form_leaves_out_what_says_nothing() -> None:
    signature = Signature(
        inputs=(
            Field(name="age", type="float64", optional=True),
            Field(name="image", type="uint8", shape=(-1, 28, 28)),
            Field(name="who", type="object", fields=(Field(name="id", type="string"),)),
        ),
        outputs=(Field(type="int64"),),
        params=(Param(name="top", type="int64", default=3),),
    )
    assert signature.to_mapping() == {
        "inputs": [
            {"name": "age", "type": "float64", "optional": True},
            {"name": "image", "type": "uint8", "shape": [-1, 28, 28]},
            {"name": "who", "type": "object", "fields": [{"name": "id", "type": "string"}]},
        ],
        "outputs": [{"type": "int64"}],
        "params": [{"name": "top", "type": "int64", "default": 3}],
    }


def test_nothing_described_and_described_as_nothing_are_two_things() -> None:
    assert parse({"inputs": [AGE]}).outputs is None
    assert parse({"inputs": [AGE], "outputs": None}).outputs is None
    assert parse({"inputs": [AGE], "outputs": []}).outputs == ()
    assert parse({"inputs": [AGE], "outputs": []}).to_mapping()["outputs"] == []


def test_ready_made_fields_may_stand_in_a_mapping() -> None:
    field, param = Field(name="x", type="any"), Param(name="p", type="string")
    assert parse({"inputs": [field], "params": [param]}) == Signature(inputs=(field,), params=(param,))


def test_lists_are_taken_for_tuples() -> None:
    made: Any = Signature
    assert made(inputs=[Field(type="int8", shape=[-1, 2])]).inputs[0].shape == (-1, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ("x", ["signature", "JSON", "'x'"]),
        ("[" * 100_000, ["signature", "JSON"]),
        ("[1]", ["signature", '"inputs"', "[1]"]),
        (7, ["signature", "7"]),
        ({}, ["nothing is described"]),
        ({"inputs": None}, ["nothing is described"]),
        ({"foo": 1}, ["signature", "'foo'", "inputs, outputs, params"]),
        ({"input": [AGE]}, ["'input'", "Did you mean 'inputs'?"]),
        ({1: [AGE]}, ["found 1"]),
        ({"inputs": {"age": "float64"}}, ["signature inputs", "a list of fields", "'age'"]),
        ({"inputs": "no json"}, ["signature inputs", "no json"]),
        ({"inputs": ["age"]}, ["signature inputs", "'age'"]),
        ({"inputs": [{"name": "age"}]}, ["field 'age'", "one of the types", "''"]),
        ({"inputs": [{"name": "age", "type": "float46"}]}, ["'age'", "'float46'", "Did you mean 'float64'?"]),
        ({"inputs": [{"name": "age", "type": ["x"]}]}, ["'age'", "['x']"]),
        ({"inputs": [{"name": 3, "type": "int8"}]}, ["name of a field", "int"]),
        ({"inputs": [{"name": "n" * 1001, "type": "int8"}]}, ["name of a field", "1000"]),
        ({"inputs": [{"name": "a\x00", "type": "int8"}]}, ["name of a field", "NUL"]),
        ({"inputs": [{**AGE, "unit": "years"}]}, ["field 'age'", "'unit'"]),
        ({"inputs": [{**AGE, "optional": "yes"}]}, ["'age'", "optional", "'yes'"]),
        ({"inputs": [{**AGE, "shape": "x"}]}, ["'age'", "shape", "'x'"]),
        ({"inputs": [{**AGE, "shape": 3}]}, ["'age'", "shape", "3"]),
        ({"inputs": [{**AGE, "shape": [1] * 65}]}, ["'age'", "64"]),
        ({"inputs": [{**AGE, "shape": [-2]}]}, ["'age'", "-2"]),
        ({"inputs": [{**AGE, "shape": [float("nan")]}]}, ["'age'", "nan"]),
        ({"inputs": [{**AGE, "shape": [True]}]}, ["'age'", "True"]),
        ({"inputs": [{**AGE, "shape": [2**60]}]}, ["'age'", str(2**60)]),
        ({"inputs": [AGE, AGE]}, ["signature inputs", "'age'", "twice"]),
        ({"inputs": [AGE, {"type": "int8"}]}, ["signature inputs", "no name"]),
        ({"inputs": [{**AGE, "fields": [AGE]}]}, ["'age'", "no fields"]),
        ({"inputs": [{**AGE, "fields": 3}]}, ["signature inputs", "list of fields", "3"]),
        ({"inputs": [{"name": "o", "type": "object"}]}, ["'o'", "parts of an object"]),
        ({"inputs": [{"name": "o", "type": "object", "fields": [AGE, AGE]}]}, ["of 'o'", "'age'", "twice"]),
        ({"inputs": [{"name": "m", "type": "map", "fields": [AGE]}]}, ["'m'", "map's values"]),
        ({"inputs": [deep(DEEPEST + 1)]}, ["16 deep"]),
        ({"inputs": [deep(300)]}, ["16 deep"]),
        ({"params": ["temperature"]}, ["signature params", "'temperature'"]),
        ({"params": [{"type": "int8"}]}, ["param needs a name"]),
        ({"params": [{"name": "t", "type": "int8", "shape": [3]}]}, ["'t'", "[-1]", "[3]"]),
        ({"params": [{"name": "t", "type": "int8", "shape": []}]}, ["'t'", "[-1]", "[]"]),
        ({"params": [{"name": "t", "type": "int8", "optional": True}]}, ["field 't'", "'optional'"]),
        ({"params": [{"name": "t", "type": "any", "default": object()}]}, ["'t'", "JSON value as default"]),
        ({"params": [{"name": "t", "type": "int8"}] * 2}, ["signature params", "'t'", "twice"]),
    ],
)
def test_what_is_no_signature_is_refused_in_words_that_name_it(given_: Any, words: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(given_)
    assert [word for word in words if word not in str(caught.value)] == []
    assert len(str(caught.value)) < 1000


def test_what_was_stored_in_another_form_is_no_signature_and_no_error() -> None:
    assert stored(None) is None
    assert stored({"columns": ["a"]}) is None


def test_strangers_among_ready_made_fields_are_named() -> None:
    made: Any = Signature
    with pytest.raises(InvalidInput, match=r"signature outputs: expected Fields, found 'y'"):
        made(outputs=("y",))
    with pytest.raises(InvalidInput, match="'x': expected true or false as optional, found 1"):
        Field(name="x", type="int8", optional=1)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="expected Fields as fields, found 'y'"):
        Field(name="o", type="object", fields=("y",))  # type: ignore[arg-type]


def test_ready_made_fields_nest_as_deep_as_written_ones() -> None:
    field = Field(name="x", type="int8")
    for _ in range(DEEPEST - 1):
        field = Field(name="x", type="object", fields=(field,))
    with pytest.raises(InvalidInput, match="16 deep"):
        Field(name="x", type="object", fields=(field,))


def test_there_is_a_limit_to_the_number_of_fields() -> None:
    field = Field(name="x", type="int8")
    with pytest.raises(InvalidInput, match=r"at most 100000 fields, found 100001"):
        Signature(inputs=(field,) * (MOST_FIELDS + 1))


def test_every_type_is_described() -> None:
    assert all(TYPES.values())
