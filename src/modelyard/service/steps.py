"""The label of a new version: the step it takes, held against the step that its signature's change calls for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from modelyard.domain import signature_verdict, versioning
from modelyard.domain.errors import BumpRefused
from modelyard.domain.query import Field, Order
from modelyard.domain.records import Model, ModelVersion
from modelyard.domain.signature_verdict import FieldChange, SignatureVerdict
from modelyard.domain.versioning import LEVELS
from modelyard.ports.metadata import LabelKey, VersionQuery
from modelyard.service import pages

if TYPE_CHECKING:
    from modelyard.ports.service import CreateVersion
    from modelyard.service.local import LocalService

_SHOWN: Final = 3
"""Fields that a message names; the error's reasons and the comparison of both versions have all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What the signature's change since the version before calls for."""

    before: ModelVersion
    found: SignatureVerdict

    def short(self, label: str) -> bool:
        """Whether the step up to ``label`` is smaller than that."""
        if self.found.level == LEVELS[-1]:
            return False
        step = versioning.step(self.before.version, label)
        return step is not None and LEVELS.index(step) > LEVELS.index(self.found.level)

    def fields(self) -> list[FieldChange]:
        """What differs, as far as it calls for the step."""
        return [change for change in self.found.changes if change.verdict == self.found.verdict]

    def warning(self, label: str) -> str:
        """That ``label`` is too small a step, with the fields that say so."""
        fields = self.fields()
        named = "; ".join(change.reason for change in fields[:_SHOWN])
        more = f"; and {len(fields) - _SHOWN} more" if len(fields) > _SHOWN else ""
        return (
            f"from {self.before.version} to {label} is a {versioning.step(self.before.version, label)} step, but the "
            f"change of the signature calls for {self.found.level}: {named}{more}"
        )

    def refusal(self, label: str, way: str) -> BumpRefused:
        return BumpRefused(
            f"{self.before.name}: {self.warning(label)}. {way}, or give an override_reason.",
            reasons=[change.reason for change in self.fields()],
            data={
                "needed": self.found.level,
                "before": self.before.model_id,
                "fields": [change.name for change in self.fields()],
            },
        )


def decide(service: LocalService, model: Model, request: CreateVersion) -> tuple[str, tuple[str, ...]]:
    """The label of a new version, and warnings to keep with it.

    Without a label it is the next one by ``bump``, else by what the signature's change calls for. A ``bump`` that is
    too small is refused; a label that is too small a step is warned of or refused, as ``service.enforce_steps`` says.
    Either goes through with an ``override_reason``, and the warning stays.

    Raises:
        BumpRefused: Names the fields.
    """
    if request.version is not None:
        return request.version, _of_label(service, model, request, request.version)
    comparable = bool(request.signature and model.highest) and not service.recent.has(
        model, request.signature
    )
    change = _change(_holder(service, model, model.highest) if comparable else None, request)
    level = request.bump or (change.found.level if change else "patch")
    label = versioning.next_label(model.highest or None, level)
    if change is None or not change.short(label):
        return label, ()
    if not request.override_reason.strip():
        raise change.refusal(label, f"Take bump={change.found.level!r}, or leave bump out")
    return label, (change.warning(label),)


def _of_label(service: LocalService, model: Model, request: CreateVersion, label: str) -> tuple[str, ...]:
    """Warnings about a label that the caller chose."""
    if service.enforce_steps == "off" or not request.signature:
        return ()
    change = _change(_predecessor(service, model, label), request)
    if change is None or not change.short(label):
        return ()
    if service.enforce_steps == "refuse" and not request.override_reason.strip():
        raise change.refusal(label, f"Take a label that is a {change.found.level} step up")
    return (change.warning(label),)


def _change(before: ModelVersion | None, request: CreateVersion) -> Change | None:
    """``None`` where there is nothing to compare."""
    found = signature_verdict.recorded(before.signature, request.signature) if before else None
    return Change(before=before, found=found) if before and found else None


def _holder(service: LocalService, model: Model, label: str) -> ModelVersion | None:
    """The version under a label, deleted ones included: their labels count on."""
    return service.store.get(LabelKey(model.key, versioning.label_key(label)))


def _predecessor(service: LocalService, model: Model, label: str) -> ModelVersion | None:
    """The version with the highest label below this one, deleted ones included; ``None`` if there is none.

    Nearly always that is the highest of all. A label below it, a late fix of an old release, costs a look through the
    newer ones.
    """
    if not model.highest or versioning.parse(label) is None:
        return None
    rank = versioning.rank(label, 0)
    if versioning.rank(model.highest, 0) < rank:
        return _holder(service, model, model.highest)
    query = VersionQuery(model_key=model.key, deleted=None, order=(Order(Field("label"), descending=True),))
    return next((v for v in pages.every(service.store, query) if versioning.rank(v.version, 0) < rank), None)
