"""The tables of stages, and what opens and closes their moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import InvalidInput, InvalidPolicy, TransitionNotAllowed
from modelyard.domain.lifecycle import (
    STANDARD,
    STRICT,
    TABLES,
    Condition,
    Table,
    check,
    legal,
    parse_stage,
    parse_table,
)
from modelyard.domain.records import ModelStage

D, T, S, P, X, A = ModelStage


def move(
    current: ModelStage,
    target: ModelStage,
    table: Table = STANDARD,
    *,
    gated: bool = False,
    by_rollback: bool = False,
    pointed_at: Sequence[str] = (),
    force: bool = False,
    reason: str = "",
) -> None:
    check(
        table,
        current,
        target,
        gated=gated,
        by_rollback=by_rollback,
        pointed_at=pointed_at,
        force=force,
        reason=reason,
        subject="fraud:1.0.0",
    )


def test_the_standard_table_without_circumstances() -> None:
    assert {stage: legal(STANDARD, stage) for stage in ModelStage} == {
        D: (T, S, P, A),
        T: (D, S, A),
        S: (D, T, P, A),
        P: (S, X, A),
        X: (A,),
        A: (D,),
    }


def test_the_strict_table_knows_no_short_cut_and_no_way_back() -> None:
    assert {stage: legal(STRICT, stage, by_rollback=True) for stage in ModelStage} == {
        D: (T, A),
        T: (D, S, A),
        S: (T, P, A),
        P: (S, X),
        X: (A,),
        A: (),
    }


def test_a_gated_model_cannot_jump_from_development_to_production() -> None:
    move(D, P)
    with pytest.raises(TransitionNotAllowed, match="a policy gates this model"):
        move(D, P, gated=True)
    assert legal(STANDARD, D, gated=True) == (T, S, A)


def test_only_a_rollback_returns_to_production() -> None:
    for stage in (X, A):
        move(stage, P, by_rollback=True)
        with pytest.raises(TransitionNotAllowed, match="only a rollback may do this"):
            move(stage, P)


def test_what_is_pointed_at_is_archived_from_production_only_by_force_with_a_reason() -> None:
    move(P, A)
    pointers = ("alias champion", "deployment fraud-api/eu")
    for force, reason in ((False, "broken"), (True, ""), (True, "  ")):
        with pytest.raises(
            TransitionNotAllowed, match="alias champion, deployment fraud-api/eu still points at it"
        ):
            move(P, A, pointed_at=pointers, force=force, reason=reason)
    move(P, A, pointed_at=pointers, force=True, reason="recalled")
    assert A in legal(STANDARD, P, pointed_at=pointers, force=True, reason="recalled")


def test_a_refusal_names_the_thing_the_move_and_the_ways_that_are_open() -> None:
    with pytest.raises(TransitionNotAllowed) as caught:
        move(T, P)
    assert caught.value.detail == (
        "Cannot move fraud:1.0.0 from testing to production: lifecycle 'standard' has no such move. "
        "From here it can go to: development, staging, archived."
    )
    assert caught.value.data == {
        "from": "testing",
        "to": "production",
        "legal": ["development", "staging", "archived"],
    }
    with pytest.raises(TransitionNotAllowed, match="From here it can go nowhere"):
        move(A, D, STRICT)


def test_staying_is_nothing_in_the_standard_table_and_refused_in_the_strict_one() -> None:
    move(S, S)
    with pytest.raises(TransitionNotAllowed, match="it is there already"):
        move(S, S, STRICT)


@given(
    table=st.sampled_from([*TABLES.values(), parse_table({"development": {"production": "unreferenced"}})]),
    current=st.sampled_from(ModelStage),
    target=st.sampled_from(ModelStage),
    gated=st.booleans(),
    by_rollback=st.booleans(),
    pointed_at=st.sampled_from([(), ("alias a",)]),
    force=st.booleans(),
    reason=st.sampled_from(["", "because"]),
)
def test_exactly_the_legal_moves_pass(
    table: Table,
    current: ModelStage,
    target: ModelStage,
    gated: bool,
    by_rollback: bool,
    pointed_at: Sequence[str],
    force: bool,
    reason: str,
) -> None:
    """``check`` lets a move pass if and only if ``legal`` lists it, staying apart."""
    circumstances: dict[str, Any] = {
        "gated": gated,
        "by_rollback": by_rollback,
        "pointed_at": pointed_at,
        "force": force,
        "reason": reason,
    }
    open_to = legal(table, current, **circumstances)
    if target in open_to or (current == target and table.stay):
        move(current, target, table, **circumstances)
        return
    with pytest.raises(TransitionNotAllowed) as caught:
        move(current, target, table, **circumstances)
    assert caught.value.data["legal"] == list(open_to)


# --- reading ---


@pytest.mark.parametrize("word", ["production", "Production", " PRODUCTION ", ModelStage.PRODUCTION])
def test_a_stage_is_read_in_any_case(word: str) -> None:
    assert parse_stage(word) is ModelStage.PRODUCTION


def test_an_unknown_stage_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="Did you mean 'production'"):
        parse_stage("prod")
    with pytest.raises(InvalidInput, match="Unknown stage 7"):
        parse_stage(7)  # type: ignore[arg-type]


def test_a_custom_table_is_read_from_lists_and_conditions() -> None:
    table = parse_table(
        {
            "Development": ["production"],
            "production": ["archived", "staging"],
            "archived": {"production": "rollback"},
        }
    )
    assert table.name == "custom"
    assert table.moves[D] == {P: Condition.ALWAYS}
    assert table.moves[P] == {A: Condition.UNREFERENCED, S: Condition.ALWAYS}
    assert table.moves[A] == {P: Condition.ROLLBACK}
    assert table.moves[X] == {}


@pytest.mark.parametrize(
    ("given_table", "message"),
    [
        ([], "expected a mapping from each stage"),
        ({}, "expected a mapping from each stage"),
        ({"prodution": []}, "transitions: Unknown stage 'prodution'.*Did you mean 'production'"),
        ({"production": "staging"}, "transitions.production: expected a list of stages"),
        ({"production": 7}, "transitions.production: expected a list of stages"),
        ({"production": ["stagin"]}, "transitions.production: Unknown stage.*Did you mean 'staging'"),
        ({"production": {"staging": "allways"}}, "unknown condition 'allways'.*Did you mean 'always'"),
    ],
)
def test_a_table_that_cannot_be_read_names_the_entry(given_table: object, message: str) -> None:
    with pytest.raises(InvalidPolicy, match=message):
        parse_table(given_table)  # type: ignore[arg-type]
