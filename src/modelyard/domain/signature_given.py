"""Reading a signature in whichever form somebody has one: ours, its JSON, MLflow's object or MLflow's JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from modelyard.domain import signature_mlflow as mlflow
from modelyard.domain.errors import InvalidInput
from modelyard.domain.signature import DEEPEST, FORM, Field, Param, Signature, check_keys
from modelyard.domain.spelling import hint, quoted

T = TypeVar("T")

_PARTS: Final = ("inputs", "outputs", "params")
_FIELD_KEYS: Final = ("name", "type", "shape", "optional", "required", "fields")
_PARAM_KEYS: Final = ("name", "type", "shape", "default", "fields")


def parse(given: Any) -> Signature:
    """The signature that was meant.

    Args:
        given: A `Signature`; the JSON form as a mapping or text; MLflow's ``ModelSignature`` or what its
            ``to_dict()`` gives. Fields in MLflow's words (``double``, ``tensor``) may stand where ours may.

    Raises:
        InvalidInput: It is none of these; the message names the field at fault and shows the form expected.
    """
    if isinstance(given, Signature):
        return given
    document = _document(given)
    if unknown := [key for key in document if key not in _PARTS]:
        raise InvalidInput(
            f"signature: expected {', '.join(_PARTS)}, found {quoted(unknown[0])}."
            f"{hint(str(unknown[0]), _PARTS)} Give {FORM}."
        )
    return Signature(
        inputs=_fields(document, "inputs"),
        outputs=_fields(document, "outputs"),
        params=_part(document, "params", _param) or (),
    )


def stored(signature: Mapping[str, Any] | None) -> Signature | None:
    """The signature kept with a version; ``None`` if it has none, or one in a form that nobody reads any more."""
    if not signature:
        return None
    try:
        return parse(signature)
    except InvalidInput:
        return None


def _document(given: Any) -> Mapping[Any, Any]:
    if type(given).__module__.partition(".")[0] == "mlflow" and hasattr(given, "to_dict"):
        given = given.to_dict()
    if isinstance(given, str):
        given = _loaded(given, "signature")
    if not isinstance(given, Mapping):
        raise InvalidInput(f"signature: expected {FORM}, found {quoted(given)}.")
    return given


def _loaded(text: str, what: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except InvalidInput:
        raise
    except (ValueError, RecursionError):
        raise InvalidInput(f"{what}: expected JSON such as {FORM}, found {quoted(text)}.") from None


def _fields(document: Mapping[Any, Any], part: str) -> tuple[Field, ...] | None:
    found = _part(document, part, _field)
    return None if found is None else mlflow.numbered(found)


def _part(document: Mapping[Any, Any], part: str, read: Callable[[Any, str], T]) -> tuple[T, ...] | None:
    """One of the three lists; MLflow keeps each as a text of its own."""
    given = document.get(part)
    if isinstance(given, str):
        given = _loaded(given, f"signature {part}")
    if given is None:
        return None
    if not isinstance(given, (list, tuple)):
        raise InvalidInput(
            f"signature {part}: expected a list of fields, found {quoted(given)}. Give {FORM}."
        )
    return tuple(read(item, f"signature {part}") for item in given)


def _field(item: Any, where: str, depth: int = 1) -> Field:
    if isinstance(item, Field):
        return item
    _check_entry(item, where)
    if mlflow.is_entry(item):
        return mlflow.read_field(item, where, inside=depth > 1)
    check_keys(item, _FIELD_KEYS, where)
    parts = _nested(item, where, depth)
    known = {key: item[key] for key in ("name", "shape") if item.get(key) is not None}
    return Field(type=item.get("type", ""), fields=parts, optional=mlflow.is_optional(item, where), **known)


def _nested(item: Mapping[str, Any], where: str, depth: int) -> tuple[Field, ...]:
    given = item.get("fields") or ()
    if not isinstance(given, (list, tuple)) or depth > DEEPEST:
        raise InvalidInput(
            f"{where}: expected a list of fields, at most {DEEPEST} deep, found {quoted(given)}."
        )
    return tuple(_field(part, where, depth + 1) for part in given)


def _param(item: Any, where: str) -> Param:
    if isinstance(item, Param):
        return item
    _check_entry(item, where)
    if mlflow.is_entry(item):
        return mlflow.read_param(item, where)
    check_keys(item, _PARAM_KEYS, where)
    known = {key: item[key] for key in ("shape", "default") if item.get(key) is not None}
    return Param(
        name=item.get("name", ""), type=item.get("type", ""), fields=_nested(item, where, 1), **known
    )


def _check_entry(item: Any, where: str) -> None:
    if not isinstance(item, Mapping):
        raise InvalidInput(f"{where}: expected fields such as {FORM}, found {quoted(item)}.")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a key given twice nobody knows which value was meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for place, (key, _) in enumerate(pairs) if key in dict(pairs[:place]))
        raise InvalidInput(
            f"signature: the key {quoted(twice)} stands twice in one JSON object; give it once."
        )
    return found
