"""Reading documentation: which blocks a page has, and which of them are excused from being run.

How to write a block in ``README.md`` or ``docs/``:

* A fence names its language. ``python`` and ``bash`` blocks are run; so are ``console`` blocks, where lines that begin
  with ``$ `` are commands and the other lines are what they must print (``...`` stands for anything). Other languages
  are shown and not run.
* The blocks of one page run in order, in one empty folder, Python with one set of variables, as one reader would.
* A Python block with ``>>>`` prompts is run as a doctest.
* ``<!-- file: gates.yaml -->`` right before a block writes the block to that file instead of running it.
* ``<!-- not run: reason -->`` right before a block excuses it. The reason is for the reader of the source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

RUN = frozenset({"python", "bash", "console"})
SHOWN = frozenset({"text", "yaml", "json", "toml", "sql", "mermaid", "diff", "ini"})

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w+-]*)[^\n`]*$")
_EXCUSE = re.compile(r"<!--\s*not run:\s*(?P<reason>.*?)\s*-->", re.DOTALL)
_FILE = re.compile(r"<!--\s*file:\s*(?P<name>\S+)\s*-->")


class BadPage(Exception):
    """A page breaks the rules above; the message names page and line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block.

    Attributes:
        line: 1-based line of the first line of ``text``.
        excuse: Why it is not run; ``None`` = no excuse was given.
        file: Name under which it is written instead of run; ``None`` = it is not a file.
    """

    page: Path
    line: int
    language: str
    text: str
    excuse: str | None = None
    file: str | None = None

    @property
    def runs(self) -> bool:
        return self.language in RUN and self.excuse is None and self.file is None


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order. Raises ``BadPage``."""
    lines = page.read_text("utf-8").splitlines()
    found: list[Block] = []
    start = 0
    while (opening := _next_fence(lines, start)) is not None:
        fence = _FENCE.match(lines[opening])
        assert fence is not None
        closing = _closing(lines, opening, page)
        before = "\n".join(lines[start:opening])
        found.append(_block(page, opening, fence, lines[opening + 1 : closing], before))
        start = closing + 1
    return found


def _next_fence(lines: list[str], start: int) -> int | None:
    return next((i for i in range(start, len(lines)) if _FENCE.match(lines[i])), None)


def _closing(lines: list[str], opening: int, page: Path) -> int:
    for number in range(opening + 1, len(lines)):
        if lines[number].strip() == "```":
            return number
    raise BadPage(f"{page}:{opening + 1}: this block is never closed")


def _block(page: Path, opening: int, fence: re.Match[str], body: list[str], before: str) -> Block:
    language = fence["language"]
    if language not in RUN | SHOWN:
        known = ", ".join(sorted(RUN | SHOWN))
        raise BadPage(f"{page}:{opening + 1}: the language {language!r} is not one of {known}")
    comment = before.rstrip()[before.rstrip().rfind("<!--") :] if before.rstrip().endswith("-->") else ""
    excuse, file = _EXCUSE.fullmatch(comment), _FILE.fullmatch(comment)
    if excuse is not None and not excuse["reason"]:
        raise BadPage(f"{page}:{opening + 1}: an excuse needs a reason")
    indent = len(fence["indent"])
    return Block(
        page=page,
        line=opening + 2,
        language=language,
        text="".join(line[indent:] + "\n" for line in body),
        excuse=excuse["reason"] if excuse else None,
        file=file["name"] if file else None,
    )
