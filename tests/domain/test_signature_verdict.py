"""Whether who uses the old signature can use the new one: pairs labelled by hand, and the laws between them."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import InvalidInput
from modelyard.domain.records import ModelVersion
from modelyard.domain.signature import TYPES, Field, Param, Signature
from modelyard.domain.signature_given import parse
from modelyard.domain.signature_verdict import (
    WIDER,
    SignatureVerdict,
    recorded,
    signature_verdict,
    verdict,
)
from modelyard.testing.signatures import signatures

SAME, FITS, BREAKS = "identical", "compatible", "breaking"


def f(name: str, type_: str = "float64", *shape: int, opt: bool = False, **more: Any) -> dict[str, Any]:
    """A field; a shape only where one is given."""
    found: dict[str, Any] = {"name": name, "type": type_, "optional": opt, **more}
    return {**found, "shape": list(shape)} if shape else found


def takes(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"inputs": list(fields)}


def gives(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"outputs": list(fields)}


def setting(**param: Any) -> dict[str, Any]:
    return {"inputs": [A], "params": [{"name": "t", "type": "float64", "default": 1.0, **param}]}


def obj(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"name": "o", "type": "object", "fields": list(parts)}


def mapped(**value: Any) -> dict[str, Any]:
    return {"name": "m", "type": "map", "fields": [value]}


A, B, C = f("a"), f("b"), f("c")
BARE: Final = {"type": "float64", "shape": [-1, 4]}

PAIRS: Final[list[tuple[Any, Any, str, list[str]]]] = [
    # the same
    (takes(A, B), takes(A, B), SAME, []),
    (takes(A, B), takes(B, A), SAME, []),
    (gives(A, B, C), gives(C, A, B), SAME, []),
    (takes(A), takes(f("a", "float64", -1)), SAME, []),
    (takes(A), '{"inputs": [{"name": "a", "type": "double"}]}', SAME, []),
    (takes(), takes(), SAME, []),
    (takes(obj(A, B)), takes(obj(B, A)), SAME, []),
    (takes(BARE), takes(BARE), SAME, []),
    (setting(), setting(), SAME, []),
    # an input comes or goes
    (takes(A, B), takes(A), BREAKS, ["input 'b': removed"]),
    (takes(A, f("b", opt=True)), takes(A), BREAKS, ["input 'b': removed"]),
    (takes(A), takes(A, B), BREAKS, ["input 'b': added, and required"]),
    (takes(A), takes(A, f("b", opt=True)), FITS, ["input 'b': added"]),
    (takes(A), takes(B), BREAKS, ["input 'a': removed", "input 'b': added, and required"]),
    (takes(A), takes(f("A")), BREAKS, ["input 'A': added, and required", "input 'a': removed"]),
    (takes(A), takes(f("b", opt=True)), BREAKS, ["input 'a': removed", "input 'b': added"]),
    (takes(A), takes(), BREAKS, ["input 'a': removed"]),
    (takes(), takes(A), BREAKS, ["input 'a': added, and required"]),
    (takes(), takes(f("a", opt=True)), FITS, ["input 'a': added"]),
    (
        takes(BARE),
        takes(f("x", "float64", -1, 4)),
        BREAKS,
        ["the input without a name: removed", "input 'x'"],
    ),
    # an input is demanded, or no longer
    (takes(f("a", opt=True)), takes(A), BREAKS, ["input 'a': now required"]),
    (takes(A), takes(f("a", opt=True)), FITS, ["input 'a': no longer required"]),
    # types of inputs
    (takes(f("a", "int32")), takes(f("a", "int64")), FITS, ["input 'a': type widened from int32 to int64"]),
    (takes(f("a", "int64")), takes(f("a", "int32")), BREAKS, ["type narrowed from int64 to int32"]),
    (takes(f("a", "float32")), takes(f("a", "float64")), FITS, ["type widened from float32 to float64"]),
    (takes(f("a", "float64")), takes(f("a", "float32")), BREAKS, ["type narrowed from float64 to float32"]),
    (takes(f("a", "int64")), takes(f("a", "float64")), FITS, ["type widened from int64 to float64"]),
    (takes(f("a", "int64")), takes(f("a", "float32")), BREAKS, ["type changed from int64 to float32"]),
    (takes(f("a", "uint8")), takes(f("a", "int16")), FITS, ["type widened from uint8 to int16"]),
    (takes(f("a", "uint8")), takes(f("a", "int8")), BREAKS, ["type changed from uint8 to int8"]),
    (takes(f("a", "int8")), takes(f("a", "uint64")), BREAKS, ["type changed from int8 to uint64"]),
    (takes(f("a", "boolean")), takes(f("a", "int64")), FITS, ["type widened from boolean to int64"]),
    (takes(f("a", "int64")), takes(f("a", "boolean")), BREAKS, ["type narrowed from int64 to boolean"]),
    (takes(f("a", "float16")), takes(f("a", "bfloat16")), BREAKS, ["type changed from float16 to bfloat16"]),
    (takes(f("a", "bfloat16")), takes(f("a", "float32")), FITS, ["type widened from bfloat16 to float32"]),
    (takes(f("a", "float64")), takes(f("a", "string")), BREAKS, ["type changed from float64 to string"]),
    (takes(f("a", "string")), takes(f("a", "binary")), BREAKS, ["type changed from string to binary"]),
    (takes(f("a", "date")), takes(f("a", "datetime")), BREAKS, ["type changed from date to datetime"]),
    (takes(f("a", "int64")), takes(obj(B) | {"name": "a"}), BREAKS, ["type changed from int64 to object"]),
    # shapes of inputs
    (takes(f("a", "uint8", -1, 28)), takes(f("a", "uint8", -1, 32)), BREAKS, ["from [-1, 28] to [-1, 32]"]),
    (takes(f("a", "uint8", -1, 28)), takes(f("a", "uint8", -1, -1)), FITS, ["shape freed from [-1, 28]"]),
    (takes(f("a", "uint8", -1, -1)), takes(f("a", "uint8", -1, 28)), BREAKS, ["shape changed from [-1, -1]"]),
    (takes(f("a", "uint8", -1, 28)), takes(f("a", "uint8", -1)), BREAKS, ["from [-1, 28] to [-1]"]),
    (takes(A), takes(f("a", "float64", -1, -1)), BREAKS, ["shape changed from [-1] to [-1, -1]"]),
    (takes(f("a", "uint8", 1, 3)), takes(f("a", "uint8", -1, 3)), FITS, ["shape freed from [1, 3]"]),
    (takes(f("a", "uint8", -1, 3, 8)), takes(f("a", "uint8", -1, -1, 9)), BREAKS, ["from [-1, 3, 8]"]),
    (takes(BARE), takes({"type": "float64", "shape": [-1, 5]}), BREAKS, ["the input without a name: shape"]),
    # several things about one field are one reason, and what breaks comes first
    (
        takes(f("a", "int32", opt=True)),
        takes(f("a", "int64")),
        BREAKS,
        ["input 'a': now required; type widened from int32 to int64"],
    ),
    (
        takes(f("a", "int64", -1, 3, opt=True)),
        takes(f("a", "int32", -1, 4)),
        BREAKS,
        ["input 'a': type narrowed from int64 to int32; shape changed from [-1, 3] to [-1, 4]; now required"],
    ),
    (takes(A, B), takes(f("a", opt=True), f("b", "float32")), BREAKS, ["input 'b': type", "input 'a': no"]),
    # outputs
    (gives(A), gives(A, B), FITS, ["output 'b': added"]),
    (gives(A), gives(A, f("b", opt=True)), FITS, ["output 'b': added"]),
    (gives(A, B), gives(A), BREAKS, ["output 'b': removed"]),
    (gives(A), gives(), BREAKS, ["output 'a': removed"]),
    (gives(A), gives(B), BREAKS, ["output 'a': removed", "output 'b': added"]),
    (gives(f("a", "int64")), gives(f("a", "int32")), BREAKS, ["type changed from int64 to int32"]),
    (gives(f("a", "int32")), gives(f("a", "int64")), BREAKS, ["type changed from int32 to int64"]),
    (gives(f("a", "string")), gives(f("a", "int64")), BREAKS, ["type changed from string to int64"]),
    (gives(A), gives(f("a", "float64", -1, 2)), BREAKS, ["shape changed from [-1] to [-1, 2]"]),
    (gives(f("a", "int8", -1, 2)), gives(f("a", "int8", -1, -1)), BREAKS, ["from [-1, 2] to [-1, -1]"]),
    (gives(f("a", "int8", -1, -1)), gives(f("a", "int8", -1, 2)), BREAKS, ["from [-1, -1] to [-1, 2]"]),
    (gives(A), gives(f("a", opt=True)), BREAKS, ["output 'a': may be missing now"]),
    (gives(f("a", opt=True)), gives(A), FITS, ["output 'a': always there now"]),
    # both sides at once
    ({**takes(A), **gives(B)}, {**takes(A), **gives(B)}, SAME, []),
    ({**takes(A), **gives(B)}, {**takes(A), **gives(B, C)}, FITS, ["output 'c': added"]),
    (
        {**takes(A), **gives(B)},
        {**takes(f("a", opt=True)), **gives(f("b", "int8"))},
        BREAKS,
        ["output 'b': type changed", "input 'a': no longer required"],
    ),
    # what nobody stated
    (takes(f("a", "any")), takes(A), FITS, ["input 'a': type now stated: float64"]),
    (takes(A), takes(f("a", "any")), FITS, ["input 'a': type float64 no longer stated"]),
    (gives(f("a", "any")), gives(A), FITS, ["output 'a': type now stated: float64"]),
    (gives(A), gives(f("a", "any")), FITS, ["output 'a': type float64 no longer stated"]),
    (takes(f("a", "any")), takes(f("a", "any")), SAME, []),
    (takes(f("a", "any")), takes(B), BREAKS, ["input 'a': removed", "input 'b': added"]),
    (takes(f("a", "any", -1, 3)), takes(f("a", "int8", -1, 4)), BREAKS, ["shape changed from [-1, 3]"]),
    (takes(A), {**takes(A), **gives(B)}, FITS, ["outputs: the old signature does not describe them"]),
    ({**takes(A), **gives(B)}, takes(A), FITS, ["outputs: the new signature does not describe them"]),
    (takes(A), gives(A), FITS, ["inputs: the new", "outputs: the old"]),
    # inside objects and maps
    (takes(obj(A)), takes(obj(A, B)), BREAKS, ["input 'o': 'b' added, and required"]),
    (takes(obj(A)), takes(obj(A, f("b", opt=True))), FITS, ["input 'o': 'b' added"]),
    (takes(obj(A, B)), takes(obj(B)), BREAKS, ["input 'o': 'a' removed"]),
    (takes(obj(f("a", "int8"))), takes(obj(f("a", "int16"))), FITS, ["'a' type widened from int8 to int16"]),
    (takes(obj(A)), takes(obj(f("a", "float64", -1))), BREAKS, ["'a' shape changed from [] to [-1]"]),
    (gives(obj(A)), gives(obj(A, B)), FITS, ["output 'o': 'b' added"]),
    (gives(obj(A, B)), gives(obj(A)), BREAKS, ["output 'o': 'b' removed"]),
    (gives(obj(f("a", "int8"))), gives(obj(f("a", "int16"))), BREAKS, ["'a' type changed from int8"]),
    (takes(mapped(type="int8")), takes(mapped(type="int64")), FITS, ["its values: type widened"]),
    (takes(mapped(type="int64")), takes(mapped(type="int8")), BREAKS, ["its values: type narrowed"]),
    (gives(mapped(type="int8")), gives(mapped(type="int64")), BREAKS, ["its values: type changed"]),
    (takes(mapped(type="int64")), takes(obj(A) | {"name": "m"}), BREAKS, ["type changed from map to object"]),
    # settings
    (takes(A), setting(), FITS, ["param 't': added"]),
    (setting(), takes(A), BREAKS, ["param 't': removed"]),
    (setting(), setting(default=2.0), FITS, ["param 't': default changed from 1.0 to 2.0"]),
    (setting(default=1), setting(default=True), FITS, ["default changed from 1 to True"]),
    (setting(default=1), setting(default=1.0), SAME, []),
    (setting(), setting(type="string"), BREAKS, ["param 't': type changed from float64 to string"]),
    (setting(type="float32"), setting(), FITS, ["param 't': type widened from float32 to float64"]),
    (setting(), setting(shape=[-1]), BREAKS, ["param 't': shape changed from [] to [-1]"]),
]
"""(old, new, verdict, one beginning or part of each reason, in their order)."""


@pytest.mark.parametrize(("old", "new", "word", "reasons"), PAIRS)
def test_pairs_that_were_labelled_by_hand(old: Any, new: Any, word: str, reasons: list[str]) -> None:
    found = signature_verdict(old, new)
    assert (found.verdict, str(found)) == (word, word)
    assert len(found.reasons) == len(reasons), found.reasons
    assert all(wanted in reason for wanted, reason in zip(reasons, found.reasons, strict=True)), found.reasons


def test_there_are_enough_pairs_of_each_kind() -> None:
    words = [word for _, _, word, _ in PAIRS]
    assert len(words) >= 60
    assert min(words.count(word) for word in (SAME, FITS, BREAKS)) >= 9


@pytest.mark.parametrize(("word", "level"), [(SAME, "patch"), (FITS, "minor"), (BREAKS, "major")])
def test_each_verdict_calls_for_a_step(word: Any, level: str) -> None:
    assert SignatureVerdict(verdict=word).level == level


# --- laws ---------------------------------------------------------------------------------------------------


def shuffled(signature: Signature, seed: int) -> Signature:
    """The same with every list of fields in another order."""
    chance = random.Random(seed)

    def mixed(fields: tuple[Field, ...] | None) -> tuple[Field, ...] | None:
        if fields is None:
            return None
        inner = [replace(field, fields=mixed(field.fields) or ()) for field in fields]
        return tuple(chance.sample(inner, len(inner)))

    params = tuple(chance.sample(signature.params, len(signature.params)))
    return Signature(inputs=mixed(signature.inputs), outputs=mixed(signature.outputs), params=params)


@given(signatures())
def test_a_signature_is_identical_to_itself(signature: Signature) -> None:
    assert verdict(signature, signature) == SignatureVerdict(verdict="identical")


@given(signatures(), signatures(), st.integers(0, 99))
def test_the_order_of_fields_means_nothing(a: Signature, b: Signature, seed: int) -> None:
    assert verdict(a, b) == verdict(shuffled(a, seed), shuffled(b, seed + 1))


@given(signatures(), signatures())
def test_identical_is_symmetric(a: Signature, b: Signature) -> None:
    assert (verdict(a, b).verdict == SAME) == (verdict(b, a).verdict == SAME)


@given(signatures(), signatures())
def test_every_field_that_differs_has_one_reason_in_both_directions(a: Signature, b: Signature) -> None:
    there, back = verdict(a, b), verdict(b, a)
    places = [(change.part, change.name) for change in there.changes]
    assert len(places) == len(set(places))
    assert sorted(places) == sorted((change.part, change.name) for change in back.changes)
    assert there.breaking == tuple(c.reason for c in there.changes if c.verdict == BREAKS)
    assert there.reasons == (*there.breaking, *(c.reason for c in there.changes if c.verdict == FITS))


def stated(signature: Signature, other: Signature) -> Signature:
    """What both state: parts that both describe, types that both name, no defaults."""

    def kept(fields: Any, others: Any) -> tuple[Field, ...] | None:
        if fields is None or others is None:
            return None
        theirs = {field.name: field for field in others}
        return tuple(
            replace(
                field,
                type="any" if "any" in (field.type, theirs[field.name].type) else field.type,
                fields=()
                if "any" in (field.type, theirs[field.name].type)
                else kept(field.fields, theirs[field.name].fields) or (),
            )
            for field in fields
        )

    settings = kept([p.as_field() for p in signature.params], [p.as_field() for p in other.params])
    return Signature(
        inputs=kept(signature.inputs, other.inputs),
        outputs=kept(signature.outputs, other.outputs),
        params=(
            Param(name="there is always one", type="any"),
            *(Param(name=f.name, type=f.type, shape=f.shape, fields=f.fields) for f in settings or ()),
        ),
    )


@given(signatures(), st.data())
def test_where_neither_direction_breaks_only_what_is_unstated_and_defaults_differ(
    a: Signature, data: st.DataObject
) -> None:
    b = data.draw(st.one_of(signatures(), st.builds(unstating, st.just(a), st.integers(0, 99))))
    if BREAKS in (verdict(a, b).verdict, verdict(b, a).verdict):
        return
    assert verdict(stated(a, b), stated(b, a)).verdict == SAME


def unstating(signature: Signature, seed: int) -> Signature:
    """The same, with some types no longer stated and some defaults changed."""
    chance = random.Random(seed)

    def some(fields: tuple[Field, ...] | None) -> tuple[Field, ...] | None:
        if fields is None:
            return None
        return tuple(replace(f, type="any", fields=()) if chance.random() < 0.5 else f for f in fields)

    params = tuple(replace(p, default=chance.choice((p.default, 7))) for p in signature.params)
    return Signature(inputs=some(signature.inputs), outputs=some(signature.outputs), params=params)


@given(signatures(), st.integers(0, 99))
def test_what_is_no_longer_stated_never_breaks(a: Signature, seed: int) -> None:
    b = unstating(a, seed)
    assert BREAKS not in (verdict(a, b).verdict, verdict(b, a).verdict)


@given(signatures())
def test_gaining_an_optional_input_or_an_output_fits_and_losing_it_breaks(a: Signature) -> None:
    old = replace(a, inputs=named(a.inputs), outputs=named(a.outputs))
    new = replace(
        old,
        inputs=(*(old.inputs or ()), Field(name="gained", type="any", optional=True)),
        outputs=(*(old.outputs or ()), Field(name="gained", type="int8")),
    )
    assert verdict(old, new).verdict == FITS
    assert verdict(new, old).verdict == (FITS if old.inputs is None and old.outputs is None else BREAKS)


def named(fields: tuple[Field, ...] | None) -> tuple[Field, ...] | None:
    return fields and tuple(replace(field, name=field.name or "only") for field in fields)


def test_wider_types_are_those_that_numpy_calls_safe() -> None:
    numpy = pytest.importorskip("numpy")
    known = {
        name: "bool" if name == "boolean" else name
        for name in TYPES
        if name == "boolean" or name.startswith(("int", "uint", "float", "complex"))
    }
    assert {(a, b) for a in WIDER for b in WIDER[a] if a != "bfloat16"} == {
        (a, b) for a in known for b in known if a != b and numpy.can_cast(known[a], known[b], "safe")
    }


# --- what is kept with versions -----------------------------------------------------------------------------


def test_recorded_signatures_are_compared_where_both_sides_have_one() -> None:
    assert recorded(None, takes(A)) is None
    assert recorded(takes(A), None) is None
    found = recorded(takes(A, B), takes(A))
    assert found is not None
    assert found.breaking == ("input 'b': removed",)
    assert found.to_mapping() == {
        "verdict": "breaking",
        "changes": [{"part": "inputs", "name": "b", "verdict": "breaking", "reason": "input 'b': removed"}],
    }


def test_what_cannot_be_read_any_more_is_identical_to_itself_and_breaks_all_else() -> None:
    old = {"columns": ["a"], "rows": 3}
    same, other = recorded(old, dict(old)), recorded(old, takes(A))
    assert (same and same.verdict, other and other.verdict) == (SAME, BREAKS)
    turned = recorded(old, dict(reversed(old.items())))
    assert turned is not None
    assert turned.verdict == SAME
    assert other is not None
    assert other.reasons == (
        "signature: they differ, and at least one is not in the form that can be compared",
    )


def test_versions_are_compared_by_their_signatures_and_one_without_is_named() -> None:
    bare = ModelVersion(
        model_id="01j9zx3v5e8q7k2m4n6p8r0s2t",
        name="fraud",
        number=1,
        version="1.0.0",
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
        created_by="ann",
    )
    with pytest.raises(InvalidInput, match=r"fraud:1\.0\.0 has no signature"):
        signature_verdict(bare, takes(A))
    assert signature_verdict(replace(bare, signature=parse(takes(A)).to_mapping()), takes(A)).verdict == SAME
