"""The database answers every question as the store in memory does, whichever way it goes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.adapters.metadata import sql_search
from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.domain.query import And, Compare, Exists, Expr, Field, In, Not, Or, Order, Text
from modelyard.domain.records import (
    Check,
    FileEntry,
    LineageEdge,
    Metric,
    ModelStage,
    ModelVersion,
    ScanReport,
    Withdrawal,
)
from modelyard.ports.metadata import VersionQuery
from modelyard.testing.metadata import NAN, T0, a_model, a_version, everything, seed, sha, spelled

WORDS = (
    "risk",
    "Risk",
    "RISK-é",
    "straße",
    "a",
    "",
    "ab",
    "x.y",
    'q"uote',
    "%_",
    "1.0.0",
    "scikit-learn",
    "\N{KELVIN SIGN}",
)
LABELS = ("v1.0.0", "1.0.0-rc.1", "1.10.0", "1.9.0", "free", "2", "1.0.0+b", "v2.0.0-a.1")
NAMES = ("fraud", "churn")

words = st.sampled_from(WORDS)
numbers = st.sampled_from((0, 1, 2, -1, 0.5, 1.0, 0.1 + 0.2, 0.3, 2**53 + 1, 2**53, 1e300, -0.0))
values = st.one_of(numbers, words, st.booleans())
json = st.one_of(values, st.none(), st.lists(values, max_size=2))
times = st.integers(0, 3).map(lambda n: T0 + timedelta(microseconds=n))
keys = st.sampled_from(("a", "b"))


@st.composite
def versions(draw: st.DrawFn) -> list[ModelVersion]:
    """A handful of versions of two models, alike enough that conditions match some of them."""
    made: list[ModelVersion] = []
    labels = draw(st.permutations(LABELS))
    for number in range(1, draw(st.integers(1, 7)) + 1):
        name = draw(st.sampled_from(NAMES))
        values_of = draw(st.lists(st.sampled_from((NAN, 0.5, 0.9, 1, -1.5)), max_size=2))
        made.append(
            a_version(
                number,
                name,
                version=labels[number],
                created_at=draw(times),
                updated_at=draw(st.none() | times),
                created_by=draw(words),
                framework=draw(words),
                algorithm=draw(words),
                digest=draw(st.sampled_from((sha(1), sha(2), ""))),
                content_digest=draw(st.sampled_from((sha(1), sha(2)))),
                stage=draw(
                    st.sampled_from((ModelStage.DEVELOPMENT, ModelStage.STAGING, ModelStage.ARCHIVED))
                ),
                description=draw(words),
                tags=draw(st.dictionaries(keys, words)),
                hyperparams=draw(st.dictionaries(keys, json)),
                attributes=draw(st.dictionaries(keys, json | st.dictionaries(keys, json))),
                metrics=tuple(Metric(name=draw(keys), value=value, at=T0) for value in values_of),
                checks={
                    n: Check(name=n, passed=p, at=T0)
                    for n, p in draw(st.dictionaries(keys, st.booleans())).items()
                },
                aliases=tuple(draw(st.lists(words, max_size=2, unique=True))),
                parent=draw(st.none() | words),
                withdrawn=draw(st.none() | words.map(lambda word: Withdrawal(reason=word, at=T0))),
                lineage=tuple(
                    LineageEdge(kind=draw(st.sampled_from(("dataset", "parent", "code"))), target=draw(words))
                    for _ in range(draw(st.integers(0, 2)))
                ),
                files=tuple(
                    FileEntry(path=p, size=draw(st.integers(0, 3)), digest=sha(1)) for p in ("m", "n")
                ),
                scans={sha(1): ScanReport(verdict=draw(st.sampled_from(("clean", "unknown", "unsafe"))))},
                deleted_at=draw(st.none() | times),
                collected_at=draw(st.none() | st.just(T0)),
            )
        )
    return made


@st.composite
def fields(draw: st.DrawFn, *, orderable: bool = False) -> Field:
    many = () if orderable else ("alias", "dataset", "parent", "withdrawn")
    root = draw(
        st.sampled_from(
            (
                *(
                    "name",
                    "label",
                    "number",
                    "stage",
                    "framework",
                    "algorithm",
                    "created",
                    "updated",
                    "created_by",
                ),
                *("size", "digest", "scan", "metrics", "params", "tags", "attributes", "checks", *many),
            )
        )
    )
    if root == "attributes":
        return Field(root, tuple(draw(st.lists(keys, min_size=1, max_size=2))))
    return Field(root, (draw(keys),) if root in ("metrics", "params", "tags", "checks") else ())


@st.composite
def comparisons(draw: st.DrawFn) -> Expr:
    field = draw(fields())
    ordered = ("=", "!=", "<", "<=", ">", ">=")
    ops, literals = {
        "number": (ordered, numbers),
        "size": (ordered, numbers),
        "metrics": (ordered, st.sampled_from((0.5, 0.9, 1, 2))),
        "created": (ordered, times),
        "updated": (ordered, times),
        "stage": (("=", "!="), st.sampled_from(("development", "staging", "production"))),
        "scan": (("=", "!="), st.sampled_from(("clean", "unsafe"))),
        "checks": (("=", "!="), st.booleans()),
        "params": (ordered, values),
        "attributes": (ordered, values),
        "label": (
            (*ordered, "~"),
            st.sampled_from(("1.0.0", "v1.0.0", "1.10.0", "1.0.0-rc.1", "1.9", "2", "free")),
        ),
        "name": ((*ordered, "~"), st.sampled_from((*NAMES, "FRAUD", "r", ""))),
        "digest": ((*ordered, "~"), st.sampled_from((sha(1), "A256", ""))),
    }.get(field.root, ((*ordered, "~"), words))
    op = draw(st.sampled_from((*ops, "in", "exists")))
    if op == "exists":
        return Exists(field)
    if op == "in":
        return In(field, tuple(draw(st.lists(literals, min_size=1, max_size=3))))
    return Compare(field, op, draw(literals))


conditions: st.SearchStrategy[Expr] = st.recursive(
    st.one_of(comparisons(), words.map(Text)),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda items: And(tuple(items))),
        st.lists(inner, min_size=2, max_size=3).map(lambda items: Or(tuple(items))),
    ),
    max_leaves=6,
)
wanted_tag = st.builds(Compare, st.builds(Field, st.just("tags"), st.tuples(keys)), st.just("="), words)
"""Alone or beside another condition, by time of creation: a question that has a way of its own."""

orders = st.one_of(
    st.lists(st.builds(Order, fields(orderable=True), st.booleans()), max_size=2).map(tuple),
    st.booleans().map(lambda descending: (Order(Field("created"), descending),)),
    st.tuples(st.builds(Order, st.just(Field("metrics", ("a",))), st.booleans())),
)
queries = st.builds(
    VersionQuery,
    where=st.none() | conditions | wanted_tag | st.tuples(wanted_tag, conditions).map(And),
    order=orders,
    model_key=st.none() | st.sampled_from(NAMES),
    digest=st.sampled_from((None, None, sha(1))),
    file=st.sampled_from((None, None, sha(3))),
    deleted=st.sampled_from((False, None, True)),
    limit=st.sampled_from((1, 2, 100)),
)


@pytest.fixture
def database(tmp_path: Any) -> Iterator[SqlMetadata]:
    store = SqlMetadata(tmp_path / "registry.db")
    store.migrate()
    with store._connections.reading() as connection:
        connection.execute("PRAGMA synchronous = OFF")  # this is about answers: no disk is waited for
    yield store
    store.close()


FROZEN = (
    "model_id",
    "name",
    "version",
    "number",
    "created_at",
    "created_by",
    "framework",
    "algorithm",
    "files",
    "digest",
    "content_digest",
)


def empty(store: SqlMetadata) -> None:
    with store._connections.writing() as connection:
        connection.execute("INSERT INTO version_words (version_words) VALUES ('delete-all')")
        for table in (
            "version_docs",
            "version_texts",
            "version_files",
            "version_edges",
            "version_terms",
            "versions",
            "models",
        ):
            connection.execute(f"DELETE FROM {table}")


@pytest.mark.parametrize(("few", "many"), [(1, 1), (2, 4), (1000, 1000)])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(made=versions(), asked=st.lists(queries, min_size=4, max_size=8))
def test_the_database_answers_as_memory_does(
    database: SqlMetadata, few: int, many: int, made: list[ModelVersion], asked: list[VersionQuery]
) -> None:
    """Records, filter, order and paging: for every question, equal answers in equal order."""
    memory = MemoryMetadata()
    empty(database)
    for store in (memory, database):
        seed(store, a_model("fraud"), a_model("churn"), *made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sql_search, "FEW", few)
        patch.setattr(sql_search, "MANY", many)
        for query in asked:
            expected = [version.model_id for version in everything(memory, query)]
            assert [version.model_id for version in everything(database, query)] == expected, query


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(made=versions(), again=versions(), asked=st.lists(queries, min_size=3, max_size=5))
def test_answers_follow_updates_as_memory_does(
    database: SqlMetadata, made: list[ModelVersion], again: list[ModelVersion], asked: list[VersionQuery]
) -> None:
    """After any update the searchable rows are those of the new record."""
    memory = MemoryMetadata()
    empty(database)
    later = [
        replace(new, **{fact: getattr(old, fact) for fact in FROZEN}, revision=2)
        for old, new in zip(made, again, strict=False)
    ]
    for store in (memory, database):
        seed(store, a_model("fraud"), a_model("churn"), *made)
        seed(store, *later)
    for query in asked:
        assert list(everything(database, query)) == list(everything(memory, query)) or _same(
            database, memory, query
        )
    assert database.check() == ()


def _same(database: SqlMetadata, memory: MemoryMetadata, query: VersionQuery) -> bool:
    return spelled(everything(database, query)) == spelled(everything(memory, query))
