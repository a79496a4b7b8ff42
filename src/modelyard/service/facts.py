"""Facts that may change after registration: metrics, checks, tags, attributes, description, card, hold, policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from modelyard.domain import card, metrics, names, policy
from modelyard.domain.canonical import plain
from modelyard.domain.errors import Conflict, InvalidInput, NotAllowed
from modelyard.domain.pointers import Board
from modelyard.domain.records import Check, Model, ModelVersion
from modelyard.domain.request_types import check_json, check_mapping, check_optional_text
from modelyard.ports.service import Annotate, RecordCheck, RecordMetrics, SetPolicy
from modelyard.service import resolve
from modelyard.service.draft import Draft, change, touched
from modelyard.service.reasons import LIMIT as REASON_LIMIT
from modelyard.service.versions import DESCRIPTION_LIMIT, check_tags

if TYPE_CHECKING:
    from modelyard.service.local import LocalService


@dataclass(slots=True)
class _Edit:
    """New values of a version's facts and the event's words for them."""

    facts: dict[str, Any]
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)


def _edit(
    service: LocalService,
    ref: str,
    revision: int | None,
    action: str,
    make: Callable[[Board, ModelVersion], _Edit],
) -> ModelVersion:
    """Read a version and its model, let ``make`` say what changes, write both and one event."""

    def step() -> tuple[ModelVersion, Draft | None]:
        found = resolve.version(service, ref)
        model = resolve.model_named(service, found.name)
        version = resolve.version(service, found.model_id)
        _check_revision(version, revision)
        board = Board(model=model, at=service.clock.now(), actor=service.actor)
        edit = make(board, version)
        if not edit.facts:
            return version, None
        changed = replace(version, **edit.facts)
        prefix = touched(version)
        _, written, draft = change(
            service,
            model,
            (changed,),
            action=action,
            subject=prefix,
            before={f"{prefix}.{k}": v for k, v in edit.before.items()},
            after={f"{prefix}.{k}": v for k, v in edit.after.items()},
        )
        return written[0], draft

    return service.decide(step)


def _check_revision(record: ModelVersion | Model, expected: int | None) -> None:
    if expected is not None and record.revision != expected:
        raise Conflict(
            f"{record.name!r} is at revision {record.revision}, not {expected}: it changed since you read it; "
            "read it again and decide again",
            data={"revision": record.revision},
        )


def record_metrics(service: LocalService, request: RecordMetrics) -> ModelVersion:
    """Append measurements; the latest of a name, data set and split is the value."""

    def make(board: Board, version: ModelVersion) -> _Edit:
        new = metrics.parse_metrics(request.metrics, at=board.at, by=service.actor.name)
        old = metrics.latest(version.metrics)
        before = {
            f"metrics.{metrics.qualified(m)}": _value(old.get((m.name, m.dataset, m.split))) for m in new
        }
        after = {f"metrics.{metrics.qualified(m)}": m.value for m in new}
        facts = {"metrics": metrics.append(version.metrics, new)} if new else {}
        return _Edit(facts, before, after)

    return _edit(service, request.ref, request.revision, "version.measured", make)


def _value(metric: Any) -> float | None:
    return None if metric is None else metric.value


def record_check(service: LocalService, request: RecordCheck) -> ModelVersion:
    """Record a yes or no with its evidence; the latest of a name counts."""
    names.check_key(request.check)
    check_mapping("evidence", request.evidence)
    check_json(request.evidence, "evidence")
    if not isinstance(request.passed, bool):
        raise InvalidInput(f"passed must be true or false, not {request.passed!r}")

    def make(board: Board, version: ModelVersion) -> _Edit:
        check = Check(
            name=request.check,
            passed=request.passed,
            at=board.at,
            by=service.actor.name,
            evidence=plain(request.evidence),
        )
        before = version.checks.get(request.check)
        key = f"checks.{request.check}"
        return _Edit(
            {"checks": {**version.checks, request.check: check}},
            {key: before.passed if before else None},
            {key: request.passed},
        )

    return _edit(service, request.ref, None, "version.checked", make)


def annotate(service: LocalService, request: Annotate) -> ModelVersion | Model:
    """Change descriptive facts in one step; what is equal already writes no event."""
    check_mapping("attributes", request.attributes)
    check_mapping("card", request.card)
    check_optional_text("description", request.description)
    check_optional_text("legal_hold", request.legal_hold)
    check_tags(request.tags)
    for key in request.attributes:
        names.check_key(key)
    check_json(request.attributes, "attributes")
    if request.description is not None:
        names.check_text(request.description, DESCRIPTION_LIMIT, "description")
    names.check_text(request.legal_hold or "", REASON_LIMIT, "legal_hold")
    if request.whole_model:
        return _annotate_model(service, request)

    def make(board: Board, version: ModelVersion) -> _Edit:
        edit = _Edit({})
        _merge(edit, "tags", version.tags, request.tags)
        _merge(edit, "attributes", version.attributes, plain(request.attributes))
        _text(edit, "description", version.description, request.description)
        _text(edit, "legal_hold", version.legal_hold, request.legal_hold)
        if request.card:
            merged = card.merge(version.card, request.card, known=board.model.policy.card_fields)
            if merged != version.card:
                edit.before["card"], edit.after["card"] = plain(version.card), merged
                edit.facts |= {"card": merged, "card_version": version.card_version + 1}
        return edit

    return _edit(service, request.ref, request.revision, "version.annotated", make)


def _merge(edit: _Edit, fact: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Set keys; ``None`` removes one."""
    changed = {k: v for k, v in new.items() if old.get(k) != v}
    if not changed:
        return
    edit.facts[fact] = {k: v for k, v in {**old, **changed}.items() if v is not None}
    for key, value in changed.items():
        edit.before[f"{fact}.{key}"], edit.after[f"{fact}.{key}"] = old.get(key), value


def _text(edit: _Edit, fact: str, old: str, new: str | None) -> None:
    if new is not None and new != old:
        edit.facts[fact] = new
        edit.before[fact], edit.after[fact] = old, new


def _annotate_model(service: LocalService, request: Annotate) -> Model:
    def step() -> tuple[Model, Draft | None]:
        model = resolve.model_named(service, request.ref)
        _check_revision(model, request.revision)
        edit = _Edit({})
        _merge(edit, "tags", model.tags, request.tags)
        _text(edit, "description", model.description, request.description)
        if not edit.facts:
            return model, None
        written, _, draft = change(
            service,
            replace(model, **edit.facts),
            (),
            action="model.annotated",
            subject="model",
            before=edit.before,
            after=edit.after,
        )
        return written, draft

    return service.decide(step)


def set_policy(service: LocalService, request: SetPolicy) -> Model:
    """Replace a model's rules; metric names are checked against what its versions have been measured by."""

    def step() -> tuple[Model, Draft | None]:
        model = resolve.model_named(service, request.model)
        if request.expected is not None and model.policy.version != request.expected:
            raise Conflict(
                f"the policy of {model.name!r} is at version {model.policy.version}, not {request.expected}; "
                "read it again and decide again",
                data={"version": model.policy.version},
            )
        parsed, warnings = policy.parse_policy(request.policy, known_metrics=_known_metrics(service, model))
        _check_holders(model, parsed)
        stamped = replace(
            parsed,
            version=model.policy.version + 1,
            at=service.clock.now(),
            by=service.actor.name,
        )
        written, _, draft = change(
            service,
            replace(model, policy=stamped),
            (),
            action="policy.set",
            subject="policy",
            before={"policy": policy.to_mapping(model.policy)},
            after={"policy": policy.to_mapping(stamped), "warnings": list(warnings)},
            reason=request.reason,
        )
        return written, draft

    return service.decide(step)


def _check_holders(model: Model, wanted: policy.Policy) -> None:
    """A limit below what holds a stage today would be broken from its first moment."""
    for stage, numbers in model.holders.items():
        limit = wanted.holders.get(stage, 0)
        if 0 < limit < len(numbers):
            held = ", ".join(f"#{number}" for number in numbers)
            raise NotAllowed(
                f"{len(numbers)} versions of {model.name!r} hold {stage} ({held}), more than the {limit} that the new "
                "policy allows; move some of them first"
            )


def _known_metrics(service: LocalService, model: Model) -> set[str] | None:
    versions = resolve.versions_of(service, model)
    return {m.name for v in versions for m in v.metrics} if versions else None
