"""What two versions are made of, side by side: only what differs, one line each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from modelyard.cli import render
from modelyard.cli.render import Column
from modelyard.domain.text import plain

if TYPE_CHECKING:
    from modelyard.cli.session import Session
    from modelyard.domain.diff import Difference

COLUMNS: Final = (Column(title="DIFFERS"), Column(title="A", cut="end"), Column(title="B", cut="end"))
PARTS: Final = {"param": "params", "environment": "environment", "file": "files", "card": "card"}
"""What a line begins with -> attribute of the difference."""

DIGEST: Final = 20
"""Characters of a digest that tell two apart: ``sha256:`` and thirteen digits."""

LONGEST: Final = 200
"""Characters of a value that a line can show at all; a description may be megabytes."""


def lines(session: Session, found: Difference) -> list[str]:
    """The signature's verdict with its reasons, then a table of everything else that differs."""
    rows = [
        [f"{kind} {key}", _value(kind, sides, "a"), _value(kind, sides, "b")]
        for kind, part in PARTS.items()
        for key, sides in getattr(found, part).items()
    ]
    result = []
    if found.signature_verdict != "unknown" or found.signature_reasons:
        result.append(f"signatures: {found.signature_verdict}")
        for reason in found.signature_reasons:
            first, *rest = render.wrap(plain(reason), session.width - 4)
            result += [f"  - {first}", *(f"    {line}" for line in rest)]
    return result + (["", *render.table(COLUMNS, rows, session.width, session.paint)] if rows else [])


def _value(kind: str, sides: Any, side: str) -> str:
    if side not in sides:
        return "-"
    value = sides[side]
    if kind == "file":
        return str(value)[:DIGEST]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text[:LONGEST]
