"""A lineage as text for other programs: JSON, Mermaid, Graphviz. Names are hostile until they are escaped.

Sources: Mermaid flowchart syntax, "Special characters that break syntax" and "Entity codes to escape characters"
(mermaid.js.org); the DOT language, "quoted string" and "escString" (graphviz.org/doc/info).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from modelyard.domain.lineage_nodes import GraphEdge, LineageNode, Thing
from modelyard.domain.text import plain

_TAME: Final = frozenset(" -_/:@+=,.")
"""Characters besides letters and digits that a quoted Mermaid label takes as they are."""

_LIST: Final = re.compile(r"[0-9]*[-+.]")
"""What a list in Markdown begins with, which a label would be read as: ``1. fraud``, ``- fraud``."""


def listed(nodes: Sequence[LineageNode], edges: Sequence[GraphEdge]) -> dict[str, Any]:
    """Nodes with an ``id``, and edges from what was first to what came of it."""
    ids = _ids(nodes)
    return {
        "nodes": [_node(ids[node.thing], node) for node in nodes],
        "edges": [{"from": ids[edge.source], "to": ids[edge.target], "kind": edge.kind} for edge in edges],
    }


def _node(id_: str, node: LineageNode) -> dict[str, Any]:
    facts: dict[str, Any] = {"id": id_, "kind": node.kind, "target": node.target, "label": node.label}
    if node.number is not None:
        facts |= {"name": node.name, "number": node.number, "version": node.version, "stage": node.stage}
    return facts | dict.fromkeys(node.marks, True)


def _ids(nodes: Sequence[LineageNode]) -> Mapping[Thing, str]:
    return {node.thing: f"n{index}" for index, node in enumerate(nodes)}


def _title(node: LineageNode) -> str:
    """One line for people: a version's ref, else kind and name; then what must not be missed."""
    text = node.label if node.number is not None else f"{node.kind} {node.label}"
    return plain(text) + (f" ({', '.join(node.marks)})" if node.marks else "")


def mermaid(nodes: Sequence[LineageNode], edges: Sequence[GraphEdge]) -> str:
    """A flowchart: sources are round, deployments are hexagons, what is withdrawn is red."""
    ids = _ids(nodes)
    lines = ["flowchart LR"]
    for node in nodes:
        opening, closing = _MERMAID_SHAPES.get(node.kind, ("([", "])"))
        lines.append(f'    {ids[node.thing]}{opening}"{mermaid_text(_title(node))}"{closing}')
    lines += [f'    {ids[edge.source]} -->|"{mermaid_text(edge.kind)}"| {ids[edge.target]}' for edge in edges]
    for mark, style in _MERMAID_STYLES.items():
        if marked := [ids[node.thing] for node in nodes if mark in node.marks]:
            lines += [f"    classDef {mark} {style}", f"    class {','.join(marked)} {mark}"]
    return "\n".join(lines) + "\n"


_MERMAID_SHAPES: Final = {"version": ("[", "]"), "deployment": ("{{", "}}")}
_MERMAID_STYLES: Final = {
    "missing": "stroke-dasharray:2 4",
    "deleted": "stroke-dasharray:6 4",
    "withdrawn": "stroke:#b00020,stroke-width:3px",
}


def mermaid_text(text: str) -> str:
    """``text`` inside a Mermaid label: all that could be syntax, markup or a list becomes an entity code."""
    lead = _LIST.match(text)
    written = [char if char in _TAME or char.isalnum() else f"#{ord(char)};" for char in text]
    if lead:
        written[lead.end() - 1] = f"#{ord(text[lead.end() - 1])};"
    return "".join(written)


def graphviz(nodes: Sequence[LineageNode], edges: Sequence[GraphEdge]) -> str:
    """A digraph: sources are ellipses, versions boxes, deployments hexagons."""
    ids = _ids(nodes)
    lines = ["digraph lineage {", "    rankdir=LR;"]
    for node in nodes:
        shape = {"version": "box", "deployment": "hexagon"}.get(node.kind, "ellipse")
        look = "".join(f", {_GRAPHVIZ_STYLES[mark]}" for mark in node.marks[:1])
        lines.append(f'    {ids[node.thing]} [label="{graphviz_text(_title(node))}", shape={shape}{look}];')
    lines += [
        f'    {ids[edge.source]} -> {ids[edge.target]} [label="{graphviz_text(edge.kind)}"];'
        for edge in edges
    ]
    return "\n".join([*lines, "}"]) + "\n"


_GRAPHVIZ_STYLES: Final = {
    "missing": "style=dotted",
    "deleted": "style=dashed",
    "withdrawn": 'color="#b00020", penwidth=3',
}


def graphviz_text(text: str) -> str:
    r"""``text`` inside a quoted DOT string; ``&`` would begin an entity, ``\N`` would be the node's own name."""
    return plain(text).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
