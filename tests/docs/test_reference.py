"""Generated pages are what the code says today."""

from __future__ import annotations

import importlib.util
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_python_reference_is_current() -> None:
    loader = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert loader is not None
    assert loader.loader is not None
    module = importlib.util.module_from_spec(loader)
    loader.loader.exec_module(module)
    assert module.page() == module.PAGE.read_text("utf-8"), "docs/reference/python.md is old: run `make docs`"
