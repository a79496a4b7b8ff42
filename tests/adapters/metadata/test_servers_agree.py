"""A database server answers every question as the store in memory does, and as SQLite, from which it differs in how it
keeps numbers, folded texts and long names."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.contract.sql_servers import KINDS, TABLES, database, emptied

from modelyard.adapters.metadata import sql_search
from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.adapters.metadata.server_terms import short, sortable
from modelyard.adapters.metadata.servers import ServerMetadata
from modelyard.domain.query import Compare, Exists, Field, In, Order, Text
from modelyard.domain.records import LineageEdge, ModelVersion, Source
from modelyard.ports.lineage import EdgeQuery, SourceQuery
from modelyard.ports.metadata import SourceKey, VersionQuery
from modelyard.testing.metadata import a_model, a_version, everything, numbers, seed, spelled

from .test_search_agrees import FROZEN, queries, versions

BUSY = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> Iterator[ServerMetadata]:
    store = emptied(database(request.getfixturevalue(request.param), "modelyard_searches"))
    yield store
    store.close()


def empty(store: ServerMetadata) -> None:
    with store._session() as session:
        for table in TABLES:
            if table.startswith(("version", "model")):
                session.execute(f"DELETE FROM {table}")


@pytest.mark.parametrize(("few", "many"), [(1, 1), (2, 4), (1000, 1000)])
@settings(max_examples=40, suppress_health_check=BUSY)
@given(made=versions(), asked=st.lists(queries, min_size=4, max_size=8))
def test_a_server_answers_as_memory_does(
    store: ServerMetadata, few: int, many: int, made: list[ModelVersion], asked: list[VersionQuery]
) -> None:
    """Records, filter, order and paging: for every question, equal answers in equal order."""
    memory = MemoryMetadata()
    empty(store)
    for each in (memory, store):
        seed(each, a_model("fraud"), a_model("churn"), *made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sql_search, "FEW", few)
        patch.setattr(sql_search, "MANY", many)
        for query in asked:
            expected = [version.model_id for version in everything(memory, query)]
            assert [version.model_id for version in everything(store, query)] == expected, query


@settings(max_examples=20, suppress_health_check=BUSY)
@given(made=versions(), again=versions(), asked=st.lists(queries, min_size=3, max_size=5))
def test_answers_follow_updates_as_memory_does(
    store: ServerMetadata, made: list[ModelVersion], again: list[ModelVersion], asked: list[VersionQuery]
) -> None:
    """After any update the searchable rows are those of the new record."""
    memory = MemoryMetadata()
    empty(store)
    later = [
        replace(new, **{fact: getattr(old, fact) for fact in FROZEN}, revision=2)
        for old, new in zip(made, again, strict=False)
    ]
    for each in (memory, store):
        seed(each, a_model("fraud"), a_model("churn"), *made)
        seed(each, *later)
    for query in asked:
        assert spelled(everything(store, query)) == spelled(everything(memory, query))
    assert store.check() == ()


EXACT = (2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2.0**63, 5e-324, -5e-324, 1e308, -1e308, 0.1 + 0.2, 0.3)
ASKED = (*EXACT, 10**400, -(10**400))


def test_numbers_are_compared_without_rounding(store: ServerMetadata) -> None:
    """Integers of 64 bits beside floats of any size, by every comparison and in order."""
    made = [a_version(n, hyperparams={"x": value}) for n, value in enumerate(EXACT, 1)]
    memory = MemoryMetadata()
    for each in (memory, store):
        seed(each, a_model(), *made)
    field = Field("params", ("x",))
    for query in (
        *(VersionQuery(where=Compare(field, op, value)) for op in ("=", "<", ">=") for value in ASKED),
        *(VersionQuery(where=Compare(Field("number"), op, value)) for op in ("<", ">=") for value in ASKED),
        VersionQuery(order=(Order(field, True),), limit=2),
        VersionQuery(order=(Order(field, False),), limit=2),
    ):
        assert numbers(everything(store, query)) == numbers(everything(memory, query)), query


def test_texts_of_any_length_are_kept_and_found(store: ServerMetadata) -> None:
    """Equal beginnings longer than any index holds, ends that are only spaces, and paths as deep as one likes."""
    long = "x" * 3000
    values = (long + "a", long + "b", long, "end", "end ", "")
    path = ("y" * 250, "z" * 250, "y" * 250)
    tree: dict[str, object] = {path[2]: "Deep"}
    for name in path[1::-1]:
        tree = {name: tree}
    made = [
        a_version(n, tags={"t": value}, attributes=tree if n == 1 else {})
        for n, value in enumerate(values, 1)
    ]
    memory = MemoryMetadata()
    for each in (memory, store):
        seed(each, a_model(), *made)
    tag = Field("tags", ("t",))
    for query in (
        *(VersionQuery(where=Compare(tag, op, v)) for op in ("=", "<", "<=", ">", ">=", "~") for v in values),
        VersionQuery(where=In(tag, (long, "end"))),
        VersionQuery(order=(Order(tag, False),), limit=1),
        VersionQuery(where=Compare(tag, "=", long), order=(Order(Field("created"), False),)),
        VersionQuery(where=Compare(Field("attributes", path), "~", "dEEP")),
        VersionQuery(where=Exists(Field("attributes", path[:2]))),
        VersionQuery(where=Text("100%_\\")),
    ):
        assert numbers(everything(store, query)) == numbers(everything(memory, query)), query


@pytest.mark.parametrize("length", [10, 700, 2000])
def test_targets_are_told_apart_to_their_last_character(store: ServerMetadata, length: int) -> None:
    targets = [f"{'s' * (length - 1)}{end}" for end in "ab"] + ["s" * (length - 2) + "  "]
    made = [Source(kind="dataset", target=target, revision=1) for target in targets]
    edges = tuple(LineageEdge(kind="dataset", target=target) for target in targets)
    seed(store, a_model(), a_version(lineage=edges), *made)
    assert everything(store, SourceQuery()) == sorted(made, key=lambda source: source.target)
    for target in targets:
        found = store.get(SourceKey("dataset", target))
        assert found is not None
        assert found.target == target
        assert [edge.target for edge in everything(store, EdgeQuery(to=(target,)))] == [target]
    assert store.check() == ()


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False), min_size=2, max_size=2))
@example([2**53, 2**53 + 1])
@example([-(2**53) - 1, -(2.0**53)])
@example([0.0, -0.0])
def test_numbers_as_texts_sort_as_the_numbers_do(pair: list[float]) -> None:
    first, second = pair
    assert (sortable(first) < sortable(second)) == (first < second)
    assert (sortable(first) == sortable(second)) == (first == second)


@given(st.text(min_size=245, max_size=260), st.text(min_size=245, max_size=260))
def test_shortened_names_stay_apart(first: str, second: str) -> None:
    assert (short(first) == short(second)) == (first == second)
    assert len(short(first)) <= 250
