"""What a gate is given and what it answers, as plain values."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from modelyard.domain.card import DEFAULT_FIELDS
from modelyard.domain.dataclass import dataclass
from modelyard.domain.records import JSON, ModelStage, ModelVersion

Source: TypeAlias = Literal["policy", "caller", "registry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One thing that a promotion has to fulfil.

    Attributes:
        key: As written: ``min_accuracy[test]``.
        kind: The row of `gate_rules.KINDS` that judges it: ``min_``.
        subject: What is left of the key: a metric (``accuracy[test]``) or a check (``tests_passed``); may be
            empty.
        value: The threshold, checked and in JSON's types.
        source: ``policy``, ``caller`` or ``registry`` (what no policy can waive).
    """

    key: str
    kind: str
    subject: str
    value: JSON
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionCase:
    """All that a gate may look at.

    Attributes:
        at: The moment of judging, timezone-aware.
        version: The candidate.
        incumbent: Who holds the target now, if anyone.
        target: The stage asked for.
        requirements: What has to hold, the policy's and the caller's.
        card_fields: What `documentation_complete` asks for.
        approvals: Names of the people whose approval is valid for this promotion.
        signers: Identities whose signature over the version was verified.
        forced: The caller insists and says why: a withdrawn version may go live.
        origins: What it was made of and is withdrawn, one line each; a copy's original is among it.
    """

    at: datetime
    version: ModelVersion
    incumbent: ModelVersion | None
    target: ModelStage
    requirements: tuple[Requirement, ...] = ()
    card_fields: tuple[str, ...] = DEFAULT_FIELDS
    approvals: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()
    forced: bool = False
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule answers; see `RuleResult` for the words."""

    passed: bool
    observed: JSON = None
    origin: str = ""
    reason: str = ""
