"""House rules that no linter knows."""

from __future__ import annotations

import ast
import re

import pytest

from .tree import PACKAGE, ROOT, committed, dotted, modules, syntax

FUNCTION_LINES = 60
FILE_LINES = 500

LONG_FUNCTIONS = {
    "modelyard.adapters.metadata.statements.statements": "a table: one row per statement",
    "modelyard.registry.register_model": "thirty arguments, each named where it is taken and where it is handed on",
    "modelyard.testing.metadata.a_full_version": "one value with every field set",
}
"""``module.function`` -> why it is better whole than in pieces."""

LONG_FILES = {
    "modelyard.registry": "one class, whose methods are each a few lines and belong together for the reader",
    "modelyard.scanning.tracer": "one machine: every opcode is a few lines, and they read one state",
    "modelyard.testing.blobs": "a suite: many small tests of one contract",
    "modelyard.testing.metadata": "a suite: many small tests of one contract",
}
"""Module -> why it holds one idea although it is long."""

EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc"}

# Written so that this file does not match itself.
UNWANTED = {
    "the address of a package index": r"pypi[.]org|pythonhosted[.]org|npmjs[.](?:org|com)|deb[.]debian[.]org",
    "a path of one machine": r"/w[o]rk/|/opt/p[y]pi|file:///(?:opt|root|home)",
    "a token or key": r"ghp[_][A-Za-z0-9]{20}|AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE [K]EY",
}


def test_every_module_says_what_it_is() -> None:
    mute = [dotted(p) for p in modules() if syntax(p).body and not ast.get_docstring(syntax(p))]
    assert mute == []


def test_no_function_outgrows_a_screen() -> None:
    long = {
        f"{dotted(path)}.{node.name}": node.end_lineno - node.lineno + 1
        for path in modules()
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and _lines_of_code(node) > FUNCTION_LINES
    }
    assert set(long) <= set(LONG_FUNCTIONS), f"over {FUNCTION_LINES} lines, docstrings aside: {long}"


def _lines_of_code(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from ``def`` to the end, without the docstring."""
    total = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node) is not None:
        total -= (first.end_lineno or first.lineno) - first.lineno + 1
    return total


def test_no_file_outgrows_one_idea() -> None:
    lengths = {dotted(path): len(path.read_text("utf-8").splitlines()) for path in modules()}
    long = {name: lines for name, lines in lengths.items() if lines > FILE_LINES}
    assert set(long) <= set(LONG_FILES), f"over {FILE_LINES} lines: {long}"


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [dotted(p) for p in modules() if EMPTY_NAMES & set(p.with_suffix("").parts[-2:])] == []


@pytest.mark.parametrize("what", UNWANTED)
def test_no_committed_file_holds(what: str) -> None:
    pattern = re.compile(UNWANTED[what])
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in committed()
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def test_no_file_repeats_the_licence() -> None:
    headers = [
        dotted(p)
        for p in modules()
        if re.search(r"Licensed under|SPDX-License|Copyright", p.read_text("utf-8")[:1000])
    ]
    assert headers == []
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")


def test_the_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()
