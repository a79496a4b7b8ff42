"""Reading and writing queries: grammar, types, limits and messages."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import InvalidInput, InvalidQuery
from modelyard.domain.query import (
    FIELDS,
    And,
    Compare,
    Exists,
    Expr,
    Field,
    In,
    Not,
    Or,
    Order,
    Search,
    Text,
    and_,
    check_limit,
    from_filters,
    operators,
    parse,
    render,
    render_field,
    render_search,
)
from modelyard.domain.records import ModelStage
from modelyard.testing import strategies

NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)
STAGE, NAME, CREATED = Field("stage"), Field("name"), Field("created")
ACCURACY = Field("metrics", ("accuracy",))
LIVE = Compare(STAGE, "=", "production")
A, B, C = Text("a"), Text("b"), Text("c")


def where(text: str) -> Expr | None:
    return parse(text, now=NOW).where


@pytest.mark.parametrize(
    ("text", "expr"),
    [
        ("", None),
        ("  \n ", None),
        ("stage = production", LIVE),
        ("stage='production'", LIVE),
        ('stage = "Production"', LIVE),
        ("stage != archived", Compare(STAGE, "!=", "archived")),
        ("scan = clean", Compare(Field("scan"), "=", "clean")),
        ("metrics.accuracy >= 0.9", Compare(ACCURACY, ">=", 0.9)),
        ("metrics.accuracy>-1e-3", Compare(ACCURACY, ">", -0.001)),
        ("metrics.`accuracy` < .5", Compare(ACCURACY, "<", 0.5)),
        ("metrics.val.acc = 1", Compare(Field("metrics", ("val.acc",)), "=", 1)),
        ("metrics.`val acc` = 1.", Compare(Field("metrics", ("val acc",)), "=", 1.0)),
        ("tags.`a``b` = x", Compare(Field("tags", ("a`b",)), "=", "x")),
        ("tags.cafe\u0301 = x", Compare(Field("tags", ("caf\u00e9",)), "=", "x")),
        ("tags.version = 1.4.0", Compare(Field("tags", ("version",)), "=", "1.4.0")),
        ("tags.n = '5'", Compare(Field("tags", ("n",)), "=", "5")),
        ("attributes.a.b = true", Compare(Field("attributes", ("a", "b")), "=", True)),
        ("attributes.`a.b` = TRUE", Compare(Field("attributes", ("a.b",)), "=", True)),
        ("params.C = 1", Compare(Field("params", ("C",)), "=", 1)),
        ("params.solver = lbfgs", Compare(Field("params", ("solver",)), "=", "lbfgs")),
        ("params.x = 'null'", Compare(Field("params", ("x",)), "=", "null")),
        ("checks.tests_passed = false", Compare(Field("checks", ("tests_passed",)), "=", False)),
        ("label = 1.4", Compare(Field("label"), "=", "1.4")),
        ("label >= v1.4", Compare(Field("label"), ">=", "v1.4")),
        ("label < 2", Compare(Field("label"), "<", "2")),
        ("label ~ 'rc'", Compare(Field("label"), "~", "rc")),
        ("number in (1, 2,3)", In(Field("number"), (1, 2, 3))),
        ("stage not in (archived)", Not(In(STAGE, ("archived",)))),
        ("STAGE2", Text("STAGE2")),
        ("alias = champion", Compare(Field("alias"), "=", "champion")),
        ("digest = sha256:ab", Compare(Field("digest"), "=", "sha256:ab")),
        ("parent exists", Exists(Field("parent"))),
        ("tags.team EXISTS", Exists(Field("tags", ("team",)))),
        ("name ~ '%_*'", Compare(NAME, "~", "%_*")),
        (r"name = 'a\'b\"c\\d\n\t\r\u00e9'", Compare(NAME, "=", "a'b\"c\\d\n\t\ré")),
        ("created > 2026-03-01", Compare(CREATED, ">", datetime(2026, 3, 1, tzinfo=UTC))),
        ("created > '2026-03-01 12:00'", Compare(CREATED, ">", datetime(2026, 3, 1, 12, tzinfo=UTC))),
        (
            "created > 2026-03-01T14:00:00.5+02:00",
            Compare(CREATED, ">", datetime(2026, 3, 1, 12, 0, 0, 500000, UTC)),
        ),
        ("created > -7d", Compare(CREATED, ">", datetime(2026, 3, 1, 12, tzinfo=UTC))),
        ("updated > -12h", Compare(Field("updated"), ">", datetime(2026, 3, 8, tzinfo=UTC))),
        ("created > '-1w'", Compare(CREATED, ">", datetime(2026, 3, 1, 12, tzinfo=UTC))),
    ],
)
def test_conditions_are_understood(text: str, expr: Expr | None) -> None:
    assert where(text) == expr


@pytest.mark.parametrize(
    ("text", "expr"),
    [
        ("a", A),
        ("'two words'", Text("two words")),
        ("a b", And((A, B))),
        ("a and b", And((A, B))),
        ("a AND b Or c", Or((And((A, B)), C))),
        ("a or b and c", Or((A, And((B, C))))),
        ("(a or b) c", And((Or((A, B)), C))),
        ("not a b", And((Not(A), B))),
        ("not (a b)", Not(And((A, B)))),
        ("not not a", Not(Not(A))),
        ("a not b", And((A, Not(B)))),
        ("((a))", A),
        ("(a b) c", And((And((A, B)), C))),
        ("a b c", And((A, B, C))),
        ("a stage = production", And((A, LIVE))),
        ("a in b", And((A, Text("in"), B))),
        ("exists", Text("exists")),
        ("`a b`", Text("a b")),
        ("'and'", Text("and")),
        ("order", Text("order")),
        ("https://x.y/z?q", Text("https://x.y/z?q")),
    ],
)
def test_words_and_connectives_bind_as_documented(text: str, expr: Expr) -> None:
    assert where(text) == expr


@pytest.mark.parametrize(
    ("text", "search"),
    [
        ("order by created", Search(None, (Order(CREATED),))),
        ("a ORDER BY created ASC, name desc", Search(A, (Order(CREATED), Order(NAME, True)))),
        ("order by metrics.`val acc` desc", Search(None, (Order(Field("metrics", ("val acc",)), True),))),
        ("order by attributes.a.b", Search(None, (Order(Field("attributes", ("a", "b"))),))),
    ],
)
def test_order_is_understood(text: str, search: Search) -> None:
    assert parse(text) == search


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("stag = production", 0, "unknown field 'stag'. Did you mean 'stage'?"),
        ("a and (b or colour = red)", 12, "unknown field"),
        ("stage = prod", 8, "stage is one of development, testing"),
        ("stage = 3", 8, "found the text '3'"),
        ("stage < production", 6, "takes = !="),
        ("stage ~ prod", 6, "takes = !="),
        ("stage in production", 9, r"expected '('"),
        ("stage not in production", 13, r"expected '('"),
        ("stage in ()", 10, "expected a value"),
        ("stage in (archived", 18, r"expected ')', found the end"),
        ("stage in (archived,)", 19, "expected a value"),
        ("number = 'x'", 9, "number is a number, found the text 'x'"),
        ("number = true", 9, "found the truth value true"),
        ("number in (1, x)", 14, "found the text 'x'"),
        ("size ~ 3", 5, "takes"),
        ("size = 10MB", 7, "found the text '10MB'"),
        ("metrics.accuracy = '0.9'", 19, "metrics.accuracy is a number"),
        ("metrics.accuracy = nan", 19, "found the text 'nan'"),
        ("metrics.accuracy = inf", 19, "found the text 'inf'"),
        ("metrics = 3", 0, "metrics needs a name after a dot"),
        ("metrics exists", 0, "metrics needs a name after a dot"),
        ("tags.year = 2026", 12, "tags.year is text, found the number '2026'; put it in quotes"),
        ("tags.x = true", 9, "found the truth value true"),
        ("name ~ 5", 7, "put it in quotes"),
        ("params.x ~ 5", 11, "put it in quotes"),
        ("params.x = null", 11, "there is no null"),
        ("attributes.x != None", 16, "there is no null"),
        ("checks.a = 1", 11, "true or false, found the number '1'"),
        ("checks.a = yes", 11, "true or false, found the text 'yes'"),
        ("checks.a > true", 9, "takes = !="),
        ("created > yesterday", 10, "expected a time such as 2026-03-01"),
        ("created > 2026-02-30", 10, "expected a time"),
        ("created > -999999w", 10, "expected a time"),
        ("created > 5", 10, "expected a time"),
        ("label > alpha-1", 8, "ordered as semantic versions"),
        (f"label > {'1' * 129}", 8, "ordered as semantic versions"),
        ("order by alias", 9, "several values"),
        ("order by parent desc", 9, "several values"),
        ("order by", 8, "expected a field to order by"),
        ("order by created,", 17, "expected a field to order by"),
        ("order by 'created'", 9, "expected a field to order by"),
        ("order by created name", 17, "expected a condition"),
        ("order by colour", 9, "unknown field"),
        ("name ==  x", 6, "expected a value, found '='"),
        ("name = ", 7, "expected a value, found the end"),
        ("name = (x)", 7, r"expected a value, found '('"),
        ("'name' = x", 0, "back-quotes"),
        ("name = `x`", 7, "values go in 'quotes'"),
        ("''", 0, "empty quotes"),
        ("a ``", 2, "empty quotes"),
        ("and", 0, "expected a condition"),
        ("a and", 5, "expected a condition, found the end"),
        ("a or or b", 5, "expected a condition"),
        ("not", 3, "expected a condition"),
        ("()", 1, "expected a condition"),
        ("(a", 2, r"expected ')', found the end"),
        ("a)", 1, "expected a condition, 'and', 'or' or 'order by'"),
        ("a, b", 1, "found ','"),
        ("= 5", 0, "found '='"),
        ("a ! b", 2, "write != or not"),
        ("name = 'abc", 7, "never closed"),
        ('name = "abc', 7, "never closed"),
        ("tags.`abc = 5", 5, "never closed"),
        (r"name = 'a\qb'", 9, "unknown escape"),
        (r"name = '\u12'", 8, "unknown escape"),
        (r"name = '\ud800'", 7, "surrogate"),
        (r"name = '\u0000'", 7, "NUL"),
        ("tags. = x", 5, "before and after each dot"),
        ("tags..a = x", 5, "before and after each dot"),
        (".a = x", 0, "before and after each dot"),
        ("tags.`a`b = x", 8, "expected a dot between"),
        ("tags.`` = x", 5, "1 to 250 characters"),
        ("tags.`a\nb` = x", 5, "printable characters"),
        ("a\x00b", 0, "NUL"),
        ("a\ud800", 0, "surrogate"),
    ],
)
def test_the_error_points_at_the_first_character_at_fault(text: str, position: int, message: str) -> None:
    with pytest.raises(InvalidQuery) as error:
        parse(text, now=NOW)
    assert message in str(error.value)
    assert error.value.data == {"position": position}
    assert error.value.position == position


def test_the_caret_stands_under_the_fault_even_deep_in_a_long_query() -> None:
    text = "a or " * 30 + "\x1bcolour = red and more " + "or a " * 30
    with pytest.raises(InvalidQuery) as error:
        parse(text.replace("\x1b", "\u202e"))
    _, snippet, caret = str(error.value).split("\n")
    assert snippet[caret.index("^")] == "\N{REPLACEMENT CHARACTER}"
    assert snippet[caret.index("^") + 1 :].startswith("colour = red")
    assert len(snippet) < 80
    assert "\u202e" not in str(error.value)


@pytest.mark.parametrize("value", [None, 5, b"stage = production"])
def test_what_is_not_text_is_no_query(value: object) -> None:
    with pytest.raises(InvalidQuery, match="expected text"):
        parse(value)  # type: ignore[arg-type]


def test_relative_times_need_to_be_told_what_now_is() -> None:
    with pytest.raises(InvalidQuery, match="write a date"):
        parse("created > -7d")


@pytest.mark.parametrize(
    "text",
    [
        "token_hash = 'a'", "password = x", "password ~ ''", "created_by.token = x", "order by token_hash",
        "order by password", "order by created_by.token", "name.token exists", "__class__ = x",
        "stage.value = x",
        "version.tags = x", "revision = 1", "policy exists", "order by tags.x.token, password",
    ],
)  # fmt: skip
def test_A46_fields_outside_the_table_are_refused(text: str) -> None:
    with pytest.raises(InvalidQuery, match=r"unknown field|has no parts"):
        parse(text)


INJECTIONS = (
    "' OR '1'='1", "'; DROP TABLE versions; --", '" OR ""="', "x') UNION SELECT * FROM tokens --",
    "1; SELECT pg_sleep(9)",
    "%' AND 1=1 --", "\\'; --", "admin'--", "${jndi:ldap://x}", "{{7*7}}", "$where: 1", "x\x1b[2J", "a`b",
    "a\nb",
)  # fmt: skip


@pytest.mark.parametrize("attack", INJECTIONS)
def test_A45_hostile_text_stays_a_value(attack: str) -> None:
    for expr in (
        Compare(NAME, "=", attack),
        Compare(NAME, "~", attack),
        In(Field("alias"), (attack, "x")),
        Text(attack),
    ):
        assert parse(render(expr)).where == expr
        assert from_filters(name=attack) == Compare(NAME, "=", attack)


@pytest.mark.parametrize("attack", INJECTIONS)
def test_A45_hostile_text_in_place_of_a_field_is_refused(attack: str) -> None:
    for text in (f"{attack} = 1", f"order by {attack}", f"stage.{attack} = 'x'"):
        with pytest.raises(InvalidQuery):
            parse(text)


def test_A45_hostile_text_after_a_dot_is_only_ever_a_name() -> None:
    assert where("tags.{{7*7}} = 'x'") == Compare(Field("tags", ("{{7*7}}",)), "=", "x")
    assert where("tags.`'; DROP TABLE versions; --` = 'x'") == Compare(
        Field("tags", ("'; DROP TABLE versions; --",)), "=", "x"
    )


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000, "not " * 2_500, "(" * 5_000 + ")" * 5_000, "not(" * 2_000, "a " * 5_000,
        "a or " * 2_000, "`" * 9_999,
        "'" + "\\" * 9_998, "name ~ '" + "%a" * 4_000 + "'", "name ~ '(a+)+$'",
        "number in (" + "1," * 4_000 + "1)", "." * 10_000,
        "number = " + "9" * 9_000, "metrics.x = " + "9" * 9_000, "params.x = " + "1" * 5_000,
        "metrics.x = 1e999",
        "tags.x = " + "9" * 9_000, "number = 9223372036854775808", "x" * 50_000,
        "tags." + "x" * 9_000 + " = 1", "a." * 4_999 + "=",
        "order by " + "created," * 1_000 + "created", "a" + "`b`" * 3_000, "``" * 5_000, "\\" * 10_000,
        "!" * 10_000,
    ],
)  # fmt: skip
def test_A47_A48_hostile_sizes_end_quickly_in_a_tree_or_in_invalid_query(text: str) -> None:
    begun = time.perf_counter()
    with suppress(InvalidQuery):
        parse(text)
    assert time.perf_counter() - begun < 1


def test_the_message_about_a_huge_query_is_short() -> None:
    for text in ("(" * 10_000, "x" * 50_000, "tags." + "x" * 9_000 + " = 1", "tags.x = " + "9" * 9_000):
        with pytest.raises(InvalidQuery) as error:
            parse(text)
        assert len(str(error.value)) < 500


def test_depth_and_size_have_the_documented_limits() -> None:
    assert where("(" * 50 + "a" + ")" * 50) == A
    assert where("not " * 50 + "a") is not None
    assert where(" or ".join(["a"] * 499)) == Or((A,) * 499)
    assert where("a" * 10_000) == Text("a" * 10_000)
    for text, problem in [
        ("(" * 51 + "a" + ")" * 51, "50 deep"),
        ("not " * 51 + "a", "50 deep"),
        (" or ".join(["a"] * 500), "more than 500 conditions"),
        ("number in (" + "1," * 500 + "1)", "more than 500 conditions"),
        ("order by " + "created," * 500 + "created", "more than 500 conditions"),
        ("a" * 10_001, "at most 10000 characters"),
    ]:
        with pytest.raises(InvalidQuery, match=problem):
            parse(text)


def test_whole_numbers_reach_as_far_as_databases_do() -> None:
    assert where("size = 9223372036854775807") == Compare(Field("size"), "=", 2**63 - 1)
    assert where("size = 1e30") == Compare(Field("size"), "=", 1e30)
    for text in ("size = 9223372036854775808", "params.x = -9223372036854775808", "size = 1e309"):
        with pytest.raises(InvalidQuery, match=r"whole numbers up to|finite"):
            parse(text)


@given(strategies.exprs())
def test_parsing_what_was_written_gives_the_same_tree(expr: Expr) -> None:
    assert parse(render(expr)).where == expr


@given(strategies.searches())
def test_parsing_a_written_search_gives_it_back(search: Search) -> None:
    assert parse(render_search(search)) == search


PIECES = st.sampled_from(
    [
        "stage", "=", "!=", "<", "~", "(", ")", ",", "and", "or", "not", "in", "exists", "order", "by", "desc", "'x'",
        '"', "'", "`", "metrics.a", "tags.", "1", "-7d", "true", "2026-03-01", "label", "1.2", " ", "\\", ".",
        "created", "\u202e", "params.b",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=15).map(" ".join) | st.lists(PIECES, max_size=15).map("".join) | st.text())
def test_parsing_raises_nothing_but_invalid_query(text: str) -> None:
    try:
        search = parse(text, now=NOW)
    except InvalidQuery as error:
        position = error.position
    else:
        assert parse(render_search(search)) == search
        return
    assert 0 <= position <= len(text)


def test_expressions_are_values() -> None:
    one, other = where("stage = production and a"), where("stage = production and a")
    assert one == other
    assert len({one, other}) == 1


def test_fields_are_written_with_back_quotes_only_where_needed() -> None:
    assert render_field(Field("attributes", ("a", "b.c", "d`e"))) == "attributes.a.`b.c`.`d``e`"


def test_the_table_of_fields_is_the_documented_one() -> None:
    plain = "name label number stage alias framework algorithm created updated created_by size digest parent dataset"
    assert list(FIELDS) == [
        *plain.split(),
        "withdrawn",
        "scan",
        "metrics",
        "params",
        "tags",
        "attributes",
        "checks",
    ]
    assert all(info.help and operators(Field(name)) for name, info in FIELDS.items())


# --- simple filters ---


class Word(StrEnum):
    TEAM = "team"


@pytest.mark.parametrize(
    ("filters", "expr"),
    [
        ({}, None),
        ({"name": None}, None),
        ({"tags": {}}, None),
        ({"name": "fraud"}, Compare(NAME, "=", "fraud")),
        ({"stage": ModelStage.PRODUCTION}, LIVE),
        ({"stage": "Production"}, LIVE),
        ({"stage": ["testing", ModelStage.STAGING]}, In(STAGE, ("testing", "staging"))),
        ({"number": (1, 2)}, In(Field("number"), (1, 2))),
        ({"tags": {"team": "risk"}}, Compare(Field("tags", ("team",)), "=", "risk")),
        ({"tags": {Word.TEAM: "risk"}}, Compare(Field("tags", ("team",)), "=", "risk")),
        ({"params": {"a.b": 1}}, Compare(Field("params", ("a.b",)), "=", 1)),
        ({"checks": {"ok": True}}, Compare(Field("checks", ("ok",)), "=", True)),
        ({"created": datetime(2026, 3, 8, 12)}, Compare(CREATED, "=", NOW)),  # noqa: DTZ001
        ({"created": NOW}, Compare(CREATED, "=", NOW)),
        ({"name": "fraud", "stage": "production"}, And((Compare(NAME, "=", "fraud"), LIVE))),
    ],
)
def test_simple_filters_become_an_expression(filters: dict[str, Any], expr: Expr | None) -> None:
    assert from_filters(**filters) == expr


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"nmae": "x"}, "Did you mean 'name'"),
        ({"token_hash": "x"}, "unknown field"),
        ({"tags": "x"}, "tags needs a name"),
        ({"name": {"x": 1}}, "has no parts"),
        ({"number": "x"}, "number is a number"),
        ({"number": [1, "x"]}, "number is a number"),
        ({"stage": []}, "at least one value"),
        ({"name": b"x"}, "takes no bytes"),
        ({"tags": {"x": None}}, "takes no NoneType"),
        ({"params": {"x": {"y": 1}}}, "takes no dict"),
        ({"params": {"x": NOW}}, "no times"),
        ({"tags": {"x": NOW}}, "found the time 2026"),
        ({"created": "2026-03-01"}, "created is a time"),
        ({"metrics": {"x": float("nan")}}, "finite"),
        ({"stage": 3}, "stage is one of"),
    ],
)
def test_filters_of_another_name_or_type_are_refused(filters: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidQuery, match=message):
        from_filters(**filters)


def test_conditions_are_joined_without_empty_shells() -> None:
    assert and_() is None
    assert and_(None, None) is None
    assert and_(None, A) == A
    assert and_(A, None, B) == And((A, B))


@pytest.mark.parametrize("limit", [1, 50, 1000])
def test_A49_page_sizes_from_1_to_1000_are_accepted(limit: int) -> None:
    assert check_limit(limit) == limit


@pytest.mark.parametrize(
    "limit",
    [0, -1, 1001, 10**30, 1.0, "10", None, True, float("nan"), pytest.param(-(10**5000), id="5000 digits")],
)
def test_A49_other_page_sizes_are_refused(limit: Any) -> None:
    with pytest.raises(InvalidInput, match="limit: expected"):
        check_limit(limit)


@pytest.mark.parametrize(
    "text", ["tags.team", "metrics.accuracy", "stage = production attributes.a.b", "not params.x"]
)
def test_a_field_alone_is_asked_back(text: str) -> None:
    with pytest.raises(InvalidQuery, match=r"did you mean '[a-z.]+ exists'\?"):
        where(text)
    assert where(f"{text} exists") is not None


@pytest.mark.parametrize("text", ["model.bin", "tags.", "'tags.team'", "stage.x", "v1.0"])
def test_words_with_dots_that_name_no_field_are_words(text: str) -> None:
    assert where(text) == Text(text.strip("'"))
