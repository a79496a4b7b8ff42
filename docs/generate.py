"""Write ``docs/reference/python.md`` from the public names and their docstrings, so that it cannot disagree with them.

``make docs`` runs this; a test compares the page with what is committed.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import modelyard

PAGE = Path(__file__).parent / "reference" / "python.md"
WIDTH = 100

INTRO = """\
# Python

Written by `make docs` from the code. What is listed here is public and kept stable; everything else may change. All
names are imported from `modelyard`.
"""

SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields):$")
ITEM = re.compile(r"^ {4}(?P<names>[*\w][\w, *]*?)(?: \([^)]*\))?: (?P<text>.*)$")


def page() -> str:
    """The whole page."""
    values = {name: getattr(modelyard, name) for name in modelyard.__all__}
    raised = [v for v in values.values() if inspect.isclass(v) and issubclass(v, BaseException)]
    warnings = [v for v in raised if issubclass(v, Warning)]
    errors = [v for v in raised if v not in warnings]
    classes = [v for v in values.values() if inspect.isclass(v) and v not in raised]
    functions = [v for v in values.values() if inspect.isfunction(v)]
    parts = [INTRO]
    for cls in sorted(classes, key=lambda c: (c.__name__ != "ModelRegistry", c.__name__)):
        parts += _class(cls)
    parts.append("## Functions\n")
    for function in functions:
        parts += _function(function, function.__name__)
    parts += _errors(errors)
    parts += _warnings(warnings)
    return "\n".join(parts).rstrip() + "\n"


def _class(cls: type) -> Iterator[str]:
    yield f"## {cls.__name__}\n"
    yield _prose(inspect.getdoc(cls) or "")
    if dataclasses.is_dataclass(cls):
        yield from (f"- `{f.name}`: `{_annotation(f.type)}`" for f in dataclasses.fields(cls))
        yield ""
    if issubclass(cls, enum.Enum):
        yield from (f"- `{cls.__name__}.{member.name}` = `{member.value!r}`" for member in cls)
        yield ""
    for name, member in vars(cls).items():
        if name.startswith("_") or not member.__doc__:
            continue
        if inspect.isfunction(member):
            yield from _function(member, f"{cls.__name__}.{name}")
        elif isinstance(member, property):
            yield f"### {cls.__name__}.{name}\n\n{_prose(inspect.getdoc(member) or '')}"


def _function(function: Any, name: str) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"```text\n{_signature(function, name)}\n```\n"
    yield _prose(inspect.getdoc(function) or "")


def _signature(function: Any, name: str) -> str:
    """``name(a, b=1) -> c``, on one line if it fits and one parameter a line if not."""
    signature = inspect.signature(function)
    words = list(_parameters([p for p in signature.parameters.values() if p.name != "self"]))
    result = "" if signature.return_annotation is signature.empty else f" -> {signature.return_annotation}"
    line = f"{name}({', '.join(words)}){result}"
    return line if len(line) <= WIDTH else f"{name}(\n    " + ",\n    ".join(words) + f",\n){result}"


def _parameters(given: list[inspect.Parameter]) -> Iterator[str]:
    """Each as it stands in the source, and the bare star where it belongs."""
    starred = False
    for parameter in given:
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            yield "*"
        starred = starred or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        yield _parameter(parameter)


def _parameter(parameter: inspect.Parameter) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    kind = "" if parameter.annotation is parameter.empty else f": {_annotation(parameter.annotation)}"
    default = "" if parameter.default is parameter.empty else f" = {_default(parameter.default)}"
    return f"{stars}{parameter.name}{kind}{default}"


def _default(value: object) -> str:
    """Its source; ``...`` for a private marker, whose name would say nothing to a reader."""
    return "..." if repr(value).startswith("<object") else repr(value)


def _annotation(kind: Any) -> Any:
    return kind if isinstance(kind, str) else getattr(kind, "__name__", kind)


def _prose(doc: str) -> str:
    """A Google style docstring as Markdown: its sections become lists."""
    out: list[str] = []
    section = False
    for line in doc.replace("``", "`").splitlines():
        item = ITEM.match(line)
        if SECTION.match(line):
            section = True
            out += [f"**{line[:-1]}**", ""]
        elif section and item:
            out.append(f"- `{item['names']}`: {item['text']}")
        elif section and line.startswith("    "):
            out.append(f"  {line.strip()}")
        else:
            out.append(line)
    return "\n".join(out) + "\n"


def _errors(errors: list[type]) -> Iterator[str]:
    yield "## Errors\n"
    yield (
        "All are `ModelyardError`, which has `code` (stable), `detail`, `reasons` (one line each) and `data` (JSON).\n"
        "A failed call has changed nothing.\n"
    )
    yield "| error | code | also a | when |\n|---|---|---|---|"
    for error in sorted(errors, key=_lineage):
        bases = ", ".join(f"`{base.__name__}`" for base in error.__bases__)
        when = (
            " ".join((inspect.getdoc(error) or "").split("\n\n")[0].split())
            .replace("``", "`")
            .replace("|", "\\|")
        )
        yield f"| `{error.__name__}` | `{getattr(error, 'code', '')}` | {bases} | {when} |"


def _warnings(warnings: list[type]) -> Iterator[str]:
    yield "\n## Warnings\n\n| warning | a | when |\n|---|---|---|"
    for kind in sorted(warnings, key=lambda kind: (len(kind.__mro__), kind.__name__)):
        when = (inspect.getdoc(kind) or "").replace("``", "`")
        yield f"| `{kind.__name__}` | `{kind.__base__.__name__}` | {when} |"


def _lineage(error: type) -> list[str]:
    """Names from the root of the tree down, so that kin stand together."""
    return [c.__name__ for c in reversed(error.__mro__) if issubclass(c, modelyard.ModelyardError)]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
