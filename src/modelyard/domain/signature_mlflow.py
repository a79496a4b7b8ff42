"""Signatures in MLflow's words, both ways.

MLflow (``mlflow.types.schema``) knows two kinds of schema: columns with one of eight types, arrays, objects and maps
of them; and tensors with a NumPy type and a shape. A field without a shape here is a column there.

There and back again nothing is lost for the types MLflow has. Small whole numbers, days and 16 bit numbers become the
next larger type that it has; what it cannot say at all is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from modelyard.domain.errors import InvalidInput
from modelyard.domain.records import JSON
from modelyard.domain.signature import DEEPEST, FREE, TYPES, Field, Param, Signature, check_keys
from modelyard.domain.spelling import quoted

_COLUMNS: Final = {
    "boolean": "boolean",
    "integer": "int32",
    "long": "int64",
    "float": "float32",
    "double": "float64",
    "string": "string",
    "binary": "binary",
    "datetime": "datetime",
    "any": "any",
}
"""MLflow's column types -> ours."""

_AS_COLUMN: Final = {
    **{ours: theirs for theirs, ours in _COLUMNS.items()},
    **dict.fromkeys(("int8", "int16", "uint8", "uint16"), "integer"),
    "uint32": "long",
    **dict.fromkeys(("float16", "bfloat16"), "float"),
    "date": "datetime",
}

_AS_TENSOR: Final = {
    **{
        name: name
        for name in TYPES
        if name.startswith(("int", "uint", "float", "complex")) and name != "bfloat16"
    },
    "boolean": "bool",
    "string": "str",
    "binary": "bytes",
    "datetime": "datetime64[ns]",
    "duration": "timedelta64[ns]",
    "any": "object",
}
_TENSORS: Final = {theirs: ours for ours, theirs in _AS_TENSOR.items()}
"""NumPy's names -> ours; texts, bytes and times carry their width or unit there, which is cut off before."""

_OWN_WORDS: Final = frozenset({*_COLUMNS, "tensor", "array"} - set(TYPES))
_PART: Final = {"array": "items", "object": "properties", "map": "values", "tensor": "tensor-spec"}
"""Type -> the key that says what is in it."""


# --- from MLflow --------------------------------------------------------------------------------------------


def is_entry(item: Mapping[Any, Any]) -> bool:
    """Whether a field is written in MLflow's words. (Some words are both's, and mean the same.)"""
    word = item.get("type")
    return bool(set(_PART.values()) & set(item)) or (isinstance(word, str) and word in _OWN_WORDS)


def read_field(item: Mapping[str, Any], where: str, *, inside: bool = False) -> Field:
    """A column or tensor of an MLflow schema. MLflow's plain columns have no shape; here one may be given.

    Args:
        item: The entry.
        where: The part of the signature, for messages.
        inside: It is a part of an object, and so has no axis of rows.

    Raises:
        InvalidInput: It is neither, or says something that nobody would read.
    """
    word, optional = item.get("type"), is_optional(item, where)
    if word == "tensor":
        return replace(_tensor(item, where), optional=optional)
    plain = isinstance(word, str) and word in _COLUMNS
    inner = _value(item, where, 1, ("name", "required", "optional", *(("shape",) if plain else ())))
    rows = () if inside else (FREE,)
    shape = item.get("shape") if inner.shape is None else (*rows, *inner.shape)
    return replace(inner, name=_name(item), shape=shape, optional=optional)


def read_param(item: Mapping[str, Any], where: str) -> Param:
    """A param of an MLflow schema.

    Raises:
        InvalidInput: It is none.
    """
    inner = _value(item, where, 1, ("name", "default", "shape"))
    if inner.shape is not None:
        raise _odd(item, where)
    return Param(
        name=_name(item),
        type=inner.type,
        shape=item.get("shape"),
        default=item.get("default"),
        fields=inner.fields,
    )


def numbered(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """Several columns without any name get their position as name: MLflow allows them, and tells them by it."""
    if len(fields) < 2 or any(field.name for field in fields):
        return fields
    return tuple(replace(field, name=str(index)) for index, field in enumerate(fields))


def is_optional(item: Mapping[str, Any], where: str) -> bool:
    """What a field says by ``optional``, by MLflow's ``required``, or by neither.

    Raises:
        InvalidInput: One is no boolean, or they contradict each other.
    """
    said = {key: item[key] for key in ("optional", "required") if item.get(key) is not None}
    for key, value in said.items():
        if not isinstance(value, bool):
            raise InvalidInput(
                f"{where}, field {quoted(item.get('name') or '')}: expected true or false as {key}, "
                f"found {quoted(value)}."
            )
    if len(said) == 2 and said["optional"] is said["required"]:
        raise InvalidInput(
            f"{where}, field {quoted(item.get('name') or '')}: optional and required contradict each other."
        )
    return said.get("optional") is True or said.get("required") is False


def _name(item: Mapping[str, Any]) -> Any:
    return "" if item.get("name") is None else item["name"]


def _tensor(item: Mapping[str, Any], where: str) -> Field:
    check_keys(item, ("name", "type", "tensor-spec", "required", "optional"), where)
    spec = item.get("tensor-spec")
    if not isinstance(spec, Mapping) or not isinstance(spec.get("dtype"), str):
        raise _odd(item, where)
    check_keys(spec, ("dtype", "shape"), f"{where}, tensor-spec")
    return Field(name=_name(item), type=_from_numpy(spec["dtype"], where), shape=spec.get("shape"))


def _from_numpy(dtype: str, where: str) -> str:
    bare = next((word for word in ("str", "bytes") if dtype.startswith(word)), dtype)
    bare = next((f"{word}[ns]" for word in ("datetime64", "timedelta64") if dtype.startswith(word)), bare)
    if bare not in _TENSORS:
        raise InvalidInput(
            f"{where}: expected a NumPy type such as 'float32' in the tensor-spec, found {quoted(dtype)}."
        )
    return _TENSORS[bare]


def _value(item: Mapping[str, Any], where: str, depth: int, also: tuple[str, ...] = ()) -> Field:
    """What one row holds, without name; arrays become axes. ``also``: keys that the caller reads."""
    if not isinstance(item, Mapping) or depth > DEEPEST:
        raise _odd(item, where)
    word = item.get("type")
    if isinstance(word, str) and (word in _COLUMNS or word in _PART):
        check_keys(item, ("type", *([_PART[word]] if word in _PART else ()), *also), where)
    if word == "array":
        inner = _value(item.get("items", {}), where, depth + 1)
        return replace(inner, shape=(FREE, *(inner.shape or ())))
    if word == "object":
        return Field(type="object", fields=_properties(item, where, depth))
    if word == "map":
        return Field(type="map", fields=(_value(item.get("values", {}), where, depth + 1),))
    if isinstance(word, str) and word in _COLUMNS:
        return Field(type=_COLUMNS[word])
    raise _odd(item, where)


def _properties(item: Mapping[str, Any], where: str, depth: int) -> tuple[Field, ...]:
    given = item.get("properties")
    if not isinstance(given, Mapping):
        raise _odd(item, where)
    return tuple(
        replace(
            _value(part, where, depth + 1, ("required", "optional")),
            name=name,
            optional=is_optional(part, f"{where}, {quoted(name)}"),
        )
        for name, part in given.items()
    )


def _odd(item: object, where: str) -> InvalidInput:
    return InvalidInput(
        f"{where}: expected a column or tensor as MLflow writes them, such as "
        f'{{"name": "age", "type": "double", "required": true}}, found {quoted(item)}.'
    )


# --- to MLflow ----------------------------------------------------------------------------------------------


def to_mlflow(signature: Signature) -> dict[str, str | None]:
    """What ``mlflow.models.ModelSignature.from_dict`` reads: three JSON texts, ``None`` where there is nothing.

    Raises:
        InvalidInput: A field has a type, or a mixture of shape and type, that MLflow has no words for.
    """
    return {
        "inputs": _schema(signature.inputs),
        "outputs": _schema(signature.outputs),
        "params": json.dumps([_as_param(param) for param in signature.params]) if signature.params else None,
    }


def _schema(fields: Sequence[Field] | None) -> str | None:
    if not fields:  # MLflow refuses an empty schema
        return None
    as_tensors = all(f.shape is not None and f.type in _AS_TENSOR and not f.optional for f in fields)
    return json.dumps([_as_tensor(f) if as_tensors else _as_column(f) for f in fields])


def _named(name: str, entry: dict[str, JSON]) -> dict[str, JSON]:
    return {"name": name, **entry} if name else entry


def _as_tensor(field: Field) -> dict[str, JSON]:
    spec = {"dtype": _AS_TENSOR[field.type], "shape": list(field.shape or ())}
    return _named(field.name, {"type": "tensor", "tensor-spec": spec})


def _as_column(field: Field) -> dict[str, JSON]:
    shape = (FREE,) if field.shape is None else field.shape
    if set(shape) != {FREE}:
        raise InvalidInput(
            f"signature, field {quoted(field.name)}: MLflow has no columns of fixed lengths, optional tensors or "
            f"tensors of {field.type}, so it cannot say shape {list(shape)} here."
        )
    entry = _as_value(field, len(shape) - 1)
    return _named(field.name, {**entry, "required": not field.optional})


def _as_value(field: Field, axes: int) -> dict[str, JSON]:
    if axes:
        return {"type": "array", "items": _as_value(field, axes - 1)}
    if field.type == "object":
        return {"type": "object", "properties": {part.name: _as_property(part) for part in field.fields}}
    if field.type == "map":
        return {"type": "map", "values": _as_inner(field.fields[0])}
    if field.type not in _AS_COLUMN:
        raise InvalidInput(
            f"signature, field {quoted(field.name)}: MLflow has no column type for {field.type}; "
            f"it has {', '.join(_COLUMNS)}."
        )
    return {"type": _AS_COLUMN[field.type]}


def _as_inner(field: Field) -> dict[str, JSON]:
    shape = field.shape or ()
    if set(shape) - {FREE}:
        raise InvalidInput(
            f"signature, field {quoted(field.name)}: MLflow's arrays have no fixed length, found {list(shape)}."
        )
    return _as_value(field, len(shape))


def _as_property(field: Field) -> dict[str, JSON]:
    return {**_as_inner(field), "required": not field.optional}


def _as_param(param: Param) -> dict[str, JSON]:
    shape = None if param.shape is None else list(param.shape)
    value = _as_value(replace(param.as_field(), shape=None), 0)
    return {"name": param.name, **value, "default": param.default, "shape": shape}
