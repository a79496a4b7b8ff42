"""Descriptions for people who never see the code, from the docstrings of those who wrote it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

_ITEM: Final = re.compile(r" {4}(?P<names>\w[\w, ]*): (?P<text>.*)")
_SECTION: Final = re.compile(r"(Args|Attributes|Returns|Raises|Yields):")


def told(thing: Any) -> str:
    """What a docstring says before its first section, as Markdown; empty if there is none of its own."""
    doc = thing.__doc__ if isinstance(thing, type) else getattr(thing, "__doc__", None)
    lines = inspect.cleandoc(doc or "").splitlines()
    end = next((i for i, line in enumerate(lines) if _SECTION.fullmatch(line)), len(lines))
    return _plain("\n".join(lines[:end]).strip())


@cache
def fields_told(kind: type) -> Mapping[str, str]:
    """What the section ``Attributes`` says of each field."""
    found: dict[str, str] = {}
    names: list[str] = []
    inside = False
    for line in inspect.cleandoc(kind.__doc__ or "").splitlines():
        if _SECTION.fullmatch(line):
            inside, names = line == "Attributes:", []
        elif inside and (item := _ITEM.fullmatch(line)):
            names = [name.strip() for name in item["names"].split(",")]
            found |= dict.fromkeys(names, _plain(item["text"]))
        elif inside and line.strip():
            found |= {name: f"{found[name]} {_plain(line.strip())}" for name in names}
    return found


def first_sentence(text: str) -> str:
    """For a heading: without its full stop."""
    line = " ".join(text.split())
    return re.split(r"(?<=\w\w)\. |\.$", line, maxsplit=1)[0]


def _plain(text: str) -> str:
    """reStructuredText's literals and references as Markdown's."""
    return re.sub(r":\w+:`([^`]*)`", r"`\1`", text.replace("``", "`"))
