"""The model card: what a version is, what it is for, and who answers for it.

The fields follow Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019), with an owner added. A
policy may demand further fields under names of its own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from modelyard.domain.errors import InvalidInput
from modelyard.domain.metrics import latest, qualified
from modelyard.domain.records import JSON, ModelVersion
from modelyard.domain.spelling import closest, quoted
from modelyard.domain.text import check_text

FIELDS: Final[Mapping[str, str]] = {
    "description": "What the model does, in a few sentences.",
    "intended_use": "Who should use it, and for what.",
    "out_of_scope": "Uses it was not made for.",
    "training_data": "What it was trained on.",
    "evaluation_data": "What it was measured on, and why that.",
    "metrics": "How good it is; filled from the recorded metrics.",
    "limitations": "Where it fails, as far as known.",
    "ethical_considerations": "Risks to people, and what was done about them.",
    "recommendations": "Advice to those who use it.",
    "owner": "The person or team that answers for it; filled from the tag `owner`.",
    "contact": "How to reach the owner.",
    "license": "The licence under which it may be used.",
    "citation": "How to cite it.",
    "references": "Papers, pages and code.",
}

DEFAULT_FIELDS: Final = ("description", "intended_use", "training_data", "metrics", "owner")
"""What `documentation_complete` asks for where a policy says nothing else."""

DEEPEST: Final = 32
LONGEST_TEXT: Final = 1_000_000  # characters
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SLIP = 0.85  # as alike as "limitation" and "limitations"


def field_name(name: Any) -> str:
    """The one spelling of a field's name: ``Intended use`` is ``intended_use``.

    Raises:
        InvalidInput: If it is not a word of letters, digits and underscores.
    """
    spelled = re.sub(r"[\s-]+", "_", name.strip().lower()) if isinstance(name, str) else ""
    if _NAME.fullmatch(spelled):
        return spelled
    raise InvalidInput(
        f"Card field {quoted(name)}: expected a letter, then up to 63 letters, digits, underscores."
    )


def validate(fields: Mapping[str, Any], known: Iterable[str] = ()) -> dict[str, JSON]:
    """Card fields under their one spelling, with JSON values.

    Args:
        fields: Names and values. ``None`` is accepted: `merge` takes it as a removal.
        known: Names that a policy demands besides those of `FIELDS`.

    Raises:
        InvalidInput: A name that looks like a slip of a known one, or a value that JSON cannot hold.
    """
    if not isinstance(fields, Mapping):
        raise InvalidInput(f"Card: expected a mapping of fields, found {quoted(fields)}.")
    understood = {*FIELDS, *known}
    checked: dict[str, JSON] = {}
    for key, value in fields.items():
        name = field_name(key)
        near = None if name in understood else closest(name, understood, cutoff=_SLIP)
        if near is not None:
            raise InvalidInput(f"Card field {name!r} is not known. Did you mean {near!r}?")
        checked[name] = _json(value, f"Card field {name!r}", DEEPEST)
    return checked


def _json(value: Any, where: str, depth: int) -> JSON:
    """The value in JSON's own types, or an error that says what does not fit."""
    if depth == 0:
        raise InvalidInput(f"{where}: nested more than {DEEPEST} deep.")
    if isinstance(value, Mapping):
        return {
            check_text(key, LONGEST_TEXT, f"{where}, key"): _json(inner, where, depth - 1)
            for key, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_json(inner, where, depth - 1) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput(f"{where}: expected a finite number, found {value}.")
    if isinstance(value, str):
        return check_text(value, LONGEST_TEXT, where)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise InvalidInput(f"{where}: expected text, numbers, lists or mappings, found {quoted(value)}.")


def merge(card: Mapping[str, JSON], fields: Mapping[str, Any], known: Iterable[str] = ()) -> dict[str, JSON]:
    """The card with ``fields`` written over it; ``None`` removes a field. Errors as for `validate`."""
    merged = {**card, **validate(fields, known)}
    return {name: value for name, value in merged.items() if value is not None}


def missing(card: Mapping[str, JSON], required: Iterable[str]) -> tuple[str, ...]:
    """The required fields that are absent or blank, in the order in which they are required."""
    return tuple(name for name in required if _blank(card.get(name)))


def _blank(value: JSON) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, (Mapping, list, tuple)) and not value)


def effective(version: ModelVersion) -> dict[str, JSON]:
    """The card as a reader sees it: where it is silent, recorded facts speak.

    Description, metrics, data lineage and the tag ``owner`` fill their fields; what the card says itself
    wins.
    """
    facts: dict[str, JSON] = {
        "description": version.description,
        "training_data": dict(version.data_lineage)
        or [e.target for e in version.lineage if e.kind == "dataset"],
        "metrics": {qualified(m): m.value for m in latest(version.metrics).values()},
        "owner": version.tags.get("owner", ""),
    }
    written = {name: value for name, value in version.card.items() if not _blank(value)}
    return {name: value for name, value in {**facts, **written}.items() if not _blank(value)}
