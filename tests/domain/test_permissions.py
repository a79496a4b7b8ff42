"""Who may do what: no grant, no yes; and nobody gives away more than they have."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import InvalidInput, PermissionDenied
from modelyard.domain.permissions import (
    OWNER,
    ROLES,
    Action,
    Grant,
    Principal,
    can,
    can_somewhere,
    check_grants,
    parse_grant,
    require_within,
    sees,
)
from modelyard.domain.records import Actor, ModelStage

ANN = Actor(name="ann")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STAGING, PRODUCTION = ModelStage.STAGING, ModelStage.PRODUCTION
NAMES = ["fraud", "Fraud", "risk/a", "risk/b", "risky", "other"]
PATTERNS = ["*", "fraud", "risk/*", "risk*", "r*/a", "?raud", "other", "risk/a"]

grants = st.builds(
    Grant,
    role=st.sampled_from([*ROLES, "nobody"]),
    models=st.sampled_from(PATTERNS),
    stages=st.lists(st.sampled_from(list(ModelStage)), max_size=2, unique=True).map(tuple),
    actions=st.lists(st.sampled_from(list(Action)), max_size=3, unique=True).map(tuple),
)
models = st.none() | st.sampled_from(NAMES)
stages = st.none() | st.sampled_from(list(ModelStage))


def of(*given, **facts):
    return Principal(actor=ANN, grants=given, **facts)


@given(st.sampled_from(list(Action)), models, stages)
def test_without_a_grant_the_answer_is_no(action, model, stage):
    assert not can(of(), action, model=model, stage=stage)
    assert not can_somewhere(of(), action)
    assert model is None or not sees(of(), model)


@given(grants, st.sampled_from(list(Action)), models, stages)
def test_a_grant_says_yes_only_to_what_its_role_may(grant, action, model, stage):
    if can(of(grant), action, model=model, stage=stage):
        assert action in ROLES[grant.role]
        assert can_somewhere(of(grant), action)
        assert model is None or sees(of(grant), model)


@given(grants, st.sampled_from(list(Action)), stages)
def test_the_registry_as_a_whole_is_covered_by_the_star_alone(grant, action, stage):
    if can(of(grant), action, stage=stage):
        assert grant.models == "*"


@given(grants, models)
def test_a_grant_for_certain_stages_moves_no_alias(grant, model):
    if grant.stages:
        assert not can(of(grant), Action.PROMOTE, model=model)


def test_patterns_are_compared_as_names_are():
    one = of(Grant(role="reader", models="Risk/*"))
    assert can(one, Action.READ, model="risk/A")
    assert can(one, Action.READ, model="RISK/a")
    assert not can(one, Action.READ, model="risk")
    assert not can(one, Action.READ)


def test_a_reader_may_not_promote_and_an_auditor_may_only_audit():
    assert not can(of(Grant(role="reader")), Action.PROMOTE, model="fraud", stage=STAGING)
    assert [a for a in Action if can(of(Grant(role="auditor")), a)] == [Action.AUDIT]
    assert all(can(of(*OWNER), action) for action in Action)


# --- giving away -----------------------------------------------------------------------------------------------------


@given(st.lists(grants, max_size=3), grants)
def test_what_may_be_given_away_covers_nothing_that_its_giver_may_not(held, asked):
    """For every action, model and stage there is: if the new token could, the one that made it could."""
    giver = of(*held)
    try:
        require_within(giver, [asked], None)
    except PermissionDenied:
        return
    for action in Action:
        for model in (None, *NAMES):
            for stage in (None, *ModelStage):
                if can(of(asked), action, model=model, stage=stage):
                    assert can(giver, action, model=model, stage=stage), (action, model, stage)


@given(grants)
def test_everybody_may_give_away_what_they_have(grant):
    require_within(of(grant), [grant], None)


@pytest.mark.parametrize(
    ("asked", "held", "allowed"),
    [
        ("risk/a", "risk/*", True),
        ("risk/a*", "risk/*", True),
        ("risk/*", "risk/*", True),
        ("RISK/*", "risk/*", True),
        ("risk*", "risk/*", False),
        ("*", "risk/*", False),
        ("*a", "*a*", False),  # it is one, but that is hard to say in general
        ("r?sk", "risk", False),
        ("fraud", "risk/*", False),
        ("x", "?", True),
    ],
)
def test_a_pattern_lies_within_another(asked, held, allowed):
    giver = of(Grant(role="reader", models=held))
    if allowed:
        require_within(giver, [Grant(role="reader", models=asked)], None)
    else:
        with pytest.raises(PermissionDenied, match="does not have"):
            require_within(giver, [Grant(role="reader", models=asked)], None)


def test_a_token_lives_no_longer_than_the_one_that_makes_it():
    giver = of(*OWNER, expires_at=NOW)
    require_within(giver, OWNER, NOW)
    for wanted in (None, NOW + timedelta(seconds=1)):
        with pytest.raises(PermissionDenied, match="at most"):
            require_within(giver, OWNER, wanted)


# --- spelling --------------------------------------------------------------------------------------------------------


@given(grants)
def test_a_grant_is_read_as_it_is_written(grant):
    try:
        check_grants([grant])
    except InvalidInput:
        with pytest.raises(InvalidInput):
            parse_grant(str(grant))
    else:
        assert parse_grant(str(grant)) == grant


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "role and models"),
        ("Reader!", "role and models"),
        ("writr", "Did you mean 'writer'"),
        ("reader on [x]", "pattern"),
        ("approver on x, to prod", "found 'prod'"),
        ("admin on x, only reed", "found 'reed'"),
        ("reader, only write", "none of"),
        ("reader on " + "x" * 401, "pattern"),
    ],
)
def test_a_grant_that_says_nothing_is_refused(text, match):
    with pytest.raises(InvalidInput, match=match):
        parse_grant(text)


def test_a_token_needs_a_grant_and_takes_fifty():
    check_grants([Grant(role="reader")] * 50)
    for count in (0, 51):
        with pytest.raises(InvalidInput, match=str(count)):
            check_grants([Grant(role="reader")] * count)
