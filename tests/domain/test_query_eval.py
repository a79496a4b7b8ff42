"""What queries mean, and the laws that every store has to keep too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain import versioning
from modelyard.domain.query import (
    And,
    Compare,
    Exists,
    Expr,
    Field,
    In,
    Not,
    Or,
    Order,
    Text,
    evaluate,
    label_bounds,
    order_key,
    parse,
    render,
    search_text,
)
from modelyard.domain.query_fields import FIELDS, operators
from modelyard.domain.records import (
    Check,
    FileEntry,
    LineageEdge,
    Metric,
    ModelStage,
    ModelVersion,
    ScanReport,
)
from modelyard.testing import strategies

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
ULID = "01j9zx4m8n2p6q7r5s3t1v0w9y"
NAN = float("nan")


def version(**facts: Any) -> ModelVersion:
    known: dict[str, Any] = {
        "model_id": ULID,
        "name": "Fraud",
        "number": 3,
        "version": "v1.4.0",
        "created_at": MARCH,
    }
    return ModelVersion(**{**known, "created_by": "ada", **facts})


RICH = version(
    files=(
        FileEntry(path="m", size=70, digest="sha256:" + "a" * 64),
        FileEntry(path="n", size=30, digest="x"),
    ),
    framework="scikit-learn",
    digest="sha256:ab",
    hyperparams={
        "C": 0.1,
        "solver": "lbfgs",
        "warm": True,
        "none": None,
        "layers": [1, 2],
        "n": 5,
        "text5": "5",
    },
    lineage=(
        LineageEdge(kind="dataset", target="s3://train"),
        LineageEdge(kind="dataset", target="s3://extra"),
        LineageEdge(kind="parent", target="other"),
    ),
    parent="first",
    stage=ModelStage.PRODUCTION,
    description="Scores Straße cards",
    tags={"team": "Risk", "empty": "", "val acc": "x"},
    attributes={"a": {"b": {"c": 7}, "list": [1]}, "yes": True, "": "odd"},
    metrics=(
        Metric(name="accuracy", value=0.8, at=MARCH),
        Metric(name="accuracy", value=0.9, at=MARCH),
        Metric(name="bad", value=NAN, at=MARCH),
    ),
    checks={"ok": Check(name="ok", passed=True, at=MARCH), "ko": Check(name="ko", passed=False, at=MARCH)},
    aliases=("champion", "prod-eu"),
    scans={"x": ScanReport(verdict="unknown")},
    updated_at=MARCH + timedelta(days=3),
)
BARE = version(version="alpha-1", name="churn", number=1)


def holds(text: str, subject: ModelVersion = RICH) -> bool:
    expr = parse(text).where
    assert expr is not None
    return evaluate(expr, subject)


@pytest.mark.parametrize(
    "text",
    [
        "name = fraud", "name = FRAUD", "name = 'Ｆraud'", "name in (x, fRaud)", "name ~ RAU", "name < g",
        "name >= fraud",
        "label = 1.4.0", "label = v1.4.0", "label >= 1.4", "label > 1.3.9", "label < 1.10.0",
        "label <= 1.4.0",
        "label >= 1.4.0-rc.1", "label ~ v1", "label in (1.4.0)", "label > 9.0.0-rc.1",
        "number = 3", "number = 3.0", "number < 4", "number in (3)", "number != 4",
        "stage = production", "stage != archived", "stage in (production, staging)",
        "stage not in (archived)",
        "alias = champion", "alias = prod-eu", "alias ~ PROD", "alias exists", "alias in (a, champion)",
        "alias != other",
        "framework = scikit-learn", "framework ~ LEARN", "framework > scikit", "algorithm != x",
        "not algorithm exists",
        "created = 2026-03-01", "created < 2026-03-01T00:00:01Z", "updated > 2026-03-03", "updated exists",
        "created_by = ada",
        "size = 100", "size > 99.5", "digest = sha256:ab", "digest ~ SHA", "scan = unknown", "scan != clean",
        "parent = first", "parent = other", "parent exists", "dataset = s3://train",
        "dataset = s3://extra", "dataset ~ TRAIN",
        "metrics.accuracy = 0.9", "metrics.accuracy != 0.8", "metrics.accuracy exists", "metrics.bad exists",
        "metrics.bad != 0.5", "metrics.missing != 0.5", "not metrics.bad < 1", "not metrics.missing exists",
        "params.C = 0.1", "params.solver = lbfgs", "params.solver ~ LB", "params.solver < m",
        "params.warm = true",
        "params.n = 5", "params.n != '5'", "params.text5 = '5'", "params.n >= 5", "params.layers exists",
        "params.layers != 1", "not params.none exists", "params.none != 1", "params.n in ('x', 5)",
        "tags.team = Risk", "tags.team ~ risk", "tags.team != risk", "tags.empty = ''",
        "tags.empty exists", "tags.no != x",
        "tags.`val acc` = x", "attributes.a.b.c = 7", "attributes.a.b exists", "attributes.yes = true",
        "attributes.a.list exists", "not attributes.a.b.c.d exists", "not attributes.no.b exists",
        "attributes.yes != 1",
        "checks.ok = true", "checks.ko = false", "checks.ko != true", "checks.none != true",
        "checks.ok exists",
        "fraud", "STRASSE", "'team=risk'", "risk", "'scores straße'", "fraud and risk", "zzz or fraud",
        "not zzz",
    ],
)  # fmt: skip
def test_true_of_a_rich_version(text: str) -> None:
    assert holds(text)
    assert not holds(f"not ({text})")


@pytest.mark.parametrize(
    "text",
    [
        "name = frau", "name > g", "label = 1.4", "label > 1.4", "label < 1.4.0", "label < 9.0.0-rc.1",
        "number = 4",
        "stage = staging", "alias = other", "alias != champion", "framework = Scikit-Learn",
        "algorithm exists", "algorithm ~ x",
        "created > 2026-03-01", "updated < 2026-03-03", "size = 70", "scan = clean", "parent = x",
        "dataset = s3://other",
        "metrics.accuracy = 0.8", "metrics.missing < 1", "metrics.missing = 0", "metrics.bad = 0",
        "metrics.bad < 1",
        "metrics.bad >= 0", "metrics.bad in (1)", "params.C = '0.1'", "params.n = '5'", "params.text5 = 5",
        "params.warm = 1",
        "params.n = true", "params.layers = 1", "params.n ~ '5'", "params.none exists",
        "params.none = 'null'",
        "tags.team = risk", "tags.no = ''", "tags.no exists", "attributes.a.b = 7", "attributes.a.b.c = 8",
        "attributes.yes = 1",
        "attributes.a.list = 1", "checks.ok = false", "checks.none = false", "checks.none exists", "zzz",
        "lbfgs", "fraud zzz",
    ],
)  # fmt: skip
def test_false_of_a_rich_version(text: str) -> None:
    assert not holds(text)
    assert holds(f"not ({text})")


@pytest.mark.parametrize("name", FIELDS)
def test_a_bare_version_can_be_asked_anything(name: str) -> None:
    parts = {"none": (), "one": ("x",), "many": ("x", "y")}[FIELDS[name].parts]
    values = {"number": 1, "time": MARCH, "boolean": True, "choice": FIELDS[name].choices[-1:]}
    value = values.get(FIELDS[name].kind, "x")
    value = value[0] if isinstance(value, tuple) else value
    for op in operators(Field(name, parts)):
        equal = evaluate(Compare(Field(name, parts), "=", value), BARE)
        found = evaluate(Compare(Field(name, parts), op, value), BARE)
        assert found == (not equal) if op == "!=" else isinstance(found, bool)


def test_what_was_never_updated_counts_as_updated_when_created() -> None:
    assert holds("updated = 2026-03-01", BARE)


def test_free_labels_stay_below_semantic_ones() -> None:
    assert holds("label < 0.0.1", BARE)
    assert holds("label < 0.0.0-0", BARE)
    assert not holds("label > 0.0.0", BARE)
    assert not evaluate(Compare(Field("label"), "<", "beta"), BARE)


def test_search_text_has_one_line_for_each_thing_searched() -> None:
    assert search_text(RICH).split("\n") == [
        "fraud",
        "scores strasse cards",
        "empty=",
        "team=risk",
        "val acc=x",
    ]


@given(strategies.exprs(), strategies.versions())
def test_an_expression_or_its_negation_holds_never_both(expr: Expr, subject: ModelVersion) -> None:
    assert evaluate(Not(expr), subject) is not evaluate(expr, subject)
    assert evaluate(Not(Not(expr)), subject) is evaluate(expr, subject)


@given(st.lists(strategies.exprs(3), min_size=2, max_size=3).map(tuple), strategies.versions())
def test_negation_turns_and_into_or(items: tuple[Expr, ...], subject: ModelVersion) -> None:
    negated = tuple(Not(item) for item in items)
    assert evaluate(Not(And(items)), subject) is evaluate(Or(negated), subject)
    assert evaluate(Not(Or(items)), subject) is evaluate(And(negated), subject)


@given(strategies.exprs(), strategies.versions())
def test_writing_an_expression_out_does_not_change_its_meaning(expr: Expr, subject: ModelVersion) -> None:
    again = parse(render(expr)).where
    assert again is not None
    assert evaluate(again, subject) is evaluate(expr, subject)


@given(strategies.conditions().filter(lambda e: isinstance(e, Compare)), strategies.versions())
def test_unequal_is_exactly_not_equal_and_in_is_equality_with_any(
    expr: Compare, subject: ModelVersion
) -> None:
    equal = evaluate(Compare(expr.field, "=", expr.value), subject)
    assert evaluate(Compare(expr.field, "!=", expr.value), subject) is not equal
    assert evaluate(In(expr.field, (expr.value, expr.value)), subject) is equal


@given(strategies.conditions().filter(lambda e: isinstance(e, Compare)), strategies.versions())
def test_what_matches_exists_or_is_empty_text(expr: Compare, subject: ModelVersion) -> None:
    if expr.op != "!=" and evaluate(expr, subject):
        empty = evaluate(Compare(expr.field, "=", ""), subject)
        assert evaluate(Exists(expr.field), subject) or empty


@given(strategies.versions(), st.sampled_from(("metrics", "number", "size")), strategies.numbers())
def test_numbers_are_below_equal_or_above(subject: ModelVersion, root: str, value: float) -> None:
    field = Field(root, ("accuracy",) if root == "metrics" else ())
    answers = [evaluate(Compare(field, op, value), subject) for op in ("<", "=", ">")]
    present = root != "metrics" or subject.performance_metrics.get(
        "accuracy", NAN
    ) == subject.performance_metrics.get("accuracy")
    assert sum(answers) == (1 if present else 0)
    assert evaluate(Compare(field, "<=", value), subject) is (answers[0] or answers[1])
    assert evaluate(Compare(field, ">=", value), subject) is (answers[1] or answers[2])


@given(strategies.versions(), strategies.storable_text(4).filter(bool))
def test_a_word_found_in_a_name_or_tag_is_found_by_search(subject: ModelVersion, word: str) -> None:
    fields = [Field("name"), *(Field("tags", (key,)) for key in subject.tags)]
    if any(evaluate(Compare(field, "~", word), subject) for field in fields):
        assert evaluate(Text(word), subject)


# --- labels ---


@given(strategies.labels(), strategies.labels(), st.integers(1, 10**9))
def test_label_bounds_enclose_the_rank_of_equal_labels_only(one: str, other: str, number: int) -> None:
    bounds = label_bounds(one)
    left, right = versioning.parse(one), versioning.parse(other)
    if bounds is None or left is None:
        return
    enclosed = bounds[0] <= versioning.rank(other, number) <= bounds[1]
    assert enclosed == (right is not None and left.compare(right) == 0)


def test_short_labels_mean_the_same_with_zeros() -> None:
    assert label_bounds("1") == label_bounds("1.0") == label_bounds("1.0.0") == label_bounds("v1")
    assert label_bounds("alpha-1") is None
    assert label_bounds("1" * 200) is None


# --- order ---


def in_order(key: Order, *subjects: ModelVersion) -> list[int]:
    return [subject.number for subject in sorted(subjects, key=lambda v: order_key(key, v))]


def test_missing_values_and_nan_come_last_in_both_directions() -> None:
    values = (0.5, None, 0.9, NAN, 0.1)
    subjects = [
        version(number=n, metrics=() if v is None else (Metric(name="a", value=v, at=MARCH),))
        for n, v in enumerate(values, 1)
    ]
    field = Field("metrics", ("a",))
    assert in_order(Order(field), *subjects) == [5, 1, 3, 2, 4]
    assert in_order(Order(field, True), *subjects) == [3, 1, 5, 2, 4]


def test_labels_sort_as_latest_ranks_them() -> None:
    labels = ("1.9.0", "1.10.0", "alpha", "2.0.0-rc.1", "v1.9.1")
    subjects = [version(number=n, version=label) for n, label in enumerate(labels, 1)]
    assert in_order(Order(Field("label")), *subjects) == [3, 4, 1, 5, 2]
    assert in_order(Order(Field("label"), True), *subjects) == [2, 5, 1, 4, 3]


def test_stages_sort_by_their_place_in_life() -> None:
    subjects = [version(number=n, stage=stage) for n, stage in enumerate(reversed(ModelStage), 1)]
    assert in_order(Order(Field("stage")), *subjects) == [6, 5, 4, 3, 2, 1]


def test_names_sort_without_regard_to_case() -> None:
    subjects = [version(number=n, name=name) for n, name in enumerate(("b", "C", "A"), 1)]
    assert in_order(Order(Field("name")), *subjects) == [3, 1, 2]


def test_json_sorts_numbers_then_text_then_what_cannot_be_compared() -> None:
    values = ("b", 2, True, [1], None, "a", {"x": 1}, 0.5)
    subjects = [version(number=n, hyperparams={"p": v}) for n, v in enumerate(values, 1)]
    assert in_order(Order(Field("params", ("p",))), *subjects) == [8, 3, 2, 6, 1, 4, 5, 7]
    assert in_order(Order(Field("params", ("p",)), True), *subjects) == [1, 6, 2, 3, 8, 4, 5, 7]


def test_keys_of_equal_values_are_equal() -> None:
    down = Order(Field("number"), True)
    one, other = order_key(down, version(number=7)), order_key(down, version(number=7, name="x"))
    assert one == other
    assert hash(one) == hash(other)
    assert one != order_key(down, version(number=8))
    assert one[1] != 7


@given(st.lists(strategies.versions(), max_size=3), strategies.fields(ordered=True))
def test_every_field_orders_any_versions_and_descending_is_the_mirror(
    subjects: list[ModelVersion], field: Field
) -> None:
    up, down = Order(field), Order(field, True)
    for one, other in pairwise(sorted(subjects, key=lambda v: order_key(up, v))):
        assert order_key(up, one) <= order_key(up, other)
        missing = order_key(up, other)[0]
        if not missing:
            assert not order_key(down, one) < order_key(down, other)
    assert len(sorted(subjects, key=lambda v: order_key(down, v))) == len(subjects)
