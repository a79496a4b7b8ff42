"""What is accepted as a link, and what other facts say about where a version came from."""

import pytest

from modelyard.domain import lineage
from modelyard.domain.errors import InvalidInput
from modelyard.domain.records import LineageEdge


def edge(kind: str, target: str, **details: object) -> LineageEdge:
    return LineageEdge(kind=kind, target=target, details=details)


@pytest.mark.parametrize("kind", ["fine_tuned_from", "fine-tuned-from", " fine_tuned_from "])
def test_a_kind_is_spelled_with_underscores_or_dashes(kind: str) -> None:
    assert lineage.check_kind(kind) == "fine_tuned_from"


@pytest.mark.parametrize(
    ("kind", "says"),
    [("quantized_from", "Did you mean 'quantised_from'"), ("", "expected one of"), (7, "7"), (None, "None")],
)
def test_a_kind_out_of_the_list_is_refused_with_the_nearest(kind: object, says: str) -> None:
    with pytest.raises(InvalidInput, match="lineage kind") as caught:
        lineage.check_kind(kind)
    assert says in caught.value.detail


def test_only_things_from_outside_are_sources() -> None:
    assert lineage.SOURCES == ("base_model", "dataset", "feature_store", "code", "run")
    assert lineage.check_source("base-model") == "base_model"


@pytest.mark.parametrize("kind", ["parent", "used_by", "datasets", 3])
def test_what_is_no_source_cannot_be_withdrawn_as_one(kind: object) -> None:
    with pytest.raises(InvalidInput, match="expected one of version, base_model"):
        lineage.check_source(kind)


def test_a_link_leads_to_a_version_a_deployment_or_what_its_kind_says() -> None:
    assert [lineage.thing(kind) for kind in ("parent", "used_by", "dataset", "of_the_future")] == [
        "version",
        "deployment",
        "dataset",
        "of_the_future",
    ]


def test_a_link_is_kept_trimmed_with_plain_details() -> None:
    kept = lineage.check_edge("dataset", " s3://data ", {"rows": 10, "split": ("a", "b")})
    assert kept == edge("dataset", "s3://data", rows=10, split=["a", "b"])
    assert lineage.check_edge("dataset", "x", None).details == {}


@pytest.mark.parametrize(
    ("target", "details", "says"),
    [
        ("", None, "empty text"),
        ("  ", None, "empty text"),
        (7, None, "expected text"),
        ("x" * 2_001, None, "at most 2000"),
        ("a\x00b", None, "NUL"),
        ("x", "text", "mapping with text keys"),
        ("x", {1: 2}, "mapping with text keys"),
        ("x", {"a": object()}, "JSON values only"),
        ("x", {"a": "b" * 10_000}, "at most 10000 bytes"),
    ],
)
def test_a_malformed_link_is_refused_by_name(target: object, details: object, says: str) -> None:
    with pytest.raises(InvalidInput, match="lineage dataset") as caught:
        lineage.check_edge("dataset", target, details)
    assert says in caught.value.detail


def test_numbers_in_details_that_json_lacks_are_texts() -> None:
    assert lineage.check_edge("dataset", "x", {"a": float("nan")}).details == {"a": "NaN"}


def test_a_list_of_links_has_none_twice_and_one_parent() -> None:
    lineage.check_edges([edge("parent", "a"), edge("dataset", "a"), edge("code", "a")])
    with pytest.raises(InvalidInput, match="dataset 'a' is given twice"):
        lineage.check_edges([edge("dataset", "a"), edge("dataset", "a", rows=1)])
    with pytest.raises(InvalidInput, match="two parents"):
        lineage.check_edges([edge("parent", "a"), edge("parent", "b")])
    with pytest.raises(InvalidInput, match="at most 1000"):
        lineage.check_edges([edge("dataset", str(number)) for number in range(1_001)])


def test_well_known_facts_about_data_become_links() -> None:
    told = {
        "dataset": "cards",
        "Training_Data": [" a.csv ", "b.csv", 7, "", "a.csv"],
        "feature_store_commit": "fs-1",
        "git_commit": "abc",
        "run_id": "r1",
        "base_model": "bert",
        "rows": 10,
        "training_date": "2024-01-15",
        "commit": None,
    }
    found = lineage.implied(told, {})
    assert [(e.kind, e.target) for e in found] == [
        ("dataset", "cards"),
        ("dataset", "a.csv"),
        ("dataset", "b.csv"),
        ("feature_store", "fs-1"),
        ("code", "abc"),
        ("run", "r1"),
        ("base_model", "bert"),
    ]
    assert found[1].details == {"data_lineage": "Training_Data"}


def test_every_key_that_implies_a_link_implies_a_known_kind() -> None:
    assert set(lineage.KEYS) == set(lineage.SOURCES)


@pytest.mark.parametrize(
    ("git", "expected"),
    [
        (
            {"commit": "c0ffee", "branch": "main", "dirty": False, "remote": None},
            [edge("code", "c0ffee", branch="main", dirty=False)],
        ),
        ({"commit": None, "branch": "main", "dirty": True}, []),
        ({"unknown": "git did not answer"}, []),
        ("c0ffee", []),
        (None, []),
    ],
)
def test_the_commit_of_the_work_tree_is_a_link(git: object, expected: list[LineageEdge]) -> None:
    assert list(lineage.implied({}, {"git": git})) == expected


def test_what_is_given_comes_before_what_follows_from_facts_and_once() -> None:
    given = [edge("dataset", "a", rows=1)]
    assert lineage.joined(given, [edge("dataset", "a"), edge("code", "c")]) == (*given, edge("code", "c"))
    assert len(lineage.joined(given, [edge("run", str(n)) for n in range(2_000)])) == lineage.MOST


def test_a_link_is_named_by_kind_and_target() -> None:
    edges = [edge("dataset", "a b", rows=1), edge("parent", "p")]
    assert lineage.details_in(edges, "dataset a b") == {"rows": 1}
    assert lineage.details_in(edges, "dataset b") is None
    assert (lineage.parent_of(edges), lineage.parent_of(edges[:1])) == ("p", None)
