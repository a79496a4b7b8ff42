"""The REST reference is what the code answers today."""

from __future__ import annotations

from pathlib import Path

from modelyard.rest.reference import current

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "rest-api.md"


def test_the_rest_reference_is_current() -> None:
    assert current() == PAGE.read_text("utf-8"), "docs/reference/rest-api.md is old: run `make docs`"
