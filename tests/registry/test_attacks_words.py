"""Hostile names, filters and numbers, and attempts at what the rules forbid."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from modelyard import (
    AlreadyExists,
    Conflict,
    InvalidInput,
    InvalidName,
    InvalidQuery,
    ModelyardError,
    Protected,
)
from modelyard.ports.service import History, Search

from .rounds import refused
from .test_invariants import sql

INJECTIONS = [
    "' OR '1'='1",
    "'; DROP TABLE versions; --",
    '" OR ""="',
    "1) UNION SELECT doc FROM models --",
    "\\'; DELETE FROM events; --",
    "%' OR 1=1 --",
    "`; DROP TABLE models",
    "x' AND randomblob(1000000000)",
    "*) OR (search MATCH '*",
    '"fraud" NEAR',
    "NULL",
    "_",
    "%",
]


def refusal(call: Callable[[], object]) -> str:
    """What a call says when it is refused; nothing if it is not."""
    try:
        call()
    except ModelyardError as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("text", INJECTIONS)
def test_A45_text_stays_text_wherever_it_is_put(registry, folder, text):
    registry.register_model(None, "fraud", tags={"team": text}, description=text)
    registry.register_model(None, "other")
    assert [v.name for v in registry.list_models(tags={"team": text})] == ["fraud"]
    assert registry.list_models(framework=text) == []
    assert registry.list_models(name=text) == []
    for call in (
        lambda: registry.search_models(text),
        lambda: registry.search_models(f"name = fraud order by {text}"),
        lambda: registry.list_models(where=text),
        lambda: registry.list_names(text),
        lambda: registry.get_model(text),
        lambda: registry._service.search(Search(after=text)),
        lambda: registry._service.history(History(ref="fraud", after=text)),
        lambda: registry.register_model(None, text),
        lambda: registry.register_model(None, "fraud", version=text),
        lambda: registry.set_alias("fraud", text, "#1"),
    ):
        said = refusal(call).lower()
        assert "sqlite" not in said
        assert "syntax error" not in said
    tables = {row[0] for row in sql(folder, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"models", "versions", "events"} <= tables
    assert registry.get_model("fraud#1").tags == {"team": text}
    assert registry.verify_audit().ok


@pytest.mark.parametrize(
    "query",
    [
        "token_hash = 'a'",
        "password ~ 'a'",
        "created_by.token = 'x'",
        "doc ~ 'a'",
        "row_digest exists",
        "rowid > 0",
    ],
)
def test_A46_only_known_fields_can_be_asked_about_or_sorted_by(registry, query):
    registry.register_model(None, "fraud")
    with refused(registry, InvalidQuery):
        registry.search_models(query)
    with refused(registry, InvalidQuery):
        registry.search_models(f"order by {query.split()[0]}")


@pytest.mark.parametrize(
    "query",
    [
        "(a+)+$",
        "description ~ '" + "a" * 50_000 + "'",
        "description ~ '" + "%a" * 2000 + "'",
        "(" * 3000 + "a" + ")" * 3000,
        "not " * 3000 + "a",
        " or ".join(["tags.a = b"] * 3000),
        "a " * 5000,
        "'" * 9999,
    ],
    ids=["catastrophe", "long", "wildcards", "brackets", "nots", "ors", "words", "quotes"],
)
def test_A47_no_query_takes_long(registry, query):
    for _ in range(5):
        registry.register_model(None, "fraud", description="a" * 60_000)
    begin = time.process_time()
    with suppress(InvalidQuery):
        registry.search_models(query)
    assert time.process_time() - begin < 10  # under one on a machine that does nothing else


@pytest.mark.parametrize("limit", [0, -1, 10**30])
def test_A49_a_list_has_a_limit_of_one_or_more(registry, limit):
    registry.register_model(None, "fraud")
    if limit > 0:
        assert len(registry.list_models(limit=limit)) == 1
        return
    with refused(registry, InvalidInput):
        registry.list_models(limit=limit)
    with refused(registry, InvalidInput):
        registry.search_models("fraud", limit=limit)


def test_A49_a_list_that_was_cut_off_says_so(registry):
    for _ in range(3):
        registry.register_model(None, "fraud")
    assert registry.list_models(limit=2).more is True
    assert registry.list_models(limit=3).more is False
    assert registry.list_models().more is False


NAMES = [
    *(
        "nul\0",
        "right\u202eleft",
        "zero\u200bwidth",
        "new\nline",
        "tab\t",
        "esc\x1b[2J",
        " a",
        "a ",
        "a.",
        ".a",
        "",
        "a/b/c",
    ),
    *(
        "x" * 10_000_000,
        "\ud800",
        "a\u2028b",
        "<script>",
        "a\\b",
        "a:b",
        "a@b",
        "a#b",
        "a%b",
        "a?b",
        "a*b",
        "a|b",
        "a$b",
    ),
    *("/a", "a/", "\u00ad", "\ufeffa", "a\u0085b", "01j9zzzzzzzzzzzzzzzzzzzzzz", "%2e%2e%2f"),
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:24])
def test_A50_what_is_unsafe_somewhere_is_no_name(registry, name):
    with refused(registry, InvalidName) as caught:
        registry.register_model(None, name)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "pair", [("Fraud", "fraud"), ("é", "e\u0301"), ("fraud", "ｆｒａｕｄ"), ("ﬁn", "fin")], ids=ascii
)
def test_A50_names_that_look_the_same_to_a_machine_collide(registry, pair):
    registry.register_model(None, pair[0])
    with suppress(AlreadyExists, InvalidName):  # two spellings with one canonical form are one name
        registry.register_model(None, pair[1])
    assert len(registry.list_names()) == 1


def test_A50_names_that_only_look_the_same_to_people_get_slugs_that_do_not(registry):
    for name in ("paypal", "p\u0430ypal"):
        registry.register_model(None, name)
    slugs = [model.slug for model in registry.iterate_models()]
    assert len(set(slugs)) == 2
    assert all(slug.isascii() for slug in slugs)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET doc = replace(doc, 'version.registered', 'version.promoted') WHERE sequence = 2",
        "DELETE FROM events WHERE sequence = 2",
        "DELETE FROM events WHERE sequence >= 3",
        "UPDATE events SET sequence = 90 WHERE sequence = 2",
        "UPDATE events SET row_digest = zeroblob(32) WHERE sequence = 2",
        "DELETE FROM events",
        "INSERT INTO events SELECT 99, model_key, 9, at, subjects, doc, row_digest FROM events WHERE sequence = 2",
    ],
    ids=["edit", "delete", "cut", "renumber", "digest", "empty", "insert"],
)
def test_A65_a_history_changed_by_sql_does_not_verify(registry, folder, statement):
    for _ in range(4):
        registry.register_model(None, "fraud")
    assert registry.verify_audit().ok
    sql(folder, statement)
    proof = registry.verify_audit()
    assert not proof.ok
    assert proof.breaks[0]["model"] == "fraud"
    assert proof.breaks[0]["sequence"] in (1, 2, 3, 5)


def test_A67_an_edit_deletes_nothing_and_what_is_pointed_at_cannot_be_deleted(registry):
    registry.register_model(None, "fraud", stage="production", tags={"a": "b"})
    registry.register_model(None, "fraud", alias="champion")
    registry.tag("fraud#1", a=None)
    registry.describe("fraud#1", "")
    assert registry.get_model("fraud#1").stage == "production"
    for ref in ("fraud#1", "fraud#2", "fraud@production", "fraud@champion"):
        for options in ({}, {"force": True}):
            with refused(registry, Protected):
                registry.delete_model(ref, **options)


def test_A69_no_route_changes_the_bytes_of_a_version(registry, tmp_path):
    (tmp_path / "model.txt").write_bytes(b"first")
    model_id = registry.register_model(tmp_path / "model.txt", "fraud", version="1.0.0")
    before = registry.get_model(model_id)
    (tmp_path / "model.txt").write_bytes(b"second")
    with refused(registry, AlreadyExists, bytes_may_stay=True):
        registry.register_model(tmp_path / "model.txt", "fraud", version="1.0.0")
    with refused(registry, AlreadyExists, bytes_may_stay=True):
        registry.register_model(tmp_path / "model.txt", "fraud", version="v1.0.0")
    for forbidden in ({"files": ()}, {"digest": "sha256:x"}, {"version": "2"}, {"stage": "production"}):
        with refused(registry, TypeError):
            registry.annotate(model_id, **forbidden)
    registry.annotate(model_id, attributes={"digest": "sha256:x", "files": []}, tags={"digest": "x"})
    now = registry.get_model(model_id)
    assert (now.files, now.digest, now.content_digest) == (before.files, before.digest, before.content_digest)
    assert Path(now.artifact_path).read_bytes() == b"first"


def test_A69_the_source_file_is_copied_and_not_linked(registry, tmp_path):
    source = tmp_path / "model.txt"
    source.write_bytes(b"first")
    registry.register_model(source, "fraud")
    with source.open("r+b") as file:
        file.write(b"other")
    assert registry.fsck(deep=True).ok


def test_a_stale_revision_is_a_conflict_at_this_level_too(registry):
    registry.register_model(None, "fraud")
    registry.update_model_metrics("fraud", {"a": 1}, revision=1)
    with refused(registry, Conflict):
        registry.update_model_metrics("fraud", {"a": 2}, revision=1)
