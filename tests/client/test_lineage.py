"""Links as callers write them."""

import pytest

from modelyard.client.lineage import edges
from modelyard.domain.errors import InvalidInput
from modelyard.domain.records import LineageEdge


def test_links_are_pairs_triples_mappings_or_records() -> None:
    ready = LineageEdge(kind="run", target="r")
    given = [
        ("dataset", "a"),
        ["dataset", "b", {"rows": 1}],
        ("dataset", "c", None),
        {"kind": "code", "target": "d"},
        {"kind": "code", "target": "e", "details": {"branch": "main"}},
        ready,
    ]
    assert edges(given) == (
        LineageEdge(kind="dataset", target="a"),
        LineageEdge(kind="dataset", target="b", details={"rows": 1}),
        LineageEdge(kind="dataset", target="c"),
        LineageEdge(kind="code", target="d"),
        LineageEdge(kind="code", target="e", details={"branch": "main"}),
        ready,
    )


@pytest.mark.parametrize("given", ["dataset=x", {"dataset": "x"}, 7, b"x"])
def test_what_is_no_list_is_refused(given: object) -> None:
    with pytest.raises(InvalidInput, match="lineage: expected a list"):
        edges(given)


@pytest.mark.parametrize(
    "item",
    ["dataset", ("dataset",), ("a", "b", {}, 1), {"kind": "dataset"}, {"kind": 1, "target": 2, "x": 3}, 7],
)
def test_what_is_no_link_is_refused_with_its_place(item: object) -> None:
    with pytest.raises(InvalidInput, match=r"lineage\[1\]: expected"):
        edges([("dataset", "a"), item])
