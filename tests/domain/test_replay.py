"""What a history proves about the records."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain import events, metrics, policy, versioning
from modelyard.domain.pointers import Board
from modelyard.domain.records import (
    Actor,
    Check,
    LineageEdge,
    Metric,
    Model,
    ModelStage,
    ModelVersion,
    Withdrawal,
)
from modelyard.domain.replay import differences, replay
from modelyard.testing.clock import START

ANN = Actor(name="ann")
STAGES = st.sampled_from(list(ModelStage))


class Story:
    """A model, its versions and its events, told by moves on boards."""

    def __init__(self, count=3):
        self.model = Model(
            name="m", key="m", slug="m", created_at=START, created_by="ann", policy=policy.DEFAULT
        )
        self.versions, self.log = {}, []
        for _ in range(count):
            self.register()

    def tell(self, board=None, action="told", subject="x", **after):
        """Commit a board, or bare entries, as one event."""
        given = {**(board.after if board else {}), **{k.replace("__", ":"): v for k, v in after.items()}}
        model = board.model if board else self.model
        self.model, event = events.append(
            model, now=START, actor=ANN, action=action, subject=subject, after=given
        )
        self.log.append(event)
        self.versions |= board.changed if board else {}

    def board(self):
        return Board(model=self.model, at=START, actor=ANN)

    def register(self, stage=ModelStage.DEVELOPMENT):
        number = self.model.last_number + 1
        version = ModelVersion(
            model_id=f"id{number}",
            name="m",
            number=number,
            version=f"1.{number}.0",
            digest=f"d{number}",
            created_at=START,
            created_by="ann",
        )
        board = self.board()
        board.model = replace(board.model, last_number=number)
        board.changed[number] = version
        identity = {"model_id": version.model_id, "version": version.version, "digest": version.digest}
        board.after[f"version:{number}"] = identity
        board.after[f"version:{number}.stage"] = version.stage
        if stage is not version.stage:
            board.stage(version, stage)
        self.renew(board)
        self.tell(board, "version.registered", f"version:{number}")

    def renew(self, board):
        """``latest`` by its definition."""
        living = [
            (versioning.rank(v.version, v.number), v)
            for v in {**self.versions, **board.changed}.values()
            if not v.deleted and v.stage is not ModelStage.ARCHIVED
        ]
        rank, version = max(living, default=("", None), key=lambda pair: pair[0])
        board.latest(version, rank)

    def act(self, make):
        board = self.board()
        make(board)
        self.renew(board)
        self.tell(board)

    def stage(self, number, stage):
        if not self.versions[number].deleted:
            self.act(lambda board: board.stage(self.versions[number], stage))

    def alias(self, name, number):
        here = self.model.aliases.get(name)
        target = self.versions[number] if number else None
        if target is None or not target.deleted:
            self.act(lambda board: board.alias(name, target, self.versions[here.number] if here else None))

    def delete(self, number):
        version = self.versions[number]

        def make(board):
            for name in version.aliases:
                board.alias(name, None, board.now(version))
            if version.deleted:
                board.facts(version, deleted_at=None)
                board.regain(version)
            else:
                board.release(version)
                board.facts(version, deleted_at=START)

        self.act(make)

    def found(self):
        return list(differences(self.model, self.versions.values(), self.log))

    def but(self, number, **facts):
        """Differences once the version has other facts."""
        changed = {**self.versions, number: replace(self.versions[number], **facts)}
        return list(differences(self.model, changed.values(), self.log))

    def with_model(self, **facts):
        return list(differences(replace(self.model, **facts), self.versions.values(), self.log))


def full():
    """#1 deprecated, #2 in production under a protected alias, #3 deleted."""
    story = Story()
    story.stage(1, ModelStage.PRODUCTION)
    story.stage(1, ModelStage.DEPRECATED)
    story.stage(2, ModelStage.PRODUCTION)
    story.alias("champion", 2)
    champion = replace(story.model.aliases["champion"], protected=True)
    story.model = replace(story.model, aliases={"champion": champion})
    story.tell(protection__champion=True)
    story.delete(3)
    return story


MOVES = st.one_of(
    st.tuples(st.just("register"), STAGES),
    st.tuples(st.just("stage"), st.integers(1, 3), STAGES),
    st.tuples(st.just("alias"), st.sampled_from("ab"), st.none() | st.integers(1, 3)),
    st.tuples(st.just("delete"), st.integers(1, 3)),
)


@given(st.lists(MOVES, max_size=12))
def test_whatever_was_decided_follows_from_its_events(moves):
    story = Story()
    for name, *given_ in moves:
        getattr(story, name)(*given_)
    assert story.found() == []


@given(st.lists(MOVES, max_size=8), st.integers(1, 3), STAGES)
def test_a_stage_that_was_written_around_the_events_is_always_found(moves, number, stage):
    story = Story()
    for name, *given_ in moves:
        getattr(story, name)(*given_)
    if stage is not story.versions[number].stage:
        said = story.but(number, stage=stage)
        assert any(line.startswith(f"stage of #{number}") for line in said)


def test_a_full_history_has_no_differences():
    assert full().found() == []


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"model_id": "other"}, "model_id of #2"),
        ({"version": "9.9.9"}, "version of #2"),
        ({"digest": "other"}, "digest of #2"),
        ({"override_reason": "the boss said so"}, "override_reason of #2"),
        ({"stage": ModelStage.DEPRECATED}, "stage of #2"),
        ({"aliases": ()}, "aliases of #2"),
        ({"aliases": ("champion", "more")}, "aliases of #2"),
        ({"deleted_at": START}, "deleted_at of #2"),
        ({"collected_at": START}, "collected_at of #2"),
        ({"legal_hold": "x"}, "legal_hold of #2"),
        ({"successor": "id1"}, "successor of #2"),
        ({"rolled_back_at": START}, "rolled_back_at of #2"),
        ({"load_check": {"ok": True}}, "load_check of #2"),
        ({"checks": {"c": Check(name="c", passed=True, at=START)}}, "checks.c of #2"),
        ({"tags": {"team": "risk"}}, "tags.team of #2 is there and was never recorded"),
        ({"attributes": {"a.b": 1}}, "attributes.a.b of #2 is there and was never recorded"),
        ({"metrics": (Metric(name="f1", value=1.0, split="test", at=START),)}, "metrics.f1[test] of #2"),
        ({"description": "x"}, "description of #2 is there and was never recorded"),
        ({"card": {"owner": "x"}}, "card of #2 is there and was never recorded"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_fact_of_a_version_that_no_event_set_is_found(facts, said):
    assert full().but(2, **facts)[0].startswith(said)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"holders": {"production": (1,)}}, "the holders: "),
        ({"holders": {}}, "the holders: "),
        ({"aliases": {}}, "the aliases: "),
        ({"latest": "id1"}, "latest: "),
        ({"latest": None, "latest_rank": ""}, "latest: "),
        ({"latest_rank": "9"}, "latest: "),
        ({"last_number": 4}, "the last number: "),
        ({"policy": replace(policy.DEFAULT, trust=("numpy.*",))}, "the policy"),
        ({"head_at": START + timedelta(days=400)}, "the time of the last event: "),
        ({"description": "x"}, "the model's description: "),
        ({"created_by": "eve"}, "who created the model: "),
        ({"tags": {"a": "b"}}, "the model's tags: "),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_fact_of_the_model_that_no_event_set_is_found(facts, said):
    assert full().with_model(**facts)[0].startswith(said)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"protected": False}, "the protected aliases"),
        ({"name": "other"}, "names another version"),
        ({"model_id": "id1"}, "names another version"),
    ],
)
def test_an_alias_that_says_otherwise_is_found(facts, said):
    story = full()
    champion = replace(story.model.aliases["champion"], **facts)
    assert said in story.with_model(aliases={"champion": champion})[0]


def test_an_alias_loses_its_protection_when_it_is_removed():
    story = full()
    story.alias("champion", None)
    story.alias("champion", 1)
    assert story.found() == []
    assert replay(story.log).protected == set()


def test_versions_that_are_missing_or_there_twice_are_found():
    story = full()
    left = [v for v in story.versions.values() if v.number != 3]
    assert list(differences(story.model, left, story.log)) == ["#3 was registered and is not there"]
    twice = [*story.versions.values(), story.versions[1]]
    assert list(differences(story.model, twice, story.log)) == ["#1 is there twice"]


def test_a_version_that_was_never_registered_is_found():
    story = full()
    story.versions[4] = replace(story.versions[1], number=4, stage=ModelStage.ARCHIVED)
    assert story.found() == ["#4 is there and was never registered"]


def test_events_that_no_registry_writes_are_found():
    for key, value in (
        ("alias:a", "1"),
        ("alias:a", True),
        ("alias:a", 0),
        ("stage:production", 5),
        ("stage:production", ["x"]),
        ("version:1", {"model_id": "again"}),
        ("version:7", "x"),
        ("version:x.stage", "production"),
        ("version:" + "9" * 5000, {}),
    ):
        story = Story()
        story.tell(**{key: value})
        assert story.found()[0].startswith(f"event 4 sets '{key[:60]}"), key
    story = Story()
    story.tell(**{"version:9.stage": "archived"})
    assert "#9 was changed and never registered" in story.found()


def test_a_made_up_history_that_agrees_still_may_not_dangle():
    story = Story(1)
    board = story.board()
    board.alias("a", replace(story.versions[1], number=5), None)
    board.changed.clear()
    story.tell(board)
    assert story.found()[-1] == "alias 'a' names #5, which is not there or deleted"
    story = Story(1)
    story.model = replace(story.model, holders={"staging": (1,)})
    story.tell(stage__staging=[1])
    assert story.found()[0].startswith("the holders of staging")


def test_numbers_have_no_gaps():
    story = Story(1)
    story.model = replace(story.model, last_number=2)
    story.register()
    assert "registered numbers are not 1, 2, 3 without a gap" in story.found()


def test_a_version_without_any_stage_is_found():
    story = Story(1)
    body = {key: value for key, value in story.log[0].after.items() if not key.endswith(".stage")}
    story.log[0] = replace(story.log[0], after=body)
    assert story.found() == ["#1 never got a stage"]


def test_the_last_value_of_every_fact_counts():
    story = Story(1)
    changed = {
        "tags.team": "risk",
        "attributes.a.b": [1, None],
        "description": "new",
        "legal_hold": "case 7",
        "card": {"owner": "x"},
        "checks.tests_passed": True,
        "metrics.f1[d/test]": 0.5,
        "metrics.loss": "NaN",
    }
    story.tell(**{f"version:1.{path}": value for path, value in changed.items()})
    story.tell(subject="version:1", load_check={"ok": True}, verdict={"any": "thing"})
    one = {"name": "f1", "dataset": "d", "split": "test", "at": START}
    true = {
        "tags": {"team": "risk"},
        "attributes": {"a.b": (1, None)},
        "description": "new",
        "legal_hold": "case 7",
        "card": {"owner": "x"},
        "checks": {"tests_passed": Check(name="tests_passed", passed=True, at=START)},
        "metrics": (
            Metric(value=0.4, **one),
            Metric(value=0.5, **one),
            Metric(name="loss", value=float("nan"), at=START),
        ),
        "load_check": {"ok": True},
    }
    assert story.but(1, **true) == []
    wrong = {
        "tags": {},
        "attributes": {"a.b": [1]},
        "description": "old",
        "legal_hold": "",
        "card": {},
        "checks": {},
        "metrics": true["metrics"][:1],
        "load_check": None,
    }
    for fact, value in wrong.items():
        assert story.but(1, **{**true, fact: value}), fact


def test_a_tag_that_was_removed_is_gone():
    story = Story(1)
    story.tell(**{"version:1.tags.a": "x"})
    story.tell(**{"version:1.tags.a": None})
    assert story.found() == []
    assert story.but(1, tags={"a": "x"}) == ["tags.a of #1: its record says x, its events say None"]


def test_a_path_that_no_record_has_proves_nothing():
    story = Story(1)
    story.tell(**{"version:1.colour": "red", "version:1.stage.x": 1})
    assert story.found() == []


def test_places_that_are_written_alike_are_both_believed():
    story = Story(1)
    story.tell(**{"version:1.metrics.f1[test]": 0.5})
    pair = (
        Metric(name="f1", value=0.5, split="test", at=START),
        Metric(name="f1", value=0.9, dataset="test", at=START),
    )
    assert {metrics.qualified(m) for m in pair} == {"f1[test]"}
    assert story.but(1, metrics=pair) == []
    assert story.but(1, metrics=pair[1:]) != []


def test_links_and_withdrawals_follow_from_their_events():
    story = Story()
    one = LineageEdge(kind="dataset", target="a.b c", details={"rows": 1})
    two = LineageEdge(kind="run", target="r")
    gone = Withdrawal(reason="leaks", at=START, by="ann")
    story.versions[1] = replace(story.versions[1], links=(one, two), withdrawn=gone)
    said = list(differences(story.model, story.versions.values(), story.log))
    assert "links.dataset a.b c of #1 is there and was never recorded" in said
    assert any(line.startswith("withdrawn of #1") for line in said)
    for edge in (one, two):
        story.tell(**{f"version__1.links.{edge.kind} {edge.target}": edge.details})
    story.tell(**{"version__1.withdrawn": gone})
    assert list(differences(story.model, story.versions.values(), story.log)) == []
    story.versions[1] = replace(story.versions[1], links=(replace(one, details={}),), withdrawn=None)
    said = list(differences(story.model, story.versions.values(), story.log))
    assert [line.split(":")[0] for line in said] == [
        "withdrawn of #1",
        "links.dataset a.b c of #1",
        "links.run r of #1",
    ]


def test_the_model_has_the_tags_description_and_rules_last_given():
    story = Story(1)
    strict = replace(policy.from_mapping({"lifecycle": "strict"}), version=1, at=START, by="ann")
    story.tell(**{"tags.a": "b", "tags.c": "d", "description": "x", "policy": policy.to_mapping(strict)})
    story.tell(**{"tags.c": None})
    assert story.with_model(tags={"a": "b"}, description="x", policy=strict) == []
    assert story.with_model(tags={"a": "b"}, description="x") == ["the policy is not the one last set"]


def test_rules_that_are_no_policy_are_found():
    story = Story(1)
    story.tell(policy={"lifecycle": "none"})
    assert story.found() == ["the policy is not the one last set"]


def test_no_events_prove_no_version():
    story = Story(1)
    said = list(differences(replace(story.model, head_at=None), story.versions.values(), []))
    assert said[0] == "#1 is there and was never registered"
    assert list(differences(Story(0).model, [], [])) == []
