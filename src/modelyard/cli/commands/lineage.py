"""``modelyard lineage``: what a version came from and what came of it, as a tree or for other programs."""

from __future__ import annotations

from collections.abc import Iterator

import click

from modelyard.cli import figures, render
from modelyard.cli.options import verb
from modelyard.cli.session import Session
from modelyard.domain.lineage_graph import DIRECTIONS, LineageGraph, grouped
from modelyard.domain.lineage_nodes import GraphEdge, LineageNode, Thing
from modelyard.domain.text import plain

FORMATS = ("text", "json", "mermaid", "dot")


@verb("lineage")
@click.argument("ref")
@click.option(
    "--direction",
    type=click.Choice(DIRECTIONS),
    default="both",
    help="What it came from, what came of it, or both.",
)
@click.option("--depth", type=click.IntRange(min=1), metavar="N", help="The longest way to follow, in links.")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="text", help="How to write it.")
def command(session: Session, ref: str, direction: str, depth: int | None, format_: str) -> None:
    """Deleted versions stay in it, marked so; what is withdrawn is marked too.

    Example: modelyard lineage fraud:1.2.0 --direction up
    """
    if session.json and format_ in ("mermaid", "dot"):
        raise click.UsageError(f"--format {format_} and --json contradict each other; give one.")
    registry = session.open()
    graph = registry.lineage_graph(ref, direction, depth=depth)
    if session.json:
        line = [] if graph.nodes[0].deleted else registry.get_model_lineage(ref)
        session.answer({"versions": line, "graph": graph.to_mapping()}, list)
    elif format_ == "text":
        session.answer(None, lambda: _lines(session, graph))
    else:
        written = {"json": graph.to_json, "mermaid": graph.to_mermaid, "dot": graph.to_graphviz}[format_]()
        click.echo(written.rstrip("\n"))


def _lines(session: Session, graph: LineageGraph) -> list[str]:
    nodes = {node.thing: node for node in graph.nodes}
    lines = [_line(session, "", nodes[graph.root])]
    for up, title in ((True, "came from"), (False, "led to")):
        if graph.direction not in ("both", "up" if up else "down"):
            continue
        branches = list(_branches(session, graph, nodes, up=up))
        lines += [session.paint(title, "dim"), *(branches or ["└─ nothing known"])]
    if not graph.complete:
        reach = figures.plural(graph.depth or 0, "link")
        lines.append(render.shorten(f"(further than {reach} away there is more)", session.width))
    return lines


def _branches(
    session: Session, graph: LineageGraph, nodes: dict[Thing, LineageNode], *, up: bool
) -> Iterator[str]:
    """One line per link, depth first; what was shown before is named and not opened again."""
    onward = {
        end: sorted(edges, key=lambda edge: (_far(edge, up)[0] == "version", edge.kind))
        for end, edges in grouped(graph.edges, up=up).items()
    }
    shown: set[Thing] = {graph.root}
    stack = _opened(onward.get(graph.root, []), "")
    while stack:
        edge, prefix, last = stack.pop()
        end = _far(edge, up)
        again = end in shown and end in onward
        shown.add(end)
        yield _line(session, f"{prefix}{'└─' if last else '├─'} {edge.kind}: ", nodes[end], again=again)
        if not again:
            stack += _opened(onward.get(end, []), prefix + ("   " if last else "│  "))


def _far(edge: GraphEdge, up: bool) -> Thing:
    return edge.source if up else edge.target


def _opened(edges: list[GraphEdge], prefix: str) -> list[tuple[GraphEdge, str, bool]]:
    """Links below one line, the first on top of the stack."""
    return [(edge, prefix, edge is edges[-1]) for edge in reversed(edges)]


def _line(session: Session, lead: str, node: LineageNode, *, again: bool = False) -> str:
    text = plain(node.label)
    if node.number is not None:
        text += f" (#{node.number}), {node.stage}"
    text += "".join(f", {mark.upper()}" for mark in node.marks) + (" (see above)" if again else "")
    room = max(session.width // 2, 20)
    lead = lead if len(lead) <= room else "…" + lead[1 - room :]
    line = render.shorten(lead + text, session.width)
    return session.paint(line, "bad") if node.withdrawn else line
