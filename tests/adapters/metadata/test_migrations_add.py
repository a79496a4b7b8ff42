"""Migrations only add, so that servers of the build before go on while a newer one is started beside them."""

import ast
import re
from pathlib import Path

import pytest

from modelyard.adapters.metadata.migrations import versions

MIGRATIONS = sorted(Path(versions.__path__[0]).glob("m[0-9]*.py"))
TAKES_AWAY = re.compile(r"\b(drop|rename|modify|set not null|alter column|truncate)\b", re.IGNORECASE)


def words_of(path: Path) -> list[str]:
    """What a migration calls and the texts that it may send, without its docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            node.body[0].value.value = ""
    called = [node.attr.replace("_", " ") for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return [*called, *(text for text in texts if isinstance(text, str))]


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: path.stem)
def test_a_migration_takes_nothing_away_from_those_who_know_the_schema_before(path: Path) -> None:
    assert not [word for word in words_of(path) if TAKES_AWAY.search(word)]


@pytest.mark.parametrize(
    "line",
    [
        "op.drop_column('models', 'slug')",
        "op.execute('ALTER TABLE models RENAME TO m')",
        "op.rename_table('a', 'b')",
    ],
)
def test_one_that_did_would_be_seen(line: str, tmp_path: Path) -> None:
    path = tmp_path / "m9999_wrong.py"
    path.write_text(f"def upgrade():\n    {line}\n")
    assert [word for word in words_of(path) if TAKES_AWAY.search(word)]
