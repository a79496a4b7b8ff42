"""Who may do what: one table of roles, and one function that says no unless a grant says yes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final, TypeVar

from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import InvalidInput, PermissionDenied
from modelyard.domain.names import fold
from modelyard.domain.records import Actor, ModelStage
from modelyard.domain.spelling import hint, quoted


class Action(StrEnum):
    """What a call needs permission for."""

    READ = "read"
    """See records: names, facts, metrics, history."""
    DOWNLOAD = "download"
    """Read the bytes of a version."""
    WRITE = "write"
    """Register versions, change their facts, delete them."""
    PROMOTE = "promote"
    """Move stages and aliases."""
    GOVERN = "govern"
    """Change a model's rules and what is protected."""
    AUDIT = "audit"
    """Read histories and verify the chains."""
    ADMINISTER = "administer"
    """Everything about the registry as a whole: care, import and export, users and tokens."""


ROLES: Final[Mapping[str, frozenset[Action]]] = {
    "reader": frozenset({Action.READ, Action.DOWNLOAD}),
    "writer": frozenset({Action.READ, Action.DOWNLOAD, Action.WRITE}),
    "approver": frozenset({Action.READ, Action.DOWNLOAD, Action.PROMOTE}),
    "auditor": frozenset({Action.AUDIT}),
    "admin": frozenset(Action),
}
"""What each role may do; from it documentation and tests are made."""

Choice = TypeVar("Choice", Action, ModelStage)
EVERYTHING: Final = "*"
PATTERN_LENGTH: Final = 400
MOST_GRANTS: Final = 50
_WILD: Final = re.compile(r"[*?]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One yes.

    Attributes:
        role: A row of ``ROLES``.
        models: Pattern of model names, compared as names are (any case): ``fraud``, ``risk/*``, ``*``.
        stages: Stages that promotions may lead to, and production ones be taken from; empty: any, and aliases too.
        actions: Narrows the role further, as a token may; empty: all that the role may.
    """

    role: str
    models: str = EVERYTHING
    stages: tuple[ModelStage, ...] = ()
    actions: tuple[Action, ...] = ()

    @property
    def allowed(self) -> frozenset[Action]:
        """What the role may, as far as ``actions`` leave it."""
        may = ROLES.get(self.role, frozenset())
        return may & frozenset(self.actions) if self.actions else may

    def covers(self, action: Action, model: str | None, stage: ModelStage | None) -> bool:
        """Whether it says yes.

        ``model=None`` asks about the registry as a whole, which only ``*`` covers. ``stage=None`` asks for promotions
        to be allowed anywhere, aliases included, which a grant for certain stages does not.
        """
        return (
            action in self.allowed
            and self.matches(model)
            and (action is not Action.PROMOTE or not self.stages or stage in self.stages)
        )

    def matches(self, model: str | None) -> bool:
        """Whether it is about that model; ``None``: about all of them."""
        return self.models == EVERYTHING or (
            model is not None and fnmatchcase(fold(model), fold(self.models))
        )

    def __str__(self) -> str:
        """``writer on risk/*, to staging, only write``."""
        parts = [f"{self.role} on {self.models}"]
        if self.stages:
            parts.append("to " + " or ".join(stage.value for stage in self.stages))
        if self.actions:
            parts.append("only " + " and ".join(action.value for action in self.actions))
        return ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks, and what was granted to them.

    Attributes:
        token_id: The token that said so; empty without one.
        expires_at: What is made with these grants may not live longer; ``None``: it may.
    """

    actor: Actor
    grants: tuple[Grant, ...] = ()
    token_id: str = ""
    expires_at: datetime | None = None


def can(
    principal: Principal, action: Action, *, model: str | None = None, stage: ModelStage | None = None
) -> bool:
    """Whether some grant of the principal covers the action; without one the answer is no."""
    return any(grant.covers(action, model, stage) for grant in principal.grants)


def can_somewhere(principal: Principal, action: Action) -> bool:
    """Whether some grant would cover the action for some model: what can be asked before it is known which."""
    return any(action in grant.allowed for grant in principal.grants)


def sees(principal: Principal, model: str) -> bool:
    """Whether the principal may know that the model is there: whoever may do anything with it."""
    return any(grant.allowed and grant.matches(model) for grant in principal.grants)


OWNER: Final = (Grant(role="admin"),)
"""Grants of whoever owns the whole registry."""


_GRANT: Final = re.compile(
    r"(?P<role>[a-z]+)( on (?P<models>.+?))?(, to (?P<stages>[a-z]+( or [a-z]+)*))?"
    r"(, only (?P<actions>[a-z]+( and [a-z]+)*))?",
    re.ASCII | re.DOTALL,
)


def parse_grant(text: str) -> Grant:
    """The grant that ``str`` writes so: ``reader``, ``writer on risk/*``, ``approver on fraud, to staging``.

    Raises:
        InvalidInput: It has another form, or names a role, stage or action that is not there.
    """
    found = _GRANT.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(
            f"grants: expected a role and models, such as 'writer on risk/*' or 'approver on fraud, to staging', found "
            f"{quoted(text)}",
            data={"field": "grants"},
        )
    grant = Grant(
        role=found["role"],
        models=(found["models"] or EVERYTHING).strip(),
        stages=tuple(_word(ModelStage, word) for word in (found["stages"] or "").split(" or ") if word),
        actions=tuple(_word(Action, word) for word in (found["actions"] or "").split(" and ") if word),
    )
    _check_grant(grant)
    return grant


def _word(kind: type[Choice], word: str) -> Choice:
    try:
        return kind(word)
    except ValueError:
        known = [member.value for member in kind]
        raise InvalidInput(
            f"grants: expected one of {', '.join(known)}, found {quoted(word)}.{hint(word, known)}",
            data={"field": "grants"},
        ) from None


# --- giving away -----------------------------------------------------------------------------------------------------


def check_grants(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """Grants that a token may carry: at least one, each of a known role and about something.

    Raises:
        InvalidInput: One of them says nothing, or names what is not there.
    """
    given = tuple(grants)
    if not 1 <= len(given) <= MOST_GRANTS:
        raise InvalidInput(
            f"grants: expected 1 to {MOST_GRANTS}, found {len(given)}; without any a token could do nothing",
            data={"field": "grants"},
        )
    for grant in given:
        _check_grant(grant)
    return given


def _check_grant(grant: Grant) -> None:
    if grant.role not in ROLES:
        raise InvalidInput(
            f"grants: there is no role {quoted(grant.role)}; roles are {', '.join(ROLES)}.{hint(grant.role, ROLES)}",
            data={"field": "grants"},
        )
    odd = re.search(r"[\[\]\x00-\x1f]", grant.models)
    if not grant.models.strip() or len(grant.models) > PATTERN_LENGTH or odd:
        raise InvalidInput(
            f"grants: {quoted(grant.models)} is no pattern of model names; expected a name, or one with * and ?, such "
            "as 'risk/*'",
            data={"field": "grants"},
        )
    if not grant.allowed:
        may = ", ".join(sorted(ROLES[grant.role]))
        raise InvalidInput(
            f"grants: the role {grant.role} may do none of {', '.join(grant.actions)}; it may {may}",
            data={"field": "grants"},
        )


def require_within(principal: Principal, grants: Iterable[Grant], expires_at: datetime | None) -> None:
    """Nobody gives away more than they have, or for longer.

    Raises:
        PermissionDenied: A grant goes beyond those of the principal, or the expiry beyond theirs.
    """
    for grant in grants:
        if not _within(grant, principal.grants):
            raise PermissionDenied(
                f"{principal.actor.name!r} may not give what it does not have: {grant}",
                data={"grant": str(grant)},
            )
    if principal.expires_at is not None and (expires_at is None or expires_at > principal.expires_at):
        raise PermissionDenied(
            f"{principal.actor.name!r} may give access until {principal.expires_at:%Y-%m-%dT%H:%M:%SZ} at most, when "
            "its own ends",
            data={"expires_at": principal.expires_at.isoformat()},
        )


def _within(asked: Grant, held: Iterable[Grant]) -> bool:
    """Whether every single thing that ``asked`` covers is covered by one of those held."""
    wanted: tuple[ModelStage | None, ...] = asked.stages or (None,)
    about = [grant for grant in held if _pattern_within(fold(asked.models), fold(grant.models))]
    return all(
        any(
            action in grant.allowed
            and (action is not Action.PROMOTE or not grant.stages or stage in grant.stages)
            for grant in about
        )
        for action in asked.allowed
        for stage in wanted
    )


def _pattern_within(asked: str, held: str) -> bool:
    """Whether every name that matches ``asked`` matches ``held``; where that is hard to say, no."""
    if held in (EVERYTHING, asked):
        return True
    if not _WILD.search(asked):
        return fnmatchcase(asked, held)
    fixed = held.removesuffix("*")
    return held.endswith("*") and not _WILD.search(fixed) and _fixed_start(asked).startswith(fixed)


def _fixed_start(pattern: str) -> str:
    found = _WILD.search(pattern)
    return pattern[: found.start()] if found else pattern
