"""Following links: every answer is held against a search that is written another way."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import InvalidInput
from modelyard.domain.lineage_graph import (
    Direction,
    Found,
    Link,
    check_depth,
    check_direction,
    draw,
    edge_of,
    first_cycle,
    last_steps,
    search,
    way,
)
from modelyard.domain.lineage_nodes import LineageNode, Thing

NAMES = st.sampled_from("abcdefgh")
KINDS = st.sampled_from(["parent", "merged_from", "dataset", "used_by"])
LINKS = st.sets(st.tuples(NAMES, KINDS, NAMES), max_size=20)


def looking(links: set[Link]) -> object:
    """A look at links in memory that also hands out what does not lead on, as a store may."""

    def look(front: Sequence[Thing], up: bool) -> list[Link]:
        ends = {target for _, target in front}
        return sorted(link for link in links if {link[0], link[2]} & ends)

    return look


def reference(links: set[Link], root: Thing, direction: str, depth: int | None) -> dict[Thing, int]:
    """Distances by relaxing all edges over and over, as Bellman and Ford do."""
    edges = [edge_of(link) for link in links]
    found: dict[Thing, int] = {}
    for up in (True, False):
        if direction not in ("both", "up" if up else "down"):
            continue
        away = {root: 0}
        for _ in range(len(edges) + 1):
            for edge in edges:
                near, far = (edge.target, edge.source) if up else (edge.source, edge.target)
                if near in away and away[near] + 1 < away.get(far, 99):
                    away[far] = away[near] + 1
        for end, steps in away.items():
            if depth is None or steps <= depth:
                found.setdefault(end, steps)
    return found


@given(LINKS, st.sampled_from(["up", "down", "both"]), st.none() | st.integers(1, 4))
def test_a_search_finds_what_a_reference_finds(
    links: set[Link], direction: Direction, depth: int | None
) -> None:
    root = ("version", "a")
    found = search(root, direction, depth, looking(links))  # type: ignore[arg-type]
    assert found.distance == reference(links, root, direction, depth)


@given(LINKS)
def test_the_edges_found_are_those_between_what_was_found_on_each_side(links: set[Link]) -> None:
    root = ("version", "a")
    for direction in ("up", "down"):
        found = search(root, direction, None, looking(links))  # type: ignore[arg-type]
        all_edges = {edge_of(link) for link in links}
        inner = {e for e in all_edges if (e.target if direction == "up" else e.source) in found.distance}
        assert set(found.edges) == inner
        assert found.complete


def test_depth_says_whether_it_cut_something_off() -> None:
    links = {("b", "parent", "a"), ("c", "parent", "b")}
    for depth, complete in ((1, False), (2, True), (3, True)):
        assert search(("version", "a"), "down", depth, looking(links)).complete is complete  # type: ignore[arg-type]


def test_siblings_are_not_part_of_both_directions() -> None:
    links = {("b", "dataset", "d"), ("c", "dataset", "d")}
    found = search(("version", "b"), "both", None, looking(links))  # type: ignore[arg-type]
    assert set(found.distance) == {("version", "b"), ("dataset", "d")}


def test_what_uses_a_version_comes_after_it() -> None:
    assert (edge_of(("a", "used_by", "api")).target, edge_of(("a", "dataset", "d")).target) == (
        ("deployment", "api"),
        ("version", "a"),
    )


@given(LINKS)
def test_a_way_is_a_shortest_one_along_edges(links: set[Link]) -> None:
    root = ("version", "a")
    found = search(root, "down", None, looking(links))  # type: ignore[arg-type]
    steps = last_steps(found.edges, root)
    joined = {(edge.source, edge.target) for edge in found.edges}
    for end, distance in found.distance.items():
        path = way(steps, end)
        assert (path[0], path[-1], len(path)) == (root, end, distance + 1)
        assert set(itertools.pairwise(path)) <= joined


@given(st.dictionaries(NAMES, st.lists(NAMES, max_size=3), max_size=8))
def test_a_cycle_is_found_if_and_only_if_there_is_one(came_from: dict[str, list[str]]) -> None:
    def reaches(start: str, end: str) -> bool:
        seen: set[str] = set()
        todo = list(came_from.get(start, ()))
        while todo:
            here = todo.pop()
            if here == end:
                return True
            if here not in seen:
                seen.add(here)
                todo += came_from.get(here, ())
        return False

    circle = first_cycle(came_from)
    assert bool(circle) is any(reaches(name, name) for name in came_from)
    if circle:
        assert circle[0] == circle[-1]
        assert all(b in came_from[a] for a, b in itertools.pairwise(circle))


def test_a_long_line_needs_no_deep_stack() -> None:
    assert first_cycle({str(n): [str(n + 1)] for n in range(20_000)}) == ()


def test_a_drawing_lists_near_things_first() -> None:
    root, far, near = ("version", "a"), ("version", "c"), ("version", "b")
    nodes = {
        thing: LineageNode(kind=thing[0], target=thing[1], label=thing[1]) for thing in (far, near, root)
    }
    graph = draw(Found({root: 0, far: 2, near: 1}), root, "up", 7, nodes)
    assert [node.thing for node in graph.nodes] == [root, near, far]
    assert (graph.depth, graph.direction, graph.complete) == (7, "up", True)


@pytest.mark.parametrize("given", ["upwards", "", None, 1])
def test_a_direction_is_one_of_three(given: object) -> None:
    with pytest.raises(InvalidInput, match="direction: expected up, down or both"):
        check_direction(given)
    assert check_direction("down") == "down"


@pytest.mark.parametrize("given", [0, -1, True, 1.0, "2", float("nan")])
def test_a_depth_is_a_whole_number_from_one(given: object) -> None:
    with pytest.raises(InvalidInput, match="depth: expected a whole number"):
        check_depth(given)
    assert [check_depth(depth) for depth in (None, 1, 7)] == [None, 1, 7]
