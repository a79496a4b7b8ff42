"""JSON Schemas (2020-12, as OpenAPI 3.1 takes them) from the same annotations that the codec reads.

A record that is only ever given has all its fields; one that is also taken needs only those without a default, and
may have no others. So readers of the file learn both what they will get and what they may leave out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from modelyard.domain.canonical import plain
from modelyard.domain.errors import ModelyardError
from modelyard.rest.docstrings import fields_told, told
from modelyard.wire.codec import hints

Schema = dict[str, Any]

NUMBER: Final[Schema] = {
    "description": "A number; what JSON has no number for is a text.",
    "anyOf": [{"type": "number"}, {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}],
}
SIMPLE: Final[Mapping[Any, Schema]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"$ref": "#/components/schemas/Number"},
    datetime: {"type": "string", "format": "date-time"},
    NoneType: {"type": "null"},
    Any: {},
}


class Schemas:
    """Collects a schema for every record that is mentioned.

    Args:
        taken: Annotations of what callers send; the records in them are open to being left incomplete.
    """

    def __init__(self, taken: Sequence[Any]) -> None:
        self.components: dict[str, Schema] = {"Number": NUMBER}
        self._taken: set[Any] = set()
        self._kinds: dict[str, Any] = {}
        for kind in taken:
            self._mark(kind)

    def _mark(self, kind: Any) -> None:
        for inner in get_args(kind):
            self._mark(inner)
        made = get_origin(kind) or kind
        if is_dataclass(made) and made not in self._taken:
            self._taken.add(made)
            for hint in hints(kind).values():
                self._mark(hint)

    def of(self, kind: Any) -> Schema:
        """The schema of an annotation; records become references."""
        if kind in SIMPLE:
            return dict(SIMPLE[kind])
        origin = get_origin(kind)
        if origin in (Union, UnionType):
            return self._union(get_args(kind))
        if origin is Literal:
            return {"enum": list(get_args(kind))}
        if origin is tuple or origin is Sequence:
            return self._list(get_args(kind))
        if origin is not None and not is_dataclass(origin) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(get_args(kind)[1])}
        if isinstance(kind, type) and issubclass(kind, Enum):
            return self._enum(kind)
        return self._record(kind)

    def _union(self, kinds: Sequence[Any]) -> Schema:
        members = [self.of(kind) for kind in kinds]
        return {} if {} in members else {"anyOf": members}

    def _list(self, kinds: Sequence[Any]) -> Schema:
        schema: Schema = {"type": "array", "items": self.of(kinds[0])}
        if len(kinds) > 1 and kinds[-1] is not Ellipsis:
            schema |= {"minItems": len(kinds), "maxItems": len(kinds)}
        return schema

    def _enum(self, kind: type[Enum]) -> Schema:
        if kind.__name__ not in self.components:
            values = [member.value for member in kind]
            self.components[kind.__name__] = {
                "type": "string",
                "enum": values,
                "description": told(kind),
            }
        return {"$ref": f"#/components/schemas/{kind.__name__}"}

    def _record(self, kind: Any) -> Schema:
        name, made = named(kind), get_origin(kind) or kind
        if self._kinds.setdefault(name, made) is not made:
            raise ModelyardError(
                f"two records are called {name}: {made.__module__}, {self._kinds[name].__module__}"
            )
        if name not in self.components:
            self.components[name] = {}  # so that a record that holds its own kind ends here
            self.components[name] = self.object(made, hints(kind), taken=made in self._taken)
        return {"$ref": f"#/components/schemas/{name}"}

    def object(self, kind: Any, kinds: Mapping[str, Any], *, taken: bool) -> Schema:
        """The schema of a record with those of its fields that ``kinds`` names."""
        meant = [f for f in fields(kind) if f.name in kinds]
        texts = fields_told(kind)
        properties = {f.name: self._field(f, kinds[f.name], texts.get(f.name, "")) for f in meant}
        needed = [f.name for f in meant if not taken or _must(f)]
        schema: Schema = {"type": "object", "description": told(kind), "properties": properties}
        if needed:
            schema["required"] = needed
        return schema | ({"additionalProperties": False} if taken else {})

    def _field(self, field: Any, kind: Any, text: str) -> Schema:
        return self.of(kind) | ({"description": text} if text else {}) | default(field.default)


def named(kind: Any) -> str:
    """``ModelVersion``; ``ModelVersionPage`` for a generic record."""
    made = get_origin(kind) or kind
    return "".join(inner.__name__ for inner in get_args(kind)) + str(made.__name__)


def _must(field: Any) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def default(value: Any) -> Schema:
    """What is meant where nothing is said; nothing for what JSON cannot say, and for empty words, which say nothing."""
    if value is None or not isinstance(value, str | int | float | bool) or value == "":
        return {}
    return {"default": plain(value)}
