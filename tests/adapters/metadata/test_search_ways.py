"""Whichever way a search goes, it finds the same; and a database is told of the way where it would take another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.adapters.metadata import sql_search, sql_sources
from modelyard.adapters.metadata.dialect import SQLITE, Way
from modelyard.adapters.metadata.guide import Guide
from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.adapters.metadata.sql_search import version_page
from modelyard.adapters.metadata.sqlite import driver
from modelyard.domain.query import And, Compare, Expr, Field, In, Not, Order
from modelyard.domain.records import Metric, ModelStage, ModelVersion
from modelyard.ports.metadata import VersionQuery
from modelyard.testing.metadata import T0, a_model, a_version, everything, seed

from . import test_search_agrees, test_servers_agree

BUSY = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
TAGS = {name: Field("tags", (name,)) for name in ("half", "fifth", "rare")}
SCORE = Field("metrics", ("score",))
CREATED = Field("created")

database = test_search_agrees.database
store = test_servers_agree.store


# --- the same pages --------------------------------------------------------------------------------------------------


@st.composite
def many(draw: st.DrawFn) -> list[ModelVersion]:
    """Versions with three tags of which each is rarer than the one before, and a metric that some lack."""
    made = []
    for number in range(1, draw(st.integers(1, 24)) + 1):
        score = draw(st.none() | st.sampled_from((0, 0.25, 0.5, 1.0)))
        made.append(
            a_version(
                number,
                version=f"1.{number}.0",
                created_at=T0 + timedelta(seconds=draw(st.integers(0, 12))),
                tags={"half": draw(tag(2)), "fifth": draw(tag(5)), "rare": draw(tag(12))},
                stage=draw(st.sampled_from((ModelStage.DEVELOPMENT, ModelStage.STAGING))),
                metrics=() if score is None else (Metric(name="score", value=score, at=T0),),
            )
        )
    return made


def tag(values: int) -> st.SearchStrategy[str]:
    return st.integers(0, values - 1).map(str)


wanted = st.one_of(
    st.builds(Compare, st.just(TAGS["half"]), st.just("="), tag(2)),
    st.builds(Compare, st.just(TAGS["fifth"]), st.just("="), tag(5)),
    st.builds(Compare, st.just(TAGS["rare"]), st.just("="), tag(13)),
    st.builds(Compare, st.just(SCORE), st.sampled_from((">", "<=")), st.sampled_from((-1, 0.25, 0.5, 2))),
    st.builds(In, st.just(TAGS["fifth"]), st.lists(tag(5), min_size=1, max_size=3).map(tuple)),
    st.just(Compare(Field("stage"), "=", "staging")),
    st.builds(Compare, st.just(TAGS["rare"]), st.just("="), tag(12)).map(Not),
)
orders = st.one_of(
    st.just(()),
    st.builds(Order, st.sampled_from((CREATED, SCORE, Field("number"))), st.booleans()).map(lambda o: (o,)),
)
questions = st.builds(
    VersionQuery,
    where=st.lists(wanted, min_size=1, max_size=4).map(lambda items: And(tuple(items))),
    order=orders,
    limit=st.sampled_from((1, 2, 5, 100)),
)


def agrees(database: Any, made: Sequence[ModelVersion], asked: Sequence[VersionQuery], forced: Any) -> None:
    few, most, further = forced
    memory = MemoryMetadata()
    for each in (memory, database):
        seed(each, a_model(), *made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sql_search, "FEW", few)
        patch.setattr(sql_search, "MANY", most)
        patch.setattr(sql_sources, "FURTHER", further)
        for query in asked:
            expected = [version.model_id for version in everything(memory, query)]
            assert [version.model_id for version in everything(database, query)] == expected, query


FORCED = [(1, 1, 0), (1, 1, 3), (2, 6, 1), (1000, 1000, 1)]
"""Always walk, along one tag or another; now this, now that; always pick."""


@pytest.mark.parametrize("forced", FORCED)
@settings(max_examples=30, suppress_health_check=BUSY)
@given(made=many(), asked=st.lists(questions, min_size=3, max_size=6))
def test_every_way_through_the_database_gives_the_same_pages(
    database: SqlMetadata, forced: Any, made: list[ModelVersion], asked: list[VersionQuery]
) -> None:
    test_search_agrees.empty(database)
    agrees(database, made, asked, forced)


@pytest.mark.parametrize("forced", FORCED)
@settings(max_examples=30, suppress_health_check=BUSY)
@given(made=many(), asked=st.lists(questions, min_size=3, max_size=6))
def test_every_way_through_a_server_gives_the_same_pages(
    store: Any, forced: Any, made: list[ModelVersion], asked: list[VersionQuery]
) -> None:
    test_servers_agree.empty(store)
    agrees(store, made, asked, forced)


# --- which way -------------------------------------------------------------------------------------------------------


def few_of_many() -> list[ModelVersion]:
    """40 versions, a second apart; ``half`` has 2 values, ``fifth`` 5, ``rare`` is 1 for the oldest three."""
    return [
        a_version(
            number,
            version=f"1.{number}.0",
            created_at=T0 + timedelta(seconds=number),
            tags={
                "half": str(number % 2),
                "fifth": str(number % 5),
                "rare": str(int(number < 4)),
            },
        )
        for number in range(1, 41)
    ]


@pytest.fixture
def guide(database: SqlMetadata) -> Iterator[Guide]:
    seed(database, a_model(), *few_of_many())
    with database._connections.snapshot() as connection:
        yield Guide(connection, SQLITE)


def terms(*wanted: tuple[str, str]) -> list[Compare]:
    return [Compare(TAGS[name], "=", value) for name, value in wanted]


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_walk_follows_the_tag_that_passes_the_fewest_versions(
    guide: Guide, newest_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_sources, "FURTHER", 3)
    half, fifth = terms(("half", "1"), ("fifth", "2"))
    assert sql_sources.sparsest(guide, [half], newest_first, None) is half
    assert sql_sources.sparsest(guide, [half, fifth], newest_first, None) is fifth
    assert sql_sources.sparsest(guide, [fifth, half], newest_first, None) is fifth


def test_a_tag_with_hardly_any_version_left_is_followed_at_once(
    guide: Guide, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen from where the page begins: of one and the same tag there may be many on one side and few on the other."""
    monkeypatch.setattr(sql_sources, "FURTHER", 3)
    common, fifth = terms(("rare", "0"), ("fifth", "2"))
    begin = int(T0.timestamp() * 1_000_000)
    assert sql_sources.sparsest(guide, [common, fifth], True, None) is fifth
    assert sql_sources.sparsest(guide, [fifth, common], True, begin + 5_000_000) is fifth
    assert sql_sources.sparsest(guide, [fifth, common], False, begin + 39_000_000) is fifth
    assert sql_sources.sparsest(guide, [common, fifth], True, begin + 3_000_000) is common


def test_where_a_condition_finds_nothing_nothing_else_is_counted(database: SqlMetadata) -> None:
    seed(database, a_model(), *few_of_many())
    where = And((Compare(SCORE, ">", 2), *terms(("half", "1"), ("fifth", "2"))))
    with database._connections.snapshot() as connection:
        asked: list[str] = []
        connection.set_trace_callback(asked.append)
        assert version_page(connection, VersionQuery(where=where), words=True) == ([], None)
        connection.set_trace_callback(None)
    assert sum("count(*)" in statement for statement in asked) == 1


def test_more_rows_are_sorted_in_a_larger_registry(
    database: SqlMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One condition with six of 40 versions: with 2 to sort at most it is a walk, and a page of 10 makes it 14."""
    monkeypatch.setattr(sql_search, "FEW", 2)
    seed(database, a_model(), *few_of_many())
    query = VersionQuery(where=In(TAGS["fifth"], ("2",)), limit=1)
    with database._connections.snapshot() as connection:
        for limit, way in ((1, Way.WALK), (10, Way.PICK)):
            guide = Guide(connection, SQLITE)
            assert next(sql_search._plans(guide, replace(query, limit=limit), True)).way is way


# --- what the planner is told ----------------------------------------------------------------------------------------


def test_a_planner_is_told_of_a_way_once_until_it_changes() -> None:
    told = replace(SQLITE, advice={way: f"SELECT '{way.name}'" for way in Way})
    heard: list[str] = []
    connection = driver().connect(":memory:")
    connection.set_trace_callback(heard.append)
    guide = Guide(connection, told)
    for way in (Way.FREE, Way.COUNT, Way.COUNT, Way.PICK, Way.FREE):
        guide.run(way, "SELECT 1", {})
    connection.close()
    assert [text for text in heard if text != "SELECT 1"] == [
        "SELECT 'COUNT'",
        "SELECT 'PICK'",
        "SELECT 'FREE'",
    ]


BY_TIME, BY_TAG, BY_SCORE = (
    "ix_versions_deleted_created_model_id",
    "ix_version_terms_text",
    "ix_version_terms_num",
)
ASKED: dict[str, tuple[Expr | None, tuple[Order, ...], str]] = {
    "a tag": (terms(("half", "1"))[0], (), BY_TAG),
    "two tags": (And(tuple(terms(("half", "1"), ("fifth", "2")))), (), BY_TAG),
    "a metric": (Compare(SCORE, ">", 0.1), (), BY_TIME),
    "a metric and a tag": (And((Compare(SCORE, ">", 0.1), *terms(("half", "1")))), (), BY_TAG),
    "no condition": (None, (), BY_TIME),
    "the best of a tag": (terms(("half", "1"))[0], (Order(SCORE, True),), BY_SCORE),
}
"""What is asked, in which order, and the index that a walk follows."""


@pytest.fixture
def postgresql_store(request: pytest.FixtureRequest) -> Iterator[Any]:
    database = test_servers_agree.database(request.getfixturevalue("postgresql"), "modelyard_ways")
    store = test_servers_agree.emptied(database)
    made = [
        replace(version, metrics=(Metric(name="score", value=version.number / 40, at=T0),))
        for version in few_of_many()
    ]
    seed(store, a_model(), *made)
    with store._session() as session:
        session.execute("ANALYZE")
    yield store
    store.close()


class Explaining:
    """A session that notes how PostgreSQL is going to answer each question before it does."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.plans: list[str] = []

    def execute(self, statement: str, given: dict[str, Any] | None = None) -> Any:
        if given is not None and "hits" in statement:
            rows = self._session.execute(f"EXPLAIN (COSTS OFF) {statement}", given).fetchall()
            self.plans.append("\n".join(line for (line,) in rows))
        return self._session.execute(statement, given)


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("walks", [True, False])
def test_postgresql_goes_the_way_that_was_chosen(
    postgresql_store: Any, name: str, walks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over 40 rows it would rather read all of them, join and sort: whatever the way, it must not."""
    where, order, index = ASKED[name]
    store = postgresql_store
    monkeypatch.setattr(sql_search, "FEW", 1 if walks else 1000)
    monkeypatch.setattr(sql_search, "MANY", 1 if walks else 1000)
    with store._session() as session:
        store.engine.begin_looking(session)
        explaining = Explaining(session)
        query = VersionQuery(where=where, order=order, limit=2)
        version_page(explaining, query, words=True, dialect=store.dialect)
        session.execute("ROLLBACK")
    (plan,) = explaining.plans
    assert not any(word in plan for word in ("Seq Scan", "Hash Join", "Merge Join")), plan
    if walks or where is None:
        chosen = plan[
            plan.index("Limit") :
        ]  # a sort before it is one of the page, after everything was chosen
        assert f"Index Scan Backward using {index}" in chosen, plan
        assert not any(line.strip(" ->") == "Sort" for line in chosen.splitlines()), plan


def test_what_postgresql_was_told_is_forgotten_with_the_question(postgresql_store: Any) -> None:
    store = postgresql_store
    for where, order, _ in ASKED.values():
        store.find(VersionQuery(where=where, order=order))
    with store._session() as session:
        for name in ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_sort"):
            assert session.execute(f"SHOW {name}").fetchone() == ("on",)
