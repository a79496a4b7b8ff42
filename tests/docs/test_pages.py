"""What the documentation says is true: every block runs, every link leads somewhere."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from .pages import blocks
from .reader import Reader

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "changes").glob("README.md")])
RUNNING = [page for page in PAGES if any(block.runs for block in blocks(page))]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """Somebody with an empty folder, an empty home and no settings."""
    for variable in [v for v in os.environ if v.startswith(("MODELYARD_", "XDG_"))]:
        monkeypatch.delenv(variable)
    home, folder = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    folder.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(folder)
    return Reader(folder)


@pytest.mark.parametrize("page", RUNNING, ids=name)
def test_every_block_of_a_page_runs(page: Path, reader: Reader) -> None:
    for block in blocks(page):
        reader.follow(block)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in target]
    dead = [t for t in targets if not _exists(page, t)]
    assert dead == []


def _exists(page: Path, target: str) -> bool:
    """True if the file is there, and the heading too where one is named."""
    where, _, anchor = target.partition("#")
    file = (page.parent / where).resolve() if where else page
    if not anchor:
        return file.exists()
    return file.is_file() and anchor in _anchors(file)


def _anchors(page: Path) -> set[str]:
    """Headings as the usual renderers name them: lower case, punctuation dropped, spaces to hyphens."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
