"""Lineages for other programs: no name gets out of its quotes."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.lineage_graph import LineageGraph
from modelyard.domain.lineage_nodes import GraphEdge, LineageNode
from modelyard.domain.lineage_text import graphviz_text, mermaid_text

HOSTILE = (
    'a"b]\n n0 --> n9 %% <script>alert(1)</script>',
    'x", shape=box]; n0 -> n9 [label="',
    "\\N \\G \\",
    "end",
    "1. list",
    "- list",
    "`markdown` **bold** #quot; &quot; &lt;",
    "\u202egnp.exe\u200b\x1b[31m",
    "```\nclick n0 call evil()",
    "ü 模型 😀",
)


def node(kind: str, target: str, **facts: object) -> LineageNode:
    return LineageNode(kind=kind, target=target, label=target, **facts)  # type: ignore[arg-type]


def graph(name: str) -> LineageGraph:
    root = node("version", "m1", name="fraud", number=1, version="1.0.0", stage="production", withdrawn=True)
    source, user = node("dataset", name, withdrawn=True), node("deployment", name)
    gone = node("version", "m0", missing=True)
    old = node("version", "m2", name="fraud", number=2, version="2.0.0", stage="archived", deleted=True)
    edges = (
        GraphEdge(source=source.thing, target=root.thing, kind="dataset"),
        GraphEdge(source=gone.thing, target=root.thing, kind="parent"),
        GraphEdge(source=root.thing, target=user.thing, kind="used_by"),
        GraphEdge(source=root.thing, target=old.thing, kind="parent"),
    )
    return LineageGraph(
        root=root.thing, direction="both", depth=3, nodes=(root, source, user, gone, old), edges=edges
    )


def test_json_names_everything_and_is_ascii() -> None:
    text = graph("模\n").to_json()
    assert text.isascii()
    found = json.loads(text)
    assert found["nodes"][1] == {
        "id": "n1",
        "kind": "dataset",
        "target": "模\n",
        "label": "模\n",
        "withdrawn": True,
    }
    assert found["nodes"][0]["stage"] == "production"
    assert found["nodes"][3]["missing"] is True
    assert found["edges"][2] == {"from": "n0", "to": "n2", "kind": "used_by"}
    assert (found["root"], found["direction"], found["depth"], found["complete"]) == ("n0", "both", 3, True)
    assert found == graph("模\n").to_mapping()


MERMAID = re.compile(
    r'flowchart LR|    n\d+(\[|\(\[|\{\{)"[^"\n<>\\`\[\]{}|%]*"(\]|\]\)|\}\})|    n\d+ -->\|"[a-z_]+"\| n\d+'
    r"|    classDef [a-z]+ [-a-z:#0-9 ,]+|    class n\d+(,n\d+)* [a-z]+"
)


@pytest.mark.parametrize("name", HOSTILE)
def test_mermaid_keeps_its_shape_whatever_things_are_called(name: str) -> None:
    lines = graph(name).to_mermaid().splitlines()
    assert all(MERMAID.fullmatch(line) for line in lines), lines
    assert len(lines) == len(graph("tame").to_mermaid().splitlines())


@given(st.text())
def test_a_mermaid_label_reads_back_as_what_it_says(text: str) -> None:
    written = mermaid_text(text)
    assert not re.search(r'["<>\\`\[\]{}|%\n&*]|^(\d+\.|[-+])', written)
    assert re.sub(r"#(\d+);", lambda found: chr(int(found[1])), written) == text


DOT = re.compile(
    r'digraph lineage \{|    rankdir=LR;|\}|    n\d+ -> n\d+ \[label="[a-z_]+"\];'
    r'|    n\d+ \[label="(?:[^"\\\n]|\\\\|\\")*", shape=[a-z]+(?:, style=[a-z]+|, color="#b00020", penwidth=3)?\];'
)


@pytest.mark.parametrize("name", HOSTILE)
def test_graphviz_keeps_its_shape_whatever_things_are_called(name: str) -> None:
    lines = graph(name).to_graphviz().splitlines()
    assert all(DOT.fullmatch(line) for line in lines), lines
    assert len(lines) == len(graph("tame").to_graphviz().splitlines())


@given(st.text())
def test_a_graphviz_label_never_ends_early(text: str) -> None:
    written = graphviz_text(text)
    assert re.fullmatch(r'(?:[^"\\\n]|\\\\|\\")*', written)
    assert "&" not in written.replace("&amp;", "")


def test_what_has_no_marks_is_drawn_plainly() -> None:
    alone = node("version", "m1")
    lone = LineageGraph(root=alone.thing, direction="up", depth=None, nodes=(alone,), edges=())
    assert lone.to_mermaid() == 'flowchart LR\n    n0["version m1"]\n'


def test_marks_are_said_and_drawn() -> None:
    text = graph("cards").to_mermaid()
    assert "dataset cards (withdrawn)" in text.replace("#40;", "(").replace("#41;", ")")
    assert "class n0,n1 withdrawn" in text
    dot = graph("cards").to_graphviz()
    assert 'label="m2 (deleted)", shape=box, style=dashed' in dot
    assert "style=dotted" in dot
