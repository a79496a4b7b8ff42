"""What of an answer its reader may see: versions of models that it may not read are left out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from modelyard.domain.answers import Affected, Reached
from modelyard.domain.experiments import Experiment
from modelyard.domain.lineage import VERSION
from modelyard.domain.lineage_graph import LineageGraph, grouped
from modelyard.domain.lineage_nodes import Thing
from modelyard.domain.records import ModelVersion

Reads = Callable[[str], bool]
"""Whether the reader may read the model of that name."""

HIDDEN: Final = "(hidden)"
"""Stands on a way for a version that the reader may not see."""


def versions(found: tuple[ModelVersion, ...], reads: Reads, _: Mapping[str, str]) -> tuple[ModelVersion, ...]:
    """Those of models that may be read."""
    return tuple(version for version in found if reads(version.name))


def experiments(found: tuple[Experiment, ...], reads: Reads, _: Mapping[str, str]) -> tuple[Experiment, ...]:
    """Those of models that may be read."""
    return tuple(experiment for experiment in found if reads(experiment.model))


def graph(found: LineageGraph, reads: Reads, _: Mapping[str, str]) -> LineageGraph:
    """What can be reached from the root over what may be seen; ``complete`` is false if that is not all of it."""
    seen = {node.thing for node in found.nodes if node.kind != VERSION or not node.name or reads(node.name)}
    edges = tuple(edge for edge in found.edges if edge.source in seen and edge.target in seen)
    up, down = grouped(edges, up=True), grouped(edges, up=False)
    reached: set[Thing] = {found.root}
    queue = deque(reached)
    while queue:
        here = queue.popleft()
        near = {edge.source for edge in up.get(here, ())} | {edge.target for edge in down.get(here, ())}
        queue.extend(near - reached)
        reached |= near
    nodes = tuple(node for node in found.nodes if node.thing in reached)
    return replace(
        found,
        nodes=nodes,
        edges=tuple(edge for edge in edges if edge.source in reached and edge.target in reached),
        complete=found.complete and len(nodes) == len(found.nodes),
    )


def affected(found: Affected, reads: Reads, models: Mapping[str, str]) -> Affected:
    """Items of models that may be read; versions on the way to them that may not are not named.

    Args:
        models: ``model_id`` of the items -> name of their model.
    """
    hidden = {
        item.name for item in found.items if item.kind == VERSION and not _shown(item, reads, models)
    } - {found.name}
    items = (item for item in found.items if _shown(item, reads, models))
    kept = tuple(
        replace(item, path=tuple(HIDDEN if step in hidden else step for step in item.path)) for item in items
    )
    return replace(found, items=kept)


def _shown(item: Reached, reads: Reads, models: Mapping[str, str]) -> bool:
    return item.model_id in models and reads(models[item.model_id])


VIEWS: Final[Mapping[str, Callable[[Any, Reads, Mapping[str, str]], Any]]] = {
    "lineage": versions,
    "list_experiments": experiments,
    "lineage_graph": graph,
    "affected": affected,
    "withdraw": affected,
    "reinstate": affected,
}
"""Answers that may speak of other models than those that the question named."""
