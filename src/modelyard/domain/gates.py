"""Gates: pure rules that look at one promotion and say pass, or fail with reasons.

A requirement is one line of a policy or of a caller, ``min_accuracy: 0.85``. `judge` holds every requirement
against a `PromotionCase`, which carries all that a rule may look at, the moment included: same case, same
verdict. Whatever a rule needs and does not find fails it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import GateRefused, InvalidInput, InvalidPolicy
from modelyard.domain.gate_rules import KINDS, METRIC_KINDS, scan_verdict
from modelyard.domain.promotion_case import PromotionCase, Requirement, Source
from modelyard.domain.records import JSON, ModelStage
from modelyard.domain.spelling import closest, hint, quoted

__all__ = [
    "KINDS",
    "METRIC_KINDS",
    "PromotionCase",
    "Requirement",
    "RuleResult",
    "Verdict",
    "judge",
    "parse_requirements",
    "refusal",
]

_SLIP = 0.9  # likeness from which a check's name is taken for a misspelled rule


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """What one rule found. ``expected`` and ``observed`` are JSON (NaN is the text ``"NaN"``).

    ``origin`` says where the observed value came from, ``reason`` why the rule failed (or how it passed, if
    that is not plain from the numbers).
    """

    rule: str
    source: str
    expected: JSON
    observed: JSON = None
    origin: str = ""
    passed: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome over all rules: passed if every rule passed.

    Attributes:
        passed: Whether the promotion may go ahead.
        target: The stage that was asked for.
        rules: One result per rule, in the order of the requirements.
        warnings: What did not fail but should be seen.
        model_id: The candidate.
        incumbent: ``model_id`` of the incumbent, or ``None``.
    """

    passed: bool
    target: ModelStage
    rules: tuple[RuleResult, ...] = ()
    warnings: tuple[str, ...] = ()
    model_id: str = ""
    incumbent: str | None = None

    @property
    def reasons(self) -> tuple[str, ...]:
        """One line per failed rule."""
        return tuple(f"{r.rule} ({r.source}): {r.reason}" for r in self.rules if not r.passed)

    def to_mapping(self) -> dict[str, JSON]:
        """JSON, for an event or the wire."""
        return {
            "passed": self.passed,
            "target": str(self.target),
            "rules": [asdict(rule) for rule in self.rules],
            "warnings": list(self.warnings),
            "model_id": self.model_id,
            "incumbent": self.incumbent,
        }

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, JSON]) -> Verdict:
        """The verdict that `to_mapping` wrote."""
        return cls(
            passed=mapping["passed"],
            target=ModelStage(mapping["target"]),
            rules=tuple(RuleResult(**rule) for rule in mapping["rules"]),
            warnings=tuple(mapping["warnings"]),
            model_id=mapping["model_id"],
            incumbent=mapping["incumbent"],
        )


# --- judging ------------------------------------------------------------------------------------------------


def judge(case: PromotionCase) -> Verdict:
    """Hold every requirement against the case, and the registry's own rule: what is unsafe goes nowhere."""
    requirements = (*_own_rules(case), *case.requirements)
    rules = tuple(_result(requirement, case) for requirement in requirements)
    return Verdict(
        passed=all(rule.passed for rule in rules),
        target=case.target,
        rules=rules,
        warnings=_warnings(case),
        model_id=case.version.model_id,
        incumbent=case.incumbent.model_id if case.incumbent else None,
    )


def refusal(verdict: Verdict, subject: str) -> GateRefused:
    """The error for a verdict that did not pass; ``subject`` names the version, as in ``fraud:1.2.0``."""
    count = len(verdict.reasons)
    return GateRefused(
        f"{subject} may not go to {verdict.target}: {count} {'gate' if count == 1 else 'gates'} failed",
        reasons=verdict.reasons,
        data={"verdict": verdict.to_mapping()},
    )


def _result(requirement: Requirement, case: PromotionCase) -> RuleResult:
    finding = KINDS[requirement.kind].rule(requirement, case)
    return RuleResult(
        rule=requirement.key,
        source=requirement.source,
        expected=requirement.value,
        observed=finding.observed,
        origin=finding.origin,
        passed=finding.passed,
        reason=finding.reason,
    )


def _own_rules(case: PromotionCase) -> tuple[Requirement, ...]:
    """A version judged ``unsafe`` or ``error`` cannot leave development nor rise; the way down stays open.

    A withdrawn one, or one made of something withdrawn, does not go live, unless that is forced.
    """
    found = ["not_unsafe"] if _rises(case.version.stage, case.target) else []
    withdrawn = case.version.withdrawn or case.origins
    if case.target is ModelStage.PRODUCTION and withdrawn and not case.forced:
        found.append("not_withdrawn")
    return tuple(Requirement(key=key, kind=key, subject="", value=True, source="registry") for key in found)


def _rises(current: ModelStage, target: ModelStage) -> bool:
    ladder = tuple(ModelStage)[:4]
    if target not in ladder[1:]:
        return False
    return current not in ladder or ladder.index(target) >= ladder.index(current)


def _warnings(case: PromotionCase) -> tuple[str, ...]:
    """An ``unknown`` scan does not stop a promotion, but nobody should miss it; nor that it is a withdrawn version."""
    found = []
    if _rises(case.version.stage, case.target) and scan_verdict(case.version) == "unknown":
        found.append("Some files could not be judged safe: the scan's verdict is unknown.")
    if case.version.withdrawn:
        found.append(f"The version was withdrawn: {case.version.withdrawn.reason}")
    return *found, *(f"Its {line}" for line in case.origins)


# --- reading ------------------------------------------------------------------------------------------------


def parse_requirements(given: Mapping[str, Any] | None, source: Source = "policy") -> tuple[Requirement, ...]:
    """Requirements from a mapping such as ``{"min_accuracy": 0.85, "tests_passed": True}``.

    ``False`` and ``approvals: 0`` ask for nothing and are left out.

    Args:
        given: Keys and thresholds; ``None`` means none.
        source: Who asks.

    Raises:
        InvalidPolicy: From a policy: an unknown key, with the nearest known one, or a value of the wrong
            type.
        InvalidInput: The same, from a caller.
    """
    if given is None:
        return ()
    error = InvalidPolicy if source == "policy" else InvalidInput
    if not isinstance(given, Mapping):
        raise error(f"Requirements: expected a mapping such as min_accuracy: 0.9, found {quoted(given)}.")
    try:
        parsed = [_requirement(key, value, source) for key, value in given.items()]
    except InvalidInput as found:
        raise error(found.detail) from found
    return tuple(requirement for requirement in parsed if not _asks_nothing(requirement))


def _asks_nothing(requirement: Requirement) -> bool:
    return requirement.value is False or (requirement.kind == "approvals" and requirement.value == 0)


def _requirement(key: Any, value: Any, source: Source) -> Requirement:
    kind, subject = _kind_of(key, value)
    return Requirement(
        key=key,
        kind=kind,
        subject=subject,
        value=KINDS[kind].takes(value, f"Requirement {key!r}"),
        source=source,
    )


def _kind_of(key: Any, value: Any) -> tuple[str, str]:
    """The kind that a key names, and the metric or check that it is about."""
    if not isinstance(key, str) or not key.strip() or not key.isprintable():
        raise InvalidInput(f"Requirement {quoted(key)}: expected a name such as min_accuracy.")
    if key in KINDS and KINDS[key].written and key not in METRIC_KINDS:
        return key, KINDS[key].check
    for prefix in METRIC_KINDS:
        if key.startswith(prefix) and len(key) > len(prefix):
            return prefix, key[len(prefix) :]
    if isinstance(value, bool) and closest(key, _SPELLED, cutoff=_SLIP) is None:
        return "check", key
    raise _unknown(key, value)


_SPELLED: Final = tuple(name for name, kind in KINDS.items() if kind.written and name not in METRIC_KINDS)


def _unknown(key: str, value: Any) -> InvalidInput:
    near = hint(key, _SPELLED)
    if not near and isinstance(value, (int, float)):
        near = f" Did you mean 'min_{key}' or 'max_{key}'?"
    known = ", ".join((*(f"{prefix}<metric>" for prefix in METRIC_KINDS), *_SPELLED))
    return InvalidInput(
        f"Requirement {quoted(key)} with {quoted(value)} is not known: "
        f"expected {known}, or a check's name with true.{near}"
    )
