"""A model's own rules: gates, lifecycle, holders, retention, what loading it is said to need.

A policy belongs to the model and is versioned with it. It is read once, strictly: a slip in a name is an
error when the policy is saved, not a gate that never closes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Final

from modelyard.domain import card as cards
from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import InvalidInput, InvalidPolicy
from modelyard.domain.gates import METRIC_KINDS, Requirement, parse_requirements
from modelyard.domain.lifecycle import TABLES, Table, parse_table
from modelyard.domain.lifecycle import parse_stage as _stage_or_error
from modelyard.domain.metrics import match_names, split_spec
from modelyard.domain.records import JSON, ModelStage
from modelyard.domain.retention import Retention
from modelyard.domain.spelling import hint, quoted

INCUMBENT_GOES_TO: Final = ("deprecated", "archived")
ON_MISMATCH: Final = ("warn", "refuse", "ignore")
LONGEST_RETENTION: Final = 36_500  # days; a century, and safely inside what a date can hold

_ONE_IN_PRODUCTION: Final[Mapping[str, int]] = {"production": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of one model.

    Attributes:
        version: Counts the changes of this policy; 0 is the default that nobody wrote.
        lifecycle: ``standard``, ``strict`` or ``custom``.
        transitions: The custom table as written, else ``None``.
        gates: Stage -> requirement -> threshold.
        holders: Stage -> how many versions may hold it at once; 0, and any stage not named: as many as like.
        incumbent: Where the incumbent goes when a newcomer takes its place: ``deprecated`` or ``archived``.
        card_fields: What a complete model card needs.
        retention: How long archived versions are kept.
        trust: What the model's team declares that loading it needs, such as ``my_pkg.*``. It opens nothing: only the
            call and the settings of whoever loads do. It is shown where a load is refused.
        protected_stages: Stages whose holders cannot be deleted without force and a reason, besides
            ``production``.
        clean_git: Whether a version may be registered only from a git work tree whose tracked files are as committed.
        environment: What loading does where interpreter or packages differ in their major version from those that
            the version was made with: ``warn``, ``refuse`` or ``ignore``.
        at, by: When and by whom this version of the policy was written.
    """

    version: int = 0
    lifecycle: str = "standard"
    transitions: Mapping[str, Mapping[str, str]] | None = None
    gates: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
    holders: Mapping[str, int] = field(default_factory=lambda: dict(_ONE_IN_PRODUCTION))
    incumbent: str = "deprecated"
    card_fields: tuple[str, ...] = cards.DEFAULT_FIELDS
    retention: Retention = field(default_factory=Retention)
    trust: tuple[str, ...] = ()
    protected_stages: tuple[str, ...] = ()
    clean_git: bool = False
    environment: str = "warn"
    at: datetime | None = None
    by: str = ""

    @property
    def table(self) -> Table:
        """The lifecycle in force."""
        return TABLES[self.lifecycle] if self.transitions is None else parse_table(self.transitions)

    @property
    def gated(self) -> bool:
        """Whether any stage has a gate."""
        return any(self.requirements(ModelStage(stage)) for stage in self.gates)

    def holder_limit(self, stage: ModelStage) -> int:
        """How many versions may hold a stage at once; 0 for no limit."""
        return self.holders.get(stage.value, 0)

    def requirements(self, stage: ModelStage) -> tuple[Requirement, ...]:
        """What this policy asks of a promotion to ``stage``."""
        return parse_requirements(self.gates.get(stage.value), "policy")


DEFAULT: Final = Policy()


# --- reading ------------------------------------------------------------------------------------------------


def parse_policy(
    given: Mapping[str, Any], *, known_metrics: Collection[str] | None
) -> tuple[Policy, tuple[str, ...]]:
    """A policy as someone wrote it, checked against the model.

    Args:
        given: Any of the attributes of `Policy`; what is left out keeps its default.
        known_metrics: Names of the metrics recorded for the model's versions, or ``None`` while it has no
            versions: then metric names cannot be checked, and each is a warning.

    Returns:
        The policy and the warnings, one line each.

    Raises:
        InvalidPolicy: Names the key that is unknown or has a value of the wrong type, and the nearest known
            name.
    """
    policy = from_mapping(given)
    named = [(stage, r) for stage in policy.gates for r in policy.requirements(ModelStage(stage))]
    metrics = [(stage, r) for stage, r in named if r.kind in METRIC_KINDS]
    if known_metrics is not None:
        for stage, requirement in metrics:
            _check_metric(stage, requirement, known_metrics)
        return policy, ()
    return policy, tuple(
        f"gates.{stage}.{requirement.key}: not checked, because the model has no versions yet."
        for stage, requirement in metrics
    )


def from_mapping(given: Mapping[str, Any]) -> Policy:
    """The policy that a mapping holds; metric names are taken as they are.

    Raises:
        InvalidPolicy: As for `parse_policy`.
    """
    if not isinstance(given, Mapping):
        raise InvalidPolicy(f"Policy: expected a mapping, found {quoted(given)}.")
    for key in given:
        if key not in _READERS:
            raise InvalidPolicy(
                f"Policy: unknown key {quoted(key)}, expected one of {', '.join(_READERS)}."
                f"{hint(str(key), _READERS)}"
            )
    read = {key: _READERS[key](value) for key, value in given.items()}
    return Policy(**{**read, "lifecycle": _lifecycle_in_force(read)})


def _lifecycle_in_force(read: Mapping[str, Any]) -> str:
    """A table of its own makes a lifecycle custom; naming another beside it is a contradiction."""
    own = read.get("transitions") is not None
    named = read.get("lifecycle", "custom" if own else DEFAULT.lifecycle)
    if own is not (named == "custom"):
        expected = "'custom', because transitions are given" if own else "transitions beside 'custom'"
        raise InvalidPolicy(f"lifecycle: expected {expected}, found {named!r}.")
    return str(named)


def _check_metric(stage: str, requirement: Requirement, known: Collection[str]) -> None:
    name, _ = split_spec(requirement.subject, known)
    meant = match_names(name, known)
    if len(meant) == 1:
        return
    where = f"gates.{stage}.{requirement.key}"
    if meant:
        raise InvalidPolicy(f"{where}: {name!r} may mean {', '.join(meant)}. Write the exact name.")
    recorded = ", ".join(sorted(known)[:10]) or "none"
    raise InvalidPolicy(
        f"{where}: no version has a metric {name!r}; recorded are: {recorded}.{hint(name, known)}"
    )


def _mapping(value: Any, where: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise InvalidPolicy(f"{where}: expected a mapping, found {quoted(value)}.")
    return value


def _words(value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Collection) or isinstance(value, Mapping):
        raise InvalidPolicy(f"{where}: expected a list of words, found {quoted(value)}.")
    for word in value:
        if not isinstance(word, str) or not word.strip() or not word.isprintable():
            raise InvalidPolicy(f"{where}: expected words, found {quoted(word)}.")
    return tuple(value)


def _whole(value: Any, where: str, most: int = 2**53) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise InvalidPolicy(f"{where}: expected a whole number from 0 to {most}, found {quoted(value)}.")
    return value


def _choice(value: Any, where: str, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        near = hint(str(value), choices)
        raise InvalidPolicy(f"{where}: expected one of {', '.join(choices)}, found {quoted(value)}.{near}")
    return value


def _switch(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidPolicy(f"{where}: expected true or false, found {quoted(value)}.")
    return value


def _stage(value: Any, where: str) -> str:
    try:
        return _stage_or_error(value).value
    except InvalidInput as error:
        raise InvalidPolicy(f"{where}: {error.detail}") from error


def _transitions(value: Any) -> Mapping[str, Mapping[str, str]] | None:
    """The table in full, every condition spelled out, so that what is stored needs no defaults."""
    if value is None:
        return None
    moves = parse_table(value).moves
    return {
        start.value: {stage.value: c.value for stage, c in following.items()}
        for start, following in moves.items()
    }


def _gates(value: Any) -> Mapping[str, Mapping[str, JSON]]:
    gates: dict[str, Mapping[str, JSON]] = {}
    for key, rules in _mapping(value, "gates").items():
        stage = _stage(key, "gates")
        _once(stage, gates, "gates")
        try:
            requirements = parse_requirements(_mapping(rules, f"gates.{stage}"), "policy")
        except InvalidPolicy as error:
            raise InvalidPolicy(f"gates.{stage}: {error.detail}") from error
        gates[stage] = {requirement.key: requirement.value for requirement in requirements}
    return gates


def _holders(value: Any) -> Mapping[str, int]:
    holders: dict[str, int] = {}
    for key, most in _mapping(value, "holders").items():
        stage = _stage(key, "holders")
        _once(stage, holders, "holders")
        holders[stage] = _whole(most, f"holders.{stage}")
    return {**_ONE_IN_PRODUCTION, **holders}


def _once(stage: str, seen: Mapping[str, Any], where: str) -> None:
    if stage in seen:
        raise InvalidPolicy(f"{where}: stage {stage} is given twice, in different spellings.")


def _card_fields(value: Any) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys(cards.field_name(word) for word in _words(value, "card_fields")))
    except InvalidPolicy:
        raise
    except InvalidInput as error:
        raise InvalidPolicy(f"card_fields: {error.detail}") from error


def _retention(value: Any) -> Retention:
    given = _mapping(value, "retention")
    known = ("archived_days", "keep_last")
    for key in given:
        _choice(key, "retention", known)
    days = given.get("archived_days", Retention().archived_days)
    return Retention(
        archived_days=None if days is None else _whole(days, "retention.archived_days", LONGEST_RETENTION),
        keep_last=_whole(given.get("keep_last", 0), "retention.keep_last"),
    )


def _trust(value: Any) -> tuple[str, ...]:
    """Dotted names, the last part may be ``*``. A lone ``*`` would trust everybody and is refused."""
    patterns = _words(value, "trust")
    for pattern in patterns:
        parts = pattern.split(".")
        named = parts[:-1] if parts[-1] == "*" else parts
        if not named or not all(part.isidentifier() for part in named):
            raise InvalidPolicy(f"trust: expected a pattern such as my_pkg.*, found {quoted(pattern)}.")
    return patterns


def _stages(value: Any) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(_stage(word, "protected_stages") for word in _words(value, "protected_stages"))
    )


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise InvalidPolicy(f"at: expected an ISO 8601 time, found {quoted(value)}.") from error
    if moment.tzinfo is None:
        raise InvalidPolicy(f"at: expected a time with its zone, found {quoted(value)}.")
    return moment


def _author(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidPolicy(f"by: expected a name, found {quoted(value)}.")
    return value


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "version": lambda value: _whole(value, "version"),
    "lifecycle": lambda value: _choice(value, "lifecycle", (*TABLES, "custom")),
    "transitions": _transitions,
    "gates": _gates,
    "holders": _holders,
    "incumbent": lambda value: _choice(value, "incumbent", INCUMBENT_GOES_TO),
    "card_fields": _card_fields,
    "retention": _retention,
    "trust": _trust,
    "protected_stages": _stages,
    "clean_git": lambda value: _switch(value, "clean_git"),
    "environment": lambda value: _choice(value, "environment", ON_MISMATCH),
    "at": _moment,
    "by": _author,
}


# --- writing ------------------------------------------------------------------------------------------------


def to_mapping(policy: Policy) -> dict[str, JSON]:
    """The policy as JSON; `from_mapping` reads it back unchanged."""
    return {
        "version": policy.version,
        "lifecycle": policy.lifecycle,
        "transitions": {k: dict(v) for k, v in policy.transitions.items()}
        if policy.transitions is not None
        else None,
        "gates": {stage: dict(rules) for stage, rules in policy.gates.items()},
        "holders": dict(policy.holders),
        "incumbent": policy.incumbent,
        "card_fields": list(policy.card_fields),
        "retention": {
            "archived_days": policy.retention.archived_days,
            "keep_last": policy.retention.keep_last,
        },
        "trust": list(policy.trust),
        "protected_stages": list(policy.protected_stages),
        "clean_git": policy.clean_git,
        "environment": policy.environment,
        "at": policy.at.isoformat() if policy.at is not None else None,
        "by": policy.by,
    }
