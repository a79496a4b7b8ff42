"""The holes that an attacker with some rights would look for first."""

from __future__ import annotations

import pytest

from modelyard.domain.errors import (
    BlobNotFound,
    InvalidInput,
    InvalidQuery,
    InvalidRef,
    ModelNotFound,
    NotAllowed,
    NotFound,
    NotSupported,
    PermissionDenied,
    VersionNotFound,
)
from modelyard.domain.permissions import OWNER, Action, Grant
from modelyard.domain.records import FileEntry, LineageEdge, ModelStage
from modelyard.edge import guard
from modelyard.ports import service as ask
from modelyard.wire.codec import encode
from modelyard.wire.operations import BY_NAME, TABLE

from .room import SECRET, SHARED, digest, empty, guarded, principal, register, two_teams
from .test_matrix import WHOLE, call

OURS = "admin on ours/*"
WORDS = ("theirs", "secret", "takeover")
STAGING, PRODUCTION = ModelStage.STAGING, ModelStage.PRODUCTION


@pytest.fixture
def service():
    service = two_teams()
    yield service
    service.close()


# --- what an answer tells --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_no_answer_about_our_models_speaks_of_theirs(service, row):
    """Whoever may do everything with ours, and nothing with theirs, never reads a word of them."""
    if row.name in WHOLE:
        return
    found = guarded(service, OURS).call(row, call(row.name, service)) if row.name not in FAILING else ""
    assert not any(word in repr(encode(found)) for word in WORDS)


FAILING = {
    *("delete", "undelete", "unlink", "stop_experiment", "promote_winner", "record_outcomes"),
    *("count_exposures", "get_experiment", "judge_experiment", "roll_back"),
}
"""Calls that the two teams' registry is not made for; the next test asks them too."""


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
@pytest.mark.parametrize("pattern", ["theirs/secret", "theirs/nothing"])
def test_what_is_hidden_is_answered_like_what_is_not_there(service, row, pattern):
    """Same class, same words but for the name that was asked for, same trace in the history."""
    if row.name in WHOLE or row.name in ("search", "list_models", "list_experiments"):
        return
    told = []
    for name in (pattern, "theirs/nobody"):
        with pytest.raises(NotFound) as caught:
            guarded(service, OURS).call(row, call(row.name, service, name))
        told.append((type(caught.value), caught.value.detail.replace(name, "?"), caught.value.data))
    assert told[0] == told[1]
    events = [e.after for e in service.history(ask.History(ref="")).items if e.action == "call.denied"]
    assert len(events) == 2
    assert str(events[0]).replace("theirs/nobody", "?") == str(events[1]).replace(pattern, "?")


@pytest.mark.parametrize(
    "ref", ["{id}", "sha256:{digest}", "theirs/secret@champion", "models:/theirs/secret/1"]
)
def test_no_way_of_writing_a_reference_leads_around(service, ref):
    theirs = service.get_version("theirs/secret#1")
    ref = ref.format(id=theirs.model_id, digest=theirs.digest.removeprefix("sha256:"))
    for what in ("get_version", "lineage"):
        with pytest.raises(VersionNotFound) as caught:
            guarded(service, OURS).call(BY_NAME[what], {"ref": ref})
        assert ref.startswith(("theirs", "models")) or "theirs" not in str(caught.value)


def test_a_model_that_is_not_there_is_not_compared_with_those_that_are(service):
    """Whoever sees everything is told of near names; who does not would learn of others' models."""
    with pytest.raises(ModelNotFound, match="Did you mean 'theirs/secret'"):
        guarded(service, "reader").get_model("theirs/secrets")
    with pytest.raises(ModelNotFound) as caught:
        guarded(service, "reader on *s/secret*").get_model("theirs/secrets")
    assert "Did you mean" not in caught.value.detail


def test_a_malformed_reference_is_told_since_that_says_nothing(service):
    with pytest.raises(InvalidRef):
        guarded(service, OURS).get_version("a b : c")


def test_a_slug_is_no_way_to_another_grant(service):
    """A grant is about names as stored; a slug of theirs that looks like one of ours does not match it."""
    register(service, "Ours Secret")
    slug = service.get_model("Ours Secret").slug
    assert guarded(service, "reader on ours secret").get_model(slug).name == "Ours Secret"
    with pytest.raises(ModelNotFound):
        guarded(service, f"reader on {slug}").get_model(slug)
    with pytest.raises(ModelNotFound):
        guarded(service, f"writer on {slug}").create_version(ask.CreateVersion(name=slug))


# --- searching -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grant", ["reader on ours/*", "reader on ours/fraud"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "takeover",
        "tags.plan = takeover",
        "not tags.plan exists",
        'name = "theirs/secret" or stage = production',
        "metrics.accuracy > 0.9",
        "order by metrics.accuracy desc",
    ],
)
def test_a_search_finds_ours_and_tells_nothing_of_theirs(service, grant, text):
    """The pages, their lengths and their cursors are those of a registry that never had the others."""
    alone = empty()
    for number in (1, 2, 3):
        ours = service.get_version(f"ours/fraud#{number}")
        register(alone, "ours/fraud", metrics=dict(ours.performance_metrics))
    alone.promote(ask.Promote(ref="ours/fraud#1", target=PRODUCTION))
    one = guarded(service, grant)
    for limit in (1, 2, 3):
        cursor = other = None
        while True:
            request = ask.Search(text=text, limit=limit, after=cursor)
            page = one.search(request)
            expected = alone.search(ask.Search(text=text, limit=limit, after=other))
            assert [v.number for v in page.items] == [v.number for v in expected.items]
            assert all(v.name == "ours/fraud" for v in page.items)
            assert (page.next is None) == (expected.next is None)
            if (cursor := page.next) is None:
                break
            other = expected.next
    alone.close()


def test_no_query_breaks_out_of_the_models_that_may_be_seen(service):
    for text in (
        "a) or (name exists",
        "name exists) or (",
        '" or name exists',
        "order by name) or (name exists",
    ):
        with pytest.raises(InvalidQuery) as caught:
            guarded(service, OURS).search(ask.Search(text=text))
        with pytest.raises(InvalidQuery) as plain:
            service.search(ask.Search(text=text))
        assert (caught.value.detail, caught.value.position) == (plain.value.detail, plain.value.position)


def test_a_search_in_one_model_finds_nothing_where_nothing_may_be_seen(service):
    one = guarded(service, OURS)
    assert len(one.search(ask.Search(model="ours/fraud")).items) == 3
    for name in ("theirs/secret", "nothing"):
        assert one.search(ask.Search(model=name)) == one.search(ask.Search(text="zebra"))


def test_a_reader_of_more_models_than_can_be_named_finds_the_same(service, monkeypatch):
    for number in range(5):
        register(service, f"ours/{number}")
        register(service, f"theirs/{number}")
    one = guarded(service, OURS)
    named = one.search(ask.Search(text="order by name", limit=100)).items
    monkeypatch.setattr(guard, "NAMED", 2)
    monkeypatch.setattr(guard, "BATCH", 3)
    for limit in (1, 2, 7, 8, 9):
        found, cursor = [], None
        while True:
            page = one.search(ask.Search(text="order by name", limit=limit, after=cursor))
            found += page.items
            assert len(page.items) == limit or page.next is None
            if (cursor := page.next) is None:
                break
        assert found == list(named)
    assert len(named) == 8


def test_models_are_listed_page_by_page_without_the_others(service, monkeypatch):
    monkeypatch.setattr(guard, "BATCH", 2)
    for number in range(4):
        register(service, f"ours/{number}")
        register(service, f"a/{number}")
        register(service, f"z/{number}")
    one = guarded(service, OURS)
    found, cursor = [], None
    while True:
        page = one.list_models("", 2, cursor)
        found += [model.name for model in page.items]
        if (cursor := page.next) is None:
            break
    assert found == ["ours/0", "ours/1", "ours/2", "ours/3", "ours/fraud"]
    assert one.list_models(contains="theirs").items == ()


@pytest.mark.parametrize("limit", [0, -1, 1001, 10**30])
def test_page_sizes_are_checked_for_those_who_see_less_too(service, limit):
    one = guarded(service, OURS)
    with pytest.raises(InvalidInput):
        one.search(ask.Search(limit=limit))
    with pytest.raises(InvalidInput):
        one.list_models("", limit)


# --- lineage ---------------------------------------------------------------------------------------------------------


def test_a_graph_ends_where_the_readers_sight_ends(service):
    whole = guarded(service, "reader").lineage_graph(ask.Trace(ref="ours/fraud#1"))
    ours = guarded(service, OURS).lineage_graph(ask.Trace(ref="ours/fraud#1"))
    assert {node.name for node in whole.nodes} == {"ours/fraud", "theirs/secret", ""}
    assert {node.label for node in ours.nodes} == {"ours/fraud:0.1.0", "s3://shared"}
    assert (whole.complete, ours.complete) == (True, False)
    assert {thing for edge in ours.edges for thing in (edge.source, edge.target)} <= {
        n.thing for n in ours.nodes
    }


def test_what_a_version_affects_is_told_without_the_names_of_others(service):
    """Ours came of theirs, which came of ours: the far end is told, the middle is not named."""
    whole = guarded(service, "reader").affected("ours/fraud#1")
    ours = guarded(service, OURS).affected("ours/fraud#1")
    assert {item.name for item in whole.items} > {item.name for item in ours.items}
    named = {item.name.partition(":")[0] for item in ours.items if item.kind != "experiment"}
    assert named == {"ours/fraud", "ours/fraud@champion"}
    far = next(item for item in ours.items if item.name.endswith("0.3.0") or len(item.path) == 3)
    assert far.path[1] == "(hidden)"
    assert not any(word in repr(encode(ours)) for word in WORDS)


def test_what_a_data_set_affects_is_for_who_may_read_everything(service):
    row = BY_NAME["affected"]
    with pytest.raises(PermissionDenied):
        guarded(service, OURS).call(row, {"target": "s3://shared", "kind": "dataset"})
    assert guarded(service, "reader").call(row, {"target": "s3://shared", "kind": "dataset"}).items


def test_a_data_set_is_withdrawn_by_who_may_write_everything_only(service):
    request = ask.Withdraw(target="s3://shared", kind="dataset", reason="wrong")
    with pytest.raises(PermissionDenied):
        guarded(service, OURS).withdraw(request)
    guarded(service, "writer").withdraw(request)
    with pytest.raises(PermissionDenied):
        guarded(service, "writer").reinstate(ask.Reinstate(target="s3://shared", kind="dataset"))
    guarded(service, "approver").reinstate(ask.Reinstate(target="s3://shared", kind="dataset"))


def test_a_circle_through_theirs_is_refused_without_naming_them(service):
    request = ask.Link(ref="ours/fraud#1", kind="merged_from", target="ours/fraud#3")
    with pytest.raises(NotAllowed, match="came from it") as caught:
        service.link(request)
    assert "theirs/secret" in str(caught.value)
    with pytest.raises(NotAllowed, match="came from it") as caught:
        guarded(service, OURS).link(request)
    assert not any(word in str(caught.value) + repr(caught.value.data) for word in WORDS)
    with pytest.raises(NotAllowed) as caught:
        guarded(service, "reader", OURS).link(request)
    assert "theirs/secret" in str(caught.value)


def test_a_model_that_is_still_to_come_is_not_there_and_no_refusal(service):
    """Whoever registers the first version of a model asks for the model first; that is nobody's secret."""
    with pytest.raises(ModelNotFound):
        guarded(service, OURS).get_model("ours/new")
    with pytest.raises(VersionNotFound):
        guarded(service, OURS).get_version("ours/new#1")
    assert not [e for e in service.history(ask.History(ref="")).items if e.action == "call.denied"]


# --- naming what belongs to others -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        ask.CreateVersion(name="ours/new", parent="theirs/secret#1"),
        ask.CreateVersion(name="ours/new", lineage=(LineageEdge(kind="parent", target=" theirs/secret#1 "),)),
        ask.CreateVersion(
            name="ours/new", lineage=(LineageEdge(kind="merged_from", target="theirs/secret"),)
        ),
        ask.Link(ref="ours/fraud#1", kind="derived_from", target="theirs/secret#1"),
        ask.Unlink(ref="ours/fraud#1", kind="merged_from", target="theirs/secret#1"),
        ask.SetAlias(model="ours/fraud", alias="x", ref="theirs/secret#1"),
        ask.SetAlias(model="ours/fraud", alias="x", ref="#1", expected="theirs/secret#1"),
        ask.Promote(ref="ours/fraud#1", target=STAGING, expected="theirs/secret#1"),
        ask.RollBack(ref="ours/fraud", target="theirs/secret#1"),
        ask.BeginExperiment(model="ours/fraud", variants={"A": "#1", "B": "theirs/secret#1"}),
    ],
    ids=lambda request: type(request).__name__,
)
def test_A17_a_version_of_theirs_is_not_there_in_any_field(service, request_):
    name = {"CreateVersion": "create_version", "SetAlias": "set_alias", "RollBack": "roll_back"}.get(
        type(request_).__name__, type(request_).__name__.lower()
    )
    name = {"beginexperiment": "begin_experiment"}.get(name, name)
    before = service.export()
    with pytest.raises((NotFound, InvalidInput)) as caught:
        guarded(service, OURS).call(BY_NAME[name], {"request": request_})
    if isinstance(caught.value, NotFound):
        assert "may see" in caught.value.detail
    else:
        assert "kind" in caught.value.detail
    assert service.export() == before


def test_a_comparison_needs_both_sides(service):
    row = BY_NAME["compare"]
    for given in (
        {"a": "ours/fraud#1", "b": "theirs/secret#1"},
        {"a": "theirs/secret#1", "b": "ours/fraud#1"},
    ):
        with pytest.raises(VersionNotFound):
            guarded(service, OURS).call(row, given)


# --- doing more than one may -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (ask.CreateVersion(name="ours/fraud", stage=STAGING), "create_version"),
        (ask.CreateVersion(name="ours/new", stage=PRODUCTION), "create_version"),
        (ask.CreateVersion(name="ours/fraud", alias="champion"), "create_version"),
        (ask.RecordCheck(ref="ours/fraud#2", check="validation", passed=True), "record_check"),
        (ask.RecordCheck(ref="ours/fraud#2", check=" Validation", passed=True), "record_check"),
        (ask.Annotate(ref="ours/fraud", description="x", whole_model=True), "annotate"),
        (ask.Annotate(ref="ours/fraud#1", legal_hold="x"), "annotate"),
        (ask.Annotate(ref="ours/fraud#1", legal_hold=""), "annotate"),
        (ask.Delete(ref="ours/fraud#1", force=True, reason="x"), "delete"),
        (ask.Reinstate(target="ours/fraud#1"), "reinstate"),
    ],
)
def test_a_writer_decides_nothing(service, request_, name):
    before = service.export()
    with pytest.raises(PermissionDenied):
        guarded(service, "writer on ours/*").call(BY_NAME[name], {"request": request_})
    assert service.export() == before


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (ask.SetAlias(model="ours/fraud", alias="champion", ref="#2", force=True, reason="x"), "set_alias"),
        (ask.DeleteAlias(model="ours/fraud", alias="champion", force=True, reason="x"), "delete_alias"),
        (ask.Promote(ref="ours/fraud#2", target=STAGING, force=True, reason="x"), "promote"),
        (ask.ProtectAlias(model="ours/fraud", alias="champion", protected=False), "protect_alias"),
    ],
)
def test_an_approver_overrides_no_protection(service, request_, name):
    before = service.export()
    with pytest.raises(PermissionDenied):
        guarded(service, "approver on ours/*").call(BY_NAME[name], {"request": request_})
    assert service.export() == before


@pytest.mark.parametrize("target", [STAGING, ModelStage.ARCHIVED])
def test_whoever_may_promote_to_staging_takes_nothing_out_of_production(service, target):
    grant = Grant(role="approver", models="ours/*", stages=(STAGING, ModelStage.ARCHIVED))
    with pytest.raises(PermissionDenied):
        guarded(service, grant).promote(ask.Promote(ref="ours/fraud@production", target=target, reason="x"))
    guarded(service, grant).promote(ask.Promote(ref="ours/fraud#2", target=STAGING))


def test_whoever_may_promote_to_production_may_take_back(service):
    grant = Grant(role="approver", models="ours/*", stages=(PRODUCTION,))
    one = guarded(service, grant)
    one.promote(ask.Promote(ref="ours/fraud#2", target=PRODUCTION))
    assert one.roll_back(ask.RollBack(ref="ours/fraud", reason="x")).moved
    with pytest.raises(PermissionDenied):
        one.roll_back(ask.RollBack(ref="ours/fraud@champion"))


@pytest.mark.parametrize("granted", [(STAGING,), (PRODUCTION,)])
def test_a_grant_for_certain_stages_moves_no_alias(service, granted):
    one = guarded(service, Grant(role="approver", models="ours/*", stages=granted))
    for name, request in (
        ("set_alias", ask.SetAlias(model="ours/fraud", alias="champion", ref="#2")),
        ("delete_alias", ask.DeleteAlias(model="ours/fraud", alias="champion")),
        ("roll_back", ask.RollBack(ref="ours/fraud@champion")),
    ):
        with pytest.raises(PermissionDenied):
            one.call(BY_NAME[name], {"request": request})


def test_a_reader_may_see_what_a_promotion_would_say_and_moves_nothing(service):
    before = service.export()
    request = ask.Promote(ref="ours/fraud#2", target=PRODUCTION, dry_run=True)
    assert not guarded(service, "reader on ours/*").promote(request).moved
    assert service.export() == before


def test_the_registrys_own_history_is_for_auditors(service):
    whole = ask.History(ref="")
    for grant in ("reader", "writer", "approver", OURS, "auditor on ours/*"):
        with pytest.raises(PermissionDenied):
            guarded(service, grant).history(whole)
    assert guarded(service, "auditor").history(whole).items
    assert guarded(service, "auditor on ours/*").history(ask.History(ref="ours/fraud")).items


# --- bytes -----------------------------------------------------------------------------------------------------------


def a_file(data):
    return FileEntry(path="m.txt", size=len(data), digest=digest(data))


def test_A11_to_name_bytes_is_not_to_have_them(service):
    """Whoever knows the digest of others' bytes, from a log or a guess, cannot make a version over them and load it."""
    one = guarded(service, "writer on ours/*")
    for data in (SECRET, b"bytes that nobody has"):
        with pytest.raises(BlobNotFound, match="upload them first") as caught:
            one.create_version(ask.CreateVersion(name="ours/stolen", files=(a_file(data),)))
        assert caught.value.data == {"digest": digest(data)}
        with pytest.raises(BlobNotFound, match="upload them first"):
            one.create_versions(
                batch({"name": "ours/first"}, {"name": "ours/stolen", "files": (a_file(data),)})
            )
    one.put_blob([SECRET], digest=digest(SECRET))
    one.create_version(ask.CreateVersion(name="ours/sent", files=(a_file(SECRET),)))


def test_A11_bytes_of_a_version_that_one_may_load_can_be_used_again(service):
    one = guarded(service, "writer on ours/*")
    one.create_version(ask.CreateVersion(name="ours/again", files=(a_file(SHARED),)))
    assert guarded(service, "writer on ours/*, only write").lacking([digest(SHARED)]) == [digest(SHARED)]


def test_A11_what_others_keep_is_lacking(service):
    asked = [digest(data) for data in (SHARED, SECRET, b"second", b"nobody has these")]
    ours = guarded(service, "writer on ours/*")
    assert ours.lacking(asked) == [asked[1], asked[3]]
    assert guarded(service, "writer").lacking(asked) == [asked[3]]
    ours.put_blob([SECRET])
    assert ours.lacking(asked) == [asked[3]]
    assert ours.has_blob(asked[1])
    assert guarded(service, "writer on ours/*", name="bob").lacking(asked) == [asked[1], asked[3]]


def test_A11_bytes_are_read_by_who_may_download_from_a_version_that_has_them(service):
    ours = guarded(service, "reader on ours/*")
    assert b"".join(ours.open_blob(digest(SHARED))) == SHARED
    for data in (SECRET, b"nobody has these"):
        assert ours.find_blob(digest(data)) is None
        with pytest.raises(BlobNotFound):
            ours.open_blob(digest(data))
    metadata_only = guarded(service, "reader on ours/*, only read")
    assert metadata_only.get_version("ours/fraud#1").name == "ours/fraud"
    with pytest.raises(BlobNotFound):
        metadata_only.open_blob(digest(SHARED))


def test_bytes_are_stored_by_who_may_write_something(service):
    for grant in ("reader", "auditor", "approver"):
        with pytest.raises(PermissionDenied):
            guarded(service, grant).put_blob([b"x"])
        with pytest.raises(PermissionDenied):
            guarded(service, grant).lacking([])
    assert service.find_blob(digest(b"x")) is None


def test_what_is_no_question_for_the_network_cannot_be_asked(service):
    one = guarded(service, "admin")
    for name in (
        "close",
        "as_actor",
        "materialise",
        "location",
        "verified",
        "models_with",
        "store",
        "put_file",
    ):
        with pytest.raises(NotSupported):
            getattr(one, name)
    with pytest.raises(NotSupported):
        one.access.first_token()
    assert one.actor.name == "ann"


# --- batches ---------------------------------------------------------------------------------------------------------


def batch(*entries):
    return ask.CreateVersions(versions=tuple(ask.CreateVersion(**entry) for entry in entries))


FIRST = {"name": "ours/new", "version": "1.0.0"}


@pytest.mark.parametrize(
    "facts",
    [
        {"parent": "ours/new:1.0.0"},
        {"parent": "Ours/NEW"},
        {"parent": "models:/ours/new/1"},
        {"lineage": (LineageEdge(kind="merged_from", target="ours/new@latest"),)},
    ],
    ids=str,
)
def test_an_entry_may_build_on_one_before_it(service, facts):
    one = guarded(service, "writer on ours/*")
    first, second = one.create_versions(batch(FIRST, {"name": "ours/next", **facts}))
    assert service.get_version(second.model_id).lineage[0].target == first.model_id


@pytest.mark.parametrize(
    "parent", ["theirs/secret", "theirs/secret#1", "{id}", "{digest}", "theirs/nobody", "ours/later", "::"]
)
def test_a_batch_shows_no_version_that_it_does_not_make(service, parent):
    """Whatever its entries are called: what was there and may not be read is as far away as before."""
    theirs = service.get_version("theirs/secret#1")
    entry = {"name": "ours/next", "parent": parent.format(id=theirs.model_id, digest=theirs.digest)}
    told = []
    for given in ([entry], [FIRST, entry], [FIRST, entry, {"name": "ours/later"}]):
        with pytest.raises((NotFound, InvalidRef)) as caught:
            guarded(service, "writer on ours/*").create_versions(batch(*given))
        told.append(caught.value.detail)
    assert len(set(told)) == 1


def test_who_may_write_but_not_read_cannot_build_on_its_own_batch(service):
    blind = guarded(service, "writer on ours/*, only write")
    for name in ("ours/new", "ours/fraud"):
        first = {"name": name, "version": "7.0.0"}
        with pytest.raises(PermissionDenied, match="may not read"):
            blind.create_versions(batch(first, {"name": "ours/next", "parent": f"{name}:7.0.0"}))


def test_a_slug_is_no_way_around(service):
    """A new model may be called like the slug of a hidden one; a batch cannot reach that one so."""
    register(service, "deep two")
    slug = service.get_model("deep two").slug
    one = guarded(service, f"writer on {slug}")
    with pytest.raises(ModelNotFound):
        one.create_versions(batch({"name": slug}, {"name": slug, "parent": f"{slug}#1"}))


# --- giving away -----------------------------------------------------------------------------------------------------


def test_A20_an_administrator_gives_what_it_has_and_no_more(service):
    keeper = guarded(service, "admin, only administer and read")
    made = keeper.create_token(
        ask.CreateToken(name="n", grants=(Grant(role="reader", actions=(Action.READ,)),))
    )
    assert made.token.owner.name == "ann"
    for grant in (*OWNER, Grant(role="reader"), Grant(role="writer", models="ours/*")):
        with pytest.raises(PermissionDenied, match="does not have"):
            keeper.create_token(ask.CreateToken(name="n", grants=(grant,)))
    assert len(service.list_tokens().items) == 1
    assert principal("admin").grants == OWNER
