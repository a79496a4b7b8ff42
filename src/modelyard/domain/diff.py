"""What two versions are made of, and where that differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TypeAlias

from modelyard.domain.dataclass import dataclass
from modelyard.domain.records import JSON, FileEntry, ModelVersion
from modelyard.domain.signature_verdict import recorded

Sides: TypeAlias = Mapping[str, JSON]
"""``{"a": value, "b": value}``; a side that has none is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where two versions differ; what is equal is left out.

    Attributes:
        a, b: ``model_id`` of the two versions.
        signature_verdict: What going from ``a`` to ``b`` means to a consumer: ``identical``, ``compatible``,
            ``breaking``, or ``unknown`` where a side has no signature.
        signature_reasons: One line per field that differs, or which side alone has a signature.
        params: Hyperparameters, ``{"C": {"a": 1.0, "b": 0.5}}``; nested keys are joined by dots.
        environment: The same for interpreter, packages and code.
        files: The same for digests by path.
        card: The same for the model card.
    """

    a: str
    b: str
    signature_verdict: str
    signature_reasons: tuple[str, ...]
    params: Mapping[str, Sides]
    environment: Mapping[str, Sides]
    files: Mapping[str, Sides]
    card: Mapping[str, Sides]

    @property
    def empty(self) -> bool:
        """Nothing differs that was recorded."""
        return not (
            self.signature_reasons or self.params or self.environment or self.files or self.card
        ) and self.signature_verdict in (
            "identical",
            "unknown",
        )  # "unknown" without a reason: neither has one

    def to_mapping(self) -> dict[str, JSON]:
        """JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)} | {
            "signature_reasons": list(self.signature_reasons)
        }


def diff(a: ModelVersion, b: ModelVersion) -> Difference:
    """Where ``b`` differs from ``a``; ``diff(b, a)`` has the sides exchanged."""
    verdict = recorded(a.signature, b.signature)
    return Difference(
        a=a.model_id,
        b=b.model_id,
        signature_verdict=verdict.verdict if verdict else "unknown",
        signature_reasons=tuple(verdict.reasons) if verdict else _one_sided(a, b),
        params=_difference(_flat(a.hyperparams), _flat(b.hyperparams)),
        environment=_difference(_flat(a.environment), _flat(b.environment)),
        files=_difference(_digests(a.files), _digests(b.files)),
        card=_difference(_flat(a.card), _flat(b.card)),
    )


def _one_sided(a: ModelVersion, b: ModelVersion) -> tuple[str, ...]:
    having = [side for side, version in (("a", a), ("b", b)) if version.signature]
    return (f"only {having[0]} has a signature",) if having else ()


def _digests(files: tuple[FileEntry, ...]) -> dict[str, JSON]:
    return {entry.path: entry.digest for entry in files}


def _difference(left: Mapping[str, JSON], right: Mapping[str, JSON]) -> dict[str, dict[str, JSON]]:
    sides = {"a": left, "b": right}
    return {
        key: {side: values[key] for side, values in sides.items() if key in values}
        for key in sorted({**left, **right})
        if key not in left or key not in right or not _same(left[key], right[key])
    }


def _same(left: JSON, right: JSON) -> bool:
    """``1`` and ``True`` are equal to Python and not the same setting; ``1`` and ``1.0`` are one number in JSON."""
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)


def _flat(mapping: Mapping[str, JSON], prefix: str = "") -> dict[str, JSON]:
    flat: dict[str, JSON] = {}
    for key, value in mapping.items():
        inner = isinstance(value, Mapping) and value
        flat |= _flat(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value}
    return flat
