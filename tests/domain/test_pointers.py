"""Moves on a board: the model and its versions always say the same."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain import policy
from modelyard.domain.pointers import TRACKED, Board, pointers_of, reaches
from modelyard.domain.records import Actor, Model, ModelStage, ModelVersion

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NUMBERS = st.integers(1, 3)
ALIASES = st.sampled_from(["champion", "shadow"])
STEPS = st.lists(
    st.tuples(st.just("stage"), NUMBERS, st.sampled_from(ModelStage))
    | st.tuples(st.just("alias"), NUMBERS, ALIASES),
    max_size=12,
)


def model(**facts) -> Model:
    facts = {"created_at": NOW, "created_by": "ann", "policy": policy.DEFAULT, **facts}
    return Model(name="fraud", key="fraud", slug="fraud", **facts)


def version(number: int, **facts) -> ModelVersion:
    facts = {
        "model_id": f"id{number}",
        "version": f"0.1.{number}",
        "created_at": NOW,
        "created_by": "ann",
        **facts,
    }
    return ModelVersion(name="fraud", number=number, **facts)


def board(**facts) -> Board:
    return Board(model=model(**facts), at=NOW, actor=Actor(name="ann"))


@given(STEPS)
def test_model_and_versions_agree_after_any_moves(steps):
    play, versions = board(), {n: version(n) for n in (1, 2, 3)}
    for kind, number, where in steps:
        if kind == "stage":
            play.stage(versions[number], where)
        else:
            present = play.model.aliases.get(where)
            play.alias(where, versions[number], versions[present.number] if present else None)
    now = {n: play.now(v) for n, v in versions.items()}
    for stage in TRACKED:
        standing = {n for n, v in now.items() if v.stage is stage}
        assert standing == set(play.model.holders.get(stage.value, ()))
    for name in ("champion", "shadow"):
        alias = play.model.aliases.get(name)
        assert [n for n, v in now.items() if name in v.aliases] == ([alias.number] if alias else [])


@given(STEPS)
def test_the_diff_leads_from_the_first_state_to_the_last(steps):
    play, versions = board(), {n: version(n) for n in (1, 2, 3)}
    for kind, number, where in steps:
        if kind == "stage":
            play.stage(versions[number], where)
    for key, value in play.after.items():
        if key.startswith("stage:"):
            assert tuple(value) == play.model.holders.get(key.removeprefix("stage:"), ())
            assert play.before[key] == []
        else:
            number = int(key.removeprefix("version:").removesuffix(".stage"))
            assert value == play.now(versions[number]).stage
            assert play.before[key] is ModelStage.DEVELOPMENT


def test_many_versions_may_be_archived_without_a_list_of_them():
    play = board()
    for number in range(1, 50):
        play.stage(version(number), ModelStage.ARCHIVED)
    assert play.model.holders == {}


def test_who_makes_room_is_written_first():
    play = board(holders={"production": (1,)})
    play.stage(version(2), ModelStage.PRODUCTION)
    play.stage(version(1, stage=ModelStage.PRODUCTION), ModelStage.DEPRECATED)
    assert [v.number for v in play.versions()] == [1, 2]


def test_released_holders_come_back():
    held = version(1, stage=ModelStage.STAGING)
    play = board(holders={"staging": (1,)})
    play.release(held)
    assert play.model.holders == {}
    play.regain(held)
    assert (play.model.holders["staging"], play.after["stage:staging"]) == ((1,), [1])


def test_an_alias_keeps_its_protection_when_it_moves():
    play = board()
    play.alias("champion", version(1), None)
    protected = replace(play.model.aliases["champion"], protected=True)
    play.model = replace(play.model, aliases={"champion": protected})
    play.alias("champion", version(2), play.now(version(1)))
    alias = play.model.aliases["champion"]
    assert (alias.number, alias.protected, alias.by, alias.at) == (2, True, "ann", NOW)
    play.alias("champion", None, play.now(version(2)))
    assert (play.model.aliases, play.after["alias:champion"], play.before["alias:champion"]) == (
        {},
        None,
        None,
    )


def test_what_points_at_a_version_is_listed():
    play = board(holders={"production": (1, 2)})
    play.alias("champion", version(1), None)
    assert reaches(play.model, version(1, legal_hold="case 7")) == (
        "alias 'champion'",
        "stage 'production'",
        "legal hold (case 7)",
    )
    assert reaches(play.model, version(3)) == ()
    assert pointers_of(play.model) == {"stage:production": 2, "alias:champion": 1}


def test_nothing_is_latest_when_nothing_is_left():
    play = board()
    play.latest(version(1), "rank")
    assert (play.model.latest, play.model.latest_rank) == ("id1", "rank")
    play.latest(None, "rank")
    assert (play.model.latest, play.model.latest_rank) == (None, "")
