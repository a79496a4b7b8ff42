"""The kinds of requirement: how each is written, checked and judged. `KINDS`, at the end, is the table.

Every rule takes a requirement and a case and answers with a finding. What it needs and does not find
fails it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Final

from modelyard.domain import card as cards
from modelyard.domain import signature_given, signature_verdict
from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import InvalidInput, NotFound
from modelyard.domain.metrics import direction, latest, number, qualified, resolve
from modelyard.domain.promotion_case import Finding, PromotionCase, Requirement
from modelyard.domain.records import JSON, Metric, ModelVersion
from modelyard.domain.spelling import quoted

_SECONDS_PER_DAY = 86_400


# --- about metrics ------------------------------------------------------------------------------------


def _at_least(requirement: Requirement, case: PromotionCase) -> Finding:
    return _bounded(requirement, case, lambda value: value >= requirement.value, "below")


def _at_most(requirement: Requirement, case: PromotionCase) -> Finding:
    return _bounded(requirement, case, lambda value: value <= requirement.value, "above")


def _bounded(
    requirement: Requirement, case: PromotionCase, holds: Callable[[float], bool], otherwise: str
) -> Finding:
    found = _measured(requirement, case)
    if isinstance(found, Finding):
        return found
    if holds(found.value):
        return _seen(found, passed=True)
    value, bound = _apart(found.value, requirement.value)
    reason = f"{qualified(found)} is {value}, {otherwise} {bound}"
    return _seen(found, passed=False, reason=reason)


def _improves(requirement: Requirement, case: PromotionCase) -> Finding:
    return _against_incumbent(requirement, case, requirement.value, "has to be better by")


def _no_worse(requirement: Requirement, case: PromotionCase) -> Finding:
    return _against_incumbent(requirement, case, -requirement.value, "may be worse by at most")


def _against_incumbent(requirement: Requirement, case: PromotionCase, needed: float, wording: str) -> Finding:
    """Compare with the incumbent's value of the same metric in the same place; ``needed`` is the least
    gain.
    """
    found = _measured(requirement, case)
    if isinstance(found, Finding):
        return found
    if case.incumbent is None:
        return _seen(found, passed=True, reason="there is no incumbent to compare with")
    higher = direction(found)
    if higher is None:
        return _seen(
            found,
            passed=False,
            reason=f"nobody knows whether a higher {found.name} is better: record it with higher_is_better",
        )
    rival = latest(case.incumbent.metrics).get((found.name, found.dataset, found.split))
    if rival is None or math.isnan(rival.value):
        state = "has no" if rival is None else "has NaN as"
        return _seen(found, passed=False, reason=f"the incumbent {state} {qualified(found)}")
    if _gain(found.value, rival.value, higher, needed):
        return _seen(found, passed=True, reason=f"the incumbent has {_apart(found.value, rival.value)[1]}")
    value, other = _apart(found.value, rival.value)
    both = f"{qualified(found)} is {value}, the incumbent's is {other}"
    return _seen(found, passed=False, reason=f"{both}: it {wording} {requirement.value}")


def _apart(value: float, other: float) -> tuple[str, str]:
    """Two numbers in as few digits (4 at least) as still tell them apart."""
    for digits in (4, 6, 9):
        texts = f"{value:.{digits}g}", f"{other:.{digits}g}"
        if texts[0] != texts[1]:
            return texts
    return repr(value), repr(other)


def _gain(value: float, rival: float, higher: bool, needed: float) -> bool:
    """Whether the gain reaches ``needed``, in decimals: 0.57 is better than 0.56 by 0.01, as people read
    it.
    """
    from decimal import Decimal

    gain = Decimal(repr(value)) - Decimal(repr(rival))
    return (gain if higher else -gain) >= Decimal(repr(needed))


def _measured(requirement: Requirement, case: PromotionCase) -> Metric | Finding:
    """The metric that a rule is about, or the finding that it cannot be had."""
    try:
        metric = resolve(case.version, requirement.subject)
    except (NotFound, InvalidInput) as error:
        return Finding(passed=False, reason=error.detail.rstrip("."))
    if math.isnan(metric.value):
        return _seen(metric, passed=False, reason=f"{qualified(metric)} is NaN, which passes no gate")
    return metric


def _seen(metric: Metric, *, passed: bool, reason: str = "") -> Finding:
    observed = "NaN" if math.isnan(metric.value) else metric.value
    origin = f"metric {qualified(metric)}{_recorded(metric.at, metric.by)}"
    return Finding(passed=passed, observed=observed, origin=origin, reason=reason)


def _recorded(at: datetime, by: str) -> str:
    return f", recorded {at.isoformat()}" + (f" by {by}" if by else "")


# --- about other facts --------------------------------------------------------------------------------


def _checked(requirement: Requirement, case: PromotionCase) -> Finding:
    check = case.version.checks.get(requirement.subject)
    if check is None:
        return Finding(passed=False, reason=f"no check {requirement.subject!r} is recorded")
    origin = f"check {check.name}{_recorded(check.at, check.by)}"
    reason = "" if check.passed else f"check {check.name!r} did not pass"
    return Finding(passed=check.passed, observed=check.passed, origin=origin, reason=reason)


def _documented(requirement: Requirement, case: PromotionCase) -> Finding:
    lacking = cards.missing(cards.effective(case.version), case.card_fields)
    reason = f"the model card lacks {', '.join(lacking)}" if lacking else ""
    origin = f"model card, version {case.version.card_version}"
    return Finding(
        passed=not lacking,
        observed={"missing": list(lacking)} if lacking else True,
        origin=origin,
        reason=reason,
    )


def _young_enough(requirement: Requirement, case: PromotionCase) -> Finding:
    age = (case.at - case.version.created_at).total_seconds() / _SECONDS_PER_DAY
    passed = age <= requirement.value
    reason = "" if passed else f"it is {age:.1f} days old, more than {requirement.value}"
    return Finding(passed=passed, observed=round(age, 3), origin="time of registration", reason=reason)


def _fitting_signature(requirement: Requirement, case: PromotionCase) -> Finding:
    """Whoever uses the incumbent can use the newcomer; what the incumbent describes has to be described."""
    ours = case.version.signature
    if not ours:
        return Finding(passed=False, reason="no signature is recorded")
    if case.incumbent is None:
        return Finding(
            passed=True, observed=True, origin="signature", reason="there is no incumbent to compare with"
        )
    theirs = case.incumbent.signature or {}
    found = signature_verdict.recorded(theirs, ours)
    if found is None:
        return Finding(passed=False, origin="signature", reason="the incumbent has no signature")
    silent = [part for part in ("inputs", "outputs") if part in theirs and part not in ours]
    lacking = [f"{part} are not described, as the incumbent's are" for part in silent]
    reason = "; ".join([*found.breaking, *lacking])
    return Finding(passed=not reason, observed=found.verdict, origin="signatures of both", reason=reason)


def _schema_documented(requirement: Requirement, case: PromotionCase) -> Finding:
    """Inputs and outputs are there, and every field says its type."""
    signature = signature_given.stored(case.version.signature)
    inputs, outputs = (signature.inputs, signature.outputs) if signature else ((), ())
    lacking = [part for part, fields in (("inputs", inputs), ("outputs", outputs)) if not fields]
    untyped = [field.name for field in (*(inputs or ()), *(outputs or ())) if field.type == "any"]
    reason = f"the signature lacks {' and '.join(lacking)}" if lacking else ""
    if untyped and not lacking:
        reason = f"nobody stated the type of {', '.join(quoted(name) for name in untyped[:5])}"
    return Finding(passed=not reason, observed=not reason, origin="signature", reason=reason)


def _approved(requirement: Requirement, case: PromotionCase) -> Finding:
    names = sorted(set(case.approvals))
    passed = len(names) >= requirement.value
    have = f"approved by {', '.join(names)}" if names else "no approval is recorded"
    reason = "" if passed else f"{have}, needed are {requirement.value}"
    return Finding(passed=passed, observed=len(names), origin=have if names else "", reason=reason)


def _signed(requirement: Requirement, case: PromotionCase) -> Finding:
    """One of the listed identities is enough; whoever wants two signatures writes approvals."""
    names = sorted(set(case.signers) & set(requirement.value))
    found = (
        f"signed by {', '.join(sorted(set(case.signers)))}" if case.signers else "no signature is verified"
    )
    reason = "" if names else f"{found}, needed is one by {' or '.join(requirement.value)}"
    return Finding(passed=bool(names), observed=sorted(set(case.signers)), origin=found, reason=reason)


_SCAN_ORDER = ("clean", "unknown", "error", "unsafe")


def scan_verdict(version: ModelVersion) -> str:
    """Worst verdict over all files, where a file that nobody judged is ``unknown``."""
    judged = all(entry.path in version.scans or entry.digest in version.scans for entry in version.files)
    return max(version.scan, "clean" if judged else "unknown", key=_SCAN_ORDER.index)


def _scanned(requirement: Requirement, case: PromotionCase) -> Finding:
    verdict = scan_verdict(case.version)
    passed = _SCAN_ORDER.index(verdict) <= _SCAN_ORDER.index(requirement.value)
    reason = "" if passed else f"the scan's verdict is {verdict}{_why(case.version)}"
    return Finding(passed=passed, observed=verdict, origin="scan of all files", reason=reason)


def _not_unsafe(requirement: Requirement, case: PromotionCase) -> Finding:
    verdict = scan_verdict(case.version)
    passed = verdict in ("clean", "unknown")
    reason = f"the scan's verdict is {verdict}{_why(case.version)}; it cannot leave development"
    return Finding(
        passed=passed, observed=verdict, origin="scan of all files", reason="" if passed else reason
    )


def _not_withdrawn(requirement: Requirement, case: PromotionCase) -> Finding:
    withdrawn = case.version.withdrawn
    own = (f"it was withdrawn: {withdrawn.reason}",) if withdrawn else ()
    found = "; ".join((*own, *case.origins))
    reason = f"{found}; reinstate it, or force it with a reason" if found else ""
    return Finding(passed=not found, observed=bool(found), origin="withdrawal", reason=reason)


def _why(version: ModelVersion) -> str:
    findings = [
        line for report in version.scans.values() if report.verdict != "clean" for line in report.reasons
    ]
    return f" ({'; '.join(findings[:3])})" if findings else ""


# --- what may be asked for ----------------------------------------------------------------------------------


def _threshold(value: Any, key: str) -> float | int:
    found = number(value, key)
    if math.isnan(found):
        raise InvalidInput(f"{key}: expected a number, found NaN.")
    return value if type(value) is int else found


def _margin(value: Any, key: str) -> float | int:
    found = _threshold(value, key)
    if found < 0:
        raise InvalidInput(f"{key}: expected a number of at least 0, found {found}.")
    return found


def _count(value: Any, key: str) -> int:
    found = _margin(value, key)
    if not float(found).is_integer():
        raise InvalidInput(f"{key}: expected a whole number, found {found}.")
    return int(found)


def _yes(value: Any, key: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(f"{key}: expected true or false, found {quoted(value)}.")
    return value


def _names(value: Any, key: str) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not names or not all(isinstance(n, str) and n for n in names):
        raise InvalidInput(f"{key}: expected a list of names, found {quoted(value)}.")
    return list(names)


def _scan_level(value: Any, key: str) -> str:
    if value in ("clean", "unknown"):
        return str(value)
    raise InvalidInput(f"{key}: expected 'clean' or 'unknown', found {quoted(value)}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of requirement.

    Attributes:
        takes: Checks the value: (value, key) to value.
        rule: Judges it.
        meaning: For people.
        check: The recorded check that it looks for, where it looks for one.
        written: Whether a policy or caller may write it.
    """

    takes: Callable[[Any, str], JSON]
    rule: Callable[[Requirement, PromotionCase], Finding] = field(repr=False)
    meaning: str
    check: str = ""
    written: bool = True


KINDS: Final[Mapping[str, Kind]] = {
    "min_": Kind(takes=_threshold, rule=_at_least, meaning="The metric is at least this."),
    "max_": Kind(takes=_threshold, rule=_at_most, meaning="The metric is at most this."),
    "improves_": Kind(
        takes=_margin, rule=_improves, meaning="The metric beats the incumbent's by at least this."
    ),
    "no_worse_": Kind(
        takes=_margin, rule=_no_worse, meaning="The metric trails the incumbent's by at most this."
    ),
    "max_age_days": Kind(takes=_margin, rule=_young_enough, meaning="Registered at most this many days ago."),
    "signature_compatible": Kind(
        takes=_yes, rule=_fitting_signature, meaning="Whoever uses the incumbent can use it as before."
    ),
    "schema_documented": Kind(
        takes=_yes, rule=_schema_documented, meaning="Inputs and outputs are described, with types."
    ),
    "documentation_complete": Kind(
        takes=_yes, rule=_documented, meaning="The model card has its required fields."
    ),
    "approvals": Kind(takes=_count, rule=_approved, meaning="That many people approved this promotion."),
    "signed_by": Kind(takes=_names, rule=_signed, meaning="One of these identities signed the version."),
    "scan": Kind(takes=_scan_level, rule=_scanned, meaning="No file is judged worse than this."),
    "tests_passed": Kind(
        takes=_yes, rule=_checked, check="tests_passed", meaning="The check `tests_passed` passed."
    ),
    "validation_required": Kind(
        takes=_yes, rule=_checked, check="validation", meaning="The check `validation` passed."
    ),
    "check": Kind(
        takes=_yes, rule=_checked, meaning="Any other name: the recorded check of that name.", written=False
    ),
    "not_withdrawn": Kind(
        takes=_yes,
        rule=_not_withdrawn,
        meaning="Nobody said of it, or of what it was made of, that it is not to be used any more.",
        written=False,
    ),
    "not_unsafe": Kind(
        takes=_yes, rule=_not_unsafe, meaning="No file is judged unsafe, and no scan failed.", written=False
    ),
}
"""How each requirement is written, checked and judged; a name that ends in ``_`` is followed by a metric."""

METRIC_KINDS: Final = tuple(name for name in KINDS if name.endswith("_"))
