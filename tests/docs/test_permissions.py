"""The page about permissions says what the tables say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "docs" / "generate_permissions.py"


def test_the_page_about_permissions_is_up_to_date():
    spec = importlib.util.spec_from_file_location("generate_permissions", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text("utf-8") == module.page(), "run: python docs/generate_permissions.py"
