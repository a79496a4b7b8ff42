"""Filters, names and texts that were made to reach the database, the terminal or the processor."""

from __future__ import annotations

import time

import pytest

from .serving import problem

SQL = [
    "' OR '1'='1",
    "'; DROP TABLE versions; --",
    "1; ATTACH DATABASE '/tmp/x' AS y",
    "name = 'x' UNION SELECT * FROM tokens",
    "name = 'a' OR 1=1",
    "name = (SELECT secret FROM tokens)",
    "name = 'a' --",
    "name = 'a' /* */",
    "randomblob(1000000000) = 1",
    "load_extension('x')",
    "name = 'a'; SELECT 1",
    "name LIKE '%' ESCAPE '\\'",
    "x' AND sleep(5) AND 'a'='a",
    "\x00",
    "name = 'a\x00b'",
    "order by (SELECT 1)",
    "order by name; --",
    "order by random()",
    "order by 1",
]
SECRET = [
    "token_hash",
    "secret",
    "password",
    "created_by.token",
    "tokens.secret",
    "hash",
    "row_digest",
    "record",
    "rowid",
    "*",
]


@pytest.mark.parametrize("text", SQL)
def test_a45_sql_in_a_filter_is_refused_or_words_to_look_for(server, text):
    answer = server.ask("search", params={"text": text})
    if answer.is_success:
        assert answer.json() == {"items": [], "next": None}
        return
    told = problem(answer)
    assert told["status"] == 400
    assert not {"sqlite", "sql:", "select * from"} & set(told["detail"].lower().split())


@pytest.mark.parametrize("text", SQL)
def test_a45_sql_in_every_other_text_is_a_text(server, text):
    before = server.http.get("/models/fraud").json()
    for answer in (
        server.ask("list_models", params={"contains": text}),
        server.ask("history", params={"ref": text}),
        server.ask("affected", params={"target": text, "kind": "dataset"}),
        server.ask("annotate", ref="fraud#1", json={"tags": {"note": text}}),
        server.ask("get_model", name=text),
        server.ask("set_alias", model="fraud", alias=text, json={"ref": "fraud#1"}),
    ):
        assert answer.status_code < 500, answer.text
        assert answer.is_success or problem(answer)
    after = server.http.get("/models/fraud").json()
    assert (after["last_number"], after["aliases"].keys()) == (
        before["last_number"],
        before["aliases"].keys(),
    )


def test_errors_of_a_filter_say_where_they_are(server):
    told = problem(server.ask("search", params={"text": "name = 'a' and colour = 'red'"}))
    assert (told["code"], told["data"]["position"]) == ("invalid_query", 15)


@pytest.mark.parametrize("field", SECRET)
def test_a46_what_is_no_field_is_refused_in_filter_and_order(server, field):
    for text in (f"{field} = 'a'", f"{field} > 'a'", f"{field} != ''", f"order by {field}"):
        assert problem(server.ask("search", params={"text": text}))["code"] == "invalid_query"


@pytest.mark.parametrize(
    "text",
    [
        "name ~ '(a+)+$'",
        "name like '" + "%a" * 500 + "%'",
        "name like '" + "%" * 10_000 + "'",
        "(" * 5000 + "name = 'a'" + ")" * 5000,
        "not " * 5000 + "name = 'a'",
        " and ".join(["name = 'a'"] * 1000),
        "name in (" + ", ".join(["'a'"] * 4000) + ")",
        "name = '" + "x" * 20_000 + "'",
        "metrics." + "a." * 5000 + "b > 1",
        "metrics.a > 1" + "0" * 5000,
        "metrics.a > 1e999",
    ],
    ids=lambda text: text[:20],
)
def test_a47_a_filter_that_costs_much_is_refused_or_quick(server, text):
    begun = time.monotonic()
    answer = server.ask("search", params={"text": text})
    assert time.monotonic() - begun < 20
    assert answer.status_code in (200, 400, 414, 431)


NAMES = [
    "a\x00b",
    "a\u202eb",
    "a\u200bb",
    "a\ufeffb",
    "a\nb",
    "a\rb",
    "a\tb",
    "\u0430dmin\u200d",
    "x" * 201,
    "x" * 5000,
    "../x",
    "a/../b",
    "a//b",
    "/a",
    "a/",
    "a\\b",
    " a",
    "a ",
    "a.",
    "<script>",
    "a|b",
    "a;b",
    "$(id)",
    "`id`",
    "a:b",
    "a#b",
    "a@b",
    "{{7*7}}",
    "{0.__class__}",
    "\x1b[31mred",
    "=cmd()",
    "-oProxyCommand",
    "%2e%2e",
    "a%b",
    "\ud7ff\U000f0000",
    "🙂",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a50_a_name_that_is_unsafe_somewhere_never_gets_in(server, name):
    answer = server.ask("create_version", name=name, json={})
    if name == "-oProxyCommand":
        assert answer.is_success
        return
    told = problem(answer)
    assert told["status"] in (400, 404)
    assert all(char.isprintable() or char == "\n" for char in told["detail"])


@pytest.mark.parametrize(
    ("first", "twin"), [("Zürich", "Zu\u0308rich"), ("Case", "cASE"), ("Full", "Ｆｕｌｌ")]
)
def test_a50_names_that_look_alike_are_one_model_or_refused(server, first, twin):
    assert server.ask("create_version", name=first, json={}).is_success
    answer = server.ask("create_version", name=twin, json={})
    assert answer.json()["name"] == first if answer.is_success else problem(answer)


@pytest.mark.parametrize(
    "text",
    ["{{7*7}}", "{0.__class__}", "$(id)", "; id", "%s%n", "${jndi:ldap://x}", "<img src=x onerror=a()>"],
)
def test_a55_text_that_looks_like_code_is_text(server, text):
    body = {"description": text, "tags": {"note": text}, "attributes": {"note": text}}
    made = server.ask("create_version", name="texts", json=body)
    assert made.status_code == 201, made.text
    found = server.ask("get_version", ref="texts").json()
    assert (found["description"], found["tags"]["note"], found["attributes"]["note"]) == (text, text, text)
    assert server.ask("get_version", ref="texts").headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "http://169.254.169.254/", "gopher://x", "ftp://x", "s3://b/../c"]
)
def test_a42_an_address_in_a_fact_is_a_name_and_is_never_opened(server, target):
    answer = server.ask("link", ref="fraud#1", json={"kind": "dataset", "target": target})
    assert answer.is_success or problem(answer)["status"] == 400


def test_a51_yaml_in_place_of_json_is_refused(server):
    body = "policy: !!python/object/apply:os.system ['id']"
    answer = server.http.put(
        "/models/fraud/policy", content=body, headers={"Content-Type": "application/yaml"}
    )
    assert problem(answer)["code"] == "unsupported_media_type"
    answer = server.http.put(
        "/models/fraud/policy", content=body, headers={"Content-Type": "application/json"}
    )
    assert problem(answer)["code"] == "invalid_input"


@pytest.mark.parametrize(
    "body",
    [
        {"counts": {"a": 2**63}},
        {"counts": {"a": -1}},
        {"counts": {"a": 10**300}},
        {"counts": {}},
    ],
    ids=str,
)
def test_numbers_beyond_what_is_stored_are_refused(server, body):
    answer = server.ask("count_exposures", experiment_id="x", writer="w", json=body)
    assert problem(answer)["status"] in (400, 404)


@pytest.mark.parametrize("days", [-1, 10**9, 10**300, "NaN", "Infinity", "x", None, True])
def test_a_time_that_no_calendar_has_is_refused(server, days):
    for operation, body in (("collect", {"grace_days": days}), ("retire", {"older_than_days": days})):
        if (operation, days) == ("retire", None):
            continue  # as the policy says
        answer = server.ask(operation, json={**body, "dry_run": True})
        if operation == "retire" and days in (10**9, 10**300):
            assert answer.json()["versions"] == []  # nothing is that old
        else:
            assert problem(answer)["status"] == 400


def test_a_bundle_whose_records_do_not_fit_is_the_callers_fault(server):
    stray = {"experiment_id": "x", "model": "m", "writer": "w", "counts": {"a": 1}}
    bundle = {"models": [], "versions": [], "events": [], "exposures": [stray]}
    for operation in ("check_import", "import_"):
        told = problem(server.ask(operation, json={"bundle": bundle}))
        assert (told["status"], told["code"]) == (422, "integrity")
