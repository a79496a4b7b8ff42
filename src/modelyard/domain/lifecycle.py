"""Which stage may follow which, as tables.

``STANDARD`` is the default. ``STRICT`` knows no short cut and no way back. A model's policy may bring its own
table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, TypeAlias

from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import InvalidInput, InvalidPolicy, TransitionNotAllowed
from modelyard.domain.records import ModelStage
from modelyard.domain.spelling import hint, quoted


class Condition(StrEnum):
    """What a move needs besides standing in the table."""

    ALWAYS = "always"
    UNGATED = "ungated"  # only while no policy gates the model
    UNREFERENCED = "unreferenced"  # only while nothing points at the version, unless forced with a reason
    ROLLBACK = "rollback"  # only as a rollback


Moves: TypeAlias = Mapping[ModelStage, Mapping[ModelStage, Condition]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A lifecycle.

    Attributes:
        name: ``standard``, ``strict`` or ``custom``.
        moves: For each stage the stages that may follow, each with its condition. A stage left out has no way
            on.
        stay: Whether "moving" to the stage already held is accepted (and does nothing).
    """

    name: str
    moves: Moves
    stay: bool = True


_D, _T, _S, _P, _X, _A = ModelStage
_ALWAYS, _UNGATED, _UNREFERENCED, _ROLLBACK = Condition

STANDARD: Final = Table(
    name="standard",
    moves={
        _D: {_T: _ALWAYS, _S: _ALWAYS, _P: _UNGATED, _A: _ALWAYS},
        _T: {_D: _ALWAYS, _S: _ALWAYS, _A: _ALWAYS},
        _S: {_D: _ALWAYS, _T: _ALWAYS, _P: _ALWAYS, _A: _ALWAYS},
        _P: {_S: _ALWAYS, _X: _ALWAYS, _A: _UNREFERENCED},
        _X: {_P: _ROLLBACK, _A: _ALWAYS},
        _A: {_D: _ALWAYS, _P: _ROLLBACK},
    },
)

STRICT: Final = Table(
    name="strict",
    stay=False,
    moves={
        _D: {_T: _ALWAYS, _A: _ALWAYS},
        _T: {_D: _ALWAYS, _S: _ALWAYS, _A: _ALWAYS},
        _S: {_T: _ALWAYS, _P: _ALWAYS, _A: _ALWAYS},
        _P: {_S: _ALWAYS, _X: _ALWAYS},
        _X: {_A: _ALWAYS},
        _A: {},
    },
)

TABLES: Final[Mapping[str, Table]] = {table.name: table for table in (STANDARD, STRICT)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    gated: bool
    by_rollback: bool
    pointed_at: Sequence[str]
    forced: bool


def legal(
    table: Table,
    current: ModelStage,
    *,
    gated: bool = False,
    by_rollback: bool = False,
    pointed_at: Sequence[str] = (),
    force: bool = False,
    reason: str = "",
) -> tuple[ModelStage, ...]:
    """The stages that a version may move to from here, in the order of a life. Arguments as for `check`."""
    return _legal(table, current, _facts(gated, by_rollback, pointed_at, force, reason))


def _legal(table: Table, current: ModelStage, facts: _Facts) -> tuple[ModelStage, ...]:
    moves = table.moves.get(current, {})
    return tuple(stage for stage in ModelStage if stage in moves and not _obstacle(moves[stage], facts))


def check(
    table: Table,
    current: ModelStage,
    target: ModelStage,
    *,
    gated: bool,
    by_rollback: bool,
    pointed_at: Sequence[str],
    force: bool,
    reason: str,
    subject: str = "the version",
) -> None:
    """Let a move pass, or say why not and which moves are open.

    Args:
        table: The model's lifecycle.
        current: Where the version stands.
        target: Where it should go. Staying is accepted if the table says so.
        gated: Whether a policy gates the model.
        by_rollback: Whether a rollback asks.
        pointed_at: What points at the version, for people: ``alias champion``, ``deployment fraud-api/eu``.
        force: Overrides pointers, and nothing else; needs a reason.
        reason: Why, in the caller's words.
        subject: What moves, for the message.

    Raises:
        TransitionNotAllowed: ``data`` has ``from``, ``to`` and the ``legal`` stages.
    """
    if current == target and table.stay:
        return
    facts = _facts(gated, by_rollback, pointed_at, force, reason)
    condition = table.moves.get(current, {}).get(target)
    if condition is None:
        why = "it is there already" if current == target else f"lifecycle {table.name!r} has no such move"
    else:
        why = _obstacle(condition, facts)
    if why:
        raise _refusal(subject, current, target, why, _legal(table, current, facts))


def _facts(gated: bool, by_rollback: bool, pointed_at: Sequence[str], force: bool, reason: str) -> _Facts:
    forced = force and bool(reason.strip())
    return _Facts(gated=gated, by_rollback=by_rollback, pointed_at=pointed_at, forced=forced)


def _obstacle(condition: Condition, facts: _Facts) -> str:
    """What stands in the way of a move in the table; empty if nothing does."""
    if condition is Condition.UNGATED and facts.gated:
        return "a policy gates this model, so this short cut is closed"
    if condition is Condition.ROLLBACK and not facts.by_rollback:
        return "only a rollback may do this"
    if condition is Condition.UNREFERENCED and facts.pointed_at and not facts.forced:
        pointers = ", ".join(facts.pointed_at)
        return f"{pointers} still points at it; move that first, or force it and give a reason"
    return ""


def _refusal(
    subject: str, current: ModelStage, target: ModelStage, why: str, open_to: tuple[ModelStage, ...]
) -> TransitionNotAllowed:
    onward = f"From here it can go to: {', '.join(open_to)}." if open_to else "From here it can go nowhere."
    return TransitionNotAllowed(
        f"Cannot move {subject} from {current} to {target}: {why}. {onward}",
        reasons=(why,),
        data={"from": str(current), "to": str(target), "legal": [str(stage) for stage in open_to]},
    )


# --- reading ------------------------------------------------------------------------------------------------


def parse_stage(value: ModelStage | str) -> ModelStage:
    """The stage that a word names, in any case: ``production``, ``Production``.

    Raises:
        InvalidInput: Lists the stages and the nearest one.
    """
    if isinstance(value, ModelStage):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if word in tuple(ModelStage):
        return ModelStage(word)
    near = hint(word, ModelStage) if word is not None else ""
    raise InvalidInput(f"Unknown stage {quoted(value)}: expected one of {', '.join(ModelStage)}.{near}")


def parse_table(given: Mapping[str, Any]) -> Table:
    """A policy's own lifecycle.

    Args:
        given: For each stage a list of the stages that may follow, or a mapping from these to a condition
            (``always``, ``ungated``, ``unreferenced``, ``rollback``). In a list, production to archived is
            ``unreferenced``, so that no pointer is left dangling by an oversight.

    Raises:
        InvalidPolicy: Names the entry that cannot be read.
    """
    if not isinstance(given, Mapping) or not given:
        raise InvalidPolicy(
            "transitions: expected a mapping from each stage to the stages that may follow, "
            f"found {quoted(given)}."
        )
    moves: dict[ModelStage, Mapping[ModelStage, Condition]] = {stage: {} for stage in ModelStage}
    for start, following in given.items():
        stage = _policy_stage(start, "transitions")
        moves[stage] = _following(stage, following)
    return Table(name="custom", moves=moves)


def _following(start: ModelStage, given: Any) -> dict[ModelStage, Condition]:
    where = f"transitions.{start}"
    if isinstance(given, Mapping):
        return {_policy_stage(stage, where): _condition(word, where) for stage, word in given.items()}
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise InvalidPolicy(f"{where}: expected a list of stages, found {quoted(given)}.")
    stages = [_policy_stage(stage, where) for stage in given]
    guarded = {_A} if start is _P else set()
    return {stage: _UNREFERENCED if stage in guarded else _ALWAYS for stage in stages}


def _policy_stage(value: Any, where: str) -> ModelStage:
    try:
        return parse_stage(value)
    except InvalidInput as error:
        raise InvalidPolicy(f"{where}: {error.detail}") from error


def _condition(word: Any, where: str) -> Condition:
    if word in tuple(Condition):
        return Condition(word)
    near = hint(str(word), Condition)
    raise InvalidPolicy(
        f"{where}: unknown condition {quoted(word)}, expected one of {', '.join(Condition)}.{near}"
    )
