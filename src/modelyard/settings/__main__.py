"""``python -m modelyard.settings FILE``: put the tables into the reference page, between its two markers."""

from __future__ import annotations

import sys
from pathlib import Path

from modelyard.settings.table import to_markdown

BEGIN = "<!-- tables: begin (written by `make docs`) -->"
END = "<!-- tables: end -->"


def refreshed(page: str) -> str:
    """The page with today's tables between the markers; ``ValueError`` if a marker is missing."""
    before, old = page.split(BEGIN, 1)
    _, after = old.split(END, 1)
    return f"{before}{BEGIN}\n\n{to_markdown()}\n{END}{after}"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(refreshed(target.read_text("utf-8")), "utf-8")
