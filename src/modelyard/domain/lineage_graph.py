"""A lineage as a value: what is connected to a version, or to something outside, and how one gets there.

Links point to where something came from; a graph's edges follow time: from what was there first to what came of it.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any, Final, Literal, TypeAlias

from modelyard.domain import lineage_text
from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import InvalidInput
from modelyard.domain.lineage import KINDS, VERSION, thing
from modelyard.domain.lineage_nodes import GraphEdge, LineageNode, Thing
from modelyard.domain.spelling import hint, quoted

Link: TypeAlias = tuple[str, str, str]
"""``(model_id, kind, target)``, as versions hold them."""

Direction: TypeAlias = Literal["up", "down", "both"]
DIRECTIONS: Final = ("up", "down", "both")


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageGraph:
    """What was found from ``root`` in a direction.

    Attributes:
        root: Where the search began.
        direction: ``up`` (what it came from), ``down`` (what came of it and uses it) or ``both``.
        depth: The longest way followed, in links; ``None`` for any.
        nodes: Near before far, the root first.
        edges: Each once, in the order found.
        complete: False if ``depth`` cut something off.
    """

    root: Thing
    direction: Direction
    depth: int | None
    nodes: tuple[LineageNode, ...]
    edges: tuple[GraphEdge, ...]
    complete: bool = True

    def to_mapping(self) -> dict[str, Any]:
        """As JSON values: nodes with an ``id`` each, ``n0`` being the root, and edges between these."""
        about = {"root": "n0", "direction": self.direction, "depth": self.depth, "complete": self.complete}
        return about | lineage_text.listed(self.nodes, self.edges)

    def to_json(self) -> str:
        """One JSON document in ASCII, so that nothing in it can act on a terminal."""
        return json.dumps(self.to_mapping(), indent=2)

    def to_mermaid(self) -> str:
        """A Mermaid flowchart, time from left to right."""
        return lineage_text.mermaid(self.nodes, self.edges)

    def to_graphviz(self) -> str:
        """A Graphviz digraph in the DOT language, time from left to right."""
        return lineage_text.graphviz(self.nodes, self.edges)


def grouped(edges: Iterable[GraphEdge], *, up: bool) -> Mapping[Thing, tuple[GraphEdge, ...]]:
    """Edges by the end at which one stands: going up the one that came of something, going down the other."""
    found: dict[Thing, list[GraphEdge]] = {}
    for edge in edges:
        found.setdefault(edge.target if up else edge.source, []).append(edge)
    return {end: tuple(group) for end, group in found.items()}


def last_steps(edges: Iterable[GraphEdge], root: Thing, *, up: bool = False) -> Mapping[Thing, Thing]:
    """For everything below the root (or above it) the thing before it on a shortest way there."""
    onward = grouped(edges, up=up)
    steps: dict[Thing, Thing] = {}
    queue = deque([root])
    while queue:
        here = queue.popleft()
        for edge in onward.get(here, ()):
            far = edge.source if up else edge.target
            if far != root and far not in steps:
                steps[far] = here
                queue.append(far)
    return steps


def way(steps: Mapping[Thing, Thing], end: Thing) -> tuple[Thing, ...]:
    """A shortest way from the root to ``end``, both included."""
    found = [end]
    while (before := steps.get(found[-1])) is not None:
        found.append(before)
    return tuple(reversed(found))


# --- searching -------------------------------------------------------------------------------------------------------


def check_direction(given: Any) -> Direction:
    """``up``, ``down`` or ``both``.

    Raises:
        InvalidInput: Anything else.
    """
    if given in DIRECTIONS:
        found: Direction = given
        return found
    near = hint(given, DIRECTIONS) if isinstance(given, str) else ""
    raise InvalidInput(f"direction: expected up, down or both, found {quoted(given)}.{near}")


def check_depth(given: Any) -> int | None:
    """A number of links, 1 or more; ``None`` for any.

    Raises:
        InvalidInput: Anything else.
    """
    if given is None or (isinstance(given, int) and not isinstance(given, bool) and given >= 1):
        return given
    raise InvalidInput(
        f"depth: expected a whole number of links, 1 or more, or nothing; found {quoted(given)}"
    )


def edge_of(link: Link) -> GraphEdge:
    """A version's link as an edge in the order of time."""
    model_id, kind, target = link
    here, there = (VERSION, model_id), (thing(kind), target)
    forward = kind in KINDS and KINDS[kind].forward
    return (
        GraphEdge(source=here, target=there, kind=kind)
        if forward
        else GraphEdge(source=there, target=here, kind=kind)
    )


@dataclass(slots=True)
class Found:
    """What a search has seen: things by their distance from the root, and edges."""

    distance: dict[Thing, int]
    edges: dict[GraphEdge, Thing] = field(default_factory=dict)
    complete: bool = True


Look: TypeAlias = Callable[[Sequence[Thing], bool], Iterable[Link]]
"""``look(things, up)``: links that lead on from these things, upwards or downwards; others may be among them."""


def search(root: Thing, direction: Direction, depth: int | None, look: Look) -> Found:
    """Follow links from ``root``, breadth first; each thing is looked at once, so cycles end.

    ``both`` is what lies above and what lies below, not the siblings that share a parent.

    Args:
        root: Where to begin.
        direction: Which way to go.
        depth: The longest way, in links.
        look: Asked once per step with all things that are new.
    """
    found = Found({root: 0})
    for up in (True, False):
        if direction in ("both", "up" if up else "down"):
            _follow(found, root, up, depth, look)
    return found


def _follow(found: Found, root: Thing, up: bool, depth: int | None, look: Look) -> None:
    seen = {root}
    front = [root]
    steps = 0
    while front:
        edges = _ahead(front, up, look)
        if depth is not None and steps >= depth:
            found.complete = found.complete and not edges
            return
        steps += 1
        found.edges.update(edges)
        front = [end for end in dict.fromkeys(edges.values()) if end not in seen]
        seen.update(front)
        for end in front:
            found.distance.setdefault(end, steps)


def _ahead(front: Sequence[Thing], up: bool, look: Look) -> dict[GraphEdge, Thing]:
    """Edges that lead on from the front, each with where it leads."""
    here = set(front)
    edges = map(edge_of, look(front, up))
    if up:
        return {edge: edge.source for edge in edges if edge.target in here}
    return {edge: edge.target for edge in edges if edge.source in here}


def draw(
    found: Found, root: Thing, direction: Direction, depth: int | None, nodes: Mapping[Thing, LineageNode]
) -> LineageGraph:
    """The graph of a search, with what each thing is."""
    order = sorted(found.distance, key=found.distance.__getitem__)
    return LineageGraph(
        root=root,
        direction=direction,
        depth=depth,
        nodes=tuple(nodes[end] for end in order),
        edges=tuple(found.edges),
        complete=found.complete,
    )


# --- cycles ----------------------------------------------------------------------------------------------------------


def first_cycle(came_from: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Things that come from each other in a circle, the first again at the end; empty if there is none.

    Args:
        came_from: For each thing what it came from; those without an entry came from nothing.
    """
    done: set[str] = set()
    for start in came_from:
        trail: dict[str, None] = {}
        stack: list[tuple[str, bool]] = [(start, False)]
        while stack:
            here, leaving = stack.pop()
            if leaving:
                trail.pop(here)
                done.add(here)
            elif here in trail:
                circle = list(trail)
                return (*circle[circle.index(here) :], here)
            elif here not in done:
                trail[here] = None
                stack.append((here, True))
                stack.extend((origin, False) for origin in came_from.get(here, ()))
    return ()
