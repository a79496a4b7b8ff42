"""Writes the REST reference page: ``python -m modelyard.rest.reference docs/reference/rest-api.md``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modelyard.rest.api import Api
from modelyard.rest.openapi import Document, document

INTRO = """\
# REST API

Written by `make docs` from the OpenAPI document that the server gives at `/api/v1/openapi.json`;
[how to use it](../how-to/rest-api.md) has examples that run. All addresses but the page `/api/v1/docs` ask for a token.

"""


def page(openapi: Document) -> str:
    """The whole page."""
    return "\n".join(
        [INTRO + openapi["info"]["description"], *_errors(openapi), *_groups(openapi), *_records(openapi)]
    )


def _errors(openapi: Document) -> Iterator[str]:
    yield "## Errors\n\n| status | when |\n|---|---|"
    for name, told in openapi["components"]["responses"].items():
        yield f"| {name.removeprefix('Problem')} | {_cell(told['description'])} |"
    yield ""


def _groups(openapi: Document) -> Iterator[str]:
    for tag in openapi["tags"]:
        yield f"## {tag['name']}\n"
        for path, methods in openapi["paths"].items():
            for method, operation in methods.items():
                if tag["name"] in operation["tags"]:
                    yield from _operation(method, path, operation)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {method.upper()} {path}\n"
    yield f"`{operation['operationId']}`: {operation['description']}\n"
    if operation["parameters"]:
        yield "| parameter | in | type | |\n|---|---|---|---|"
        for given in operation["parameters"]:
            name = f"`{given['name']}`" + (" (needed)" if given.get("required") else "")
            yield f"| {name} | {given['in']} | {kind(given['schema'])} | {_cell(given.get('description', ''))} |"
        yield ""
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"Body: {kind(content['schema'])} as `{media}`.\n"
        if "example" in content:
            yield f"```json\n{json.dumps(content['example'], indent=2)}\n```\n"
    yield f"Answer: {'; '.join(_answers(operation['responses']))}.\n"


def _answers(responses: Mapping[str, Any]) -> Iterator[str]:
    for code, told in responses.items():
        if code < "400":
            kinds = [kind(content["schema"]) for content in told.get("content", {}).values()]
            yield f"{code} {' '.join(kinds)}".strip()


def _records(openapi: Document) -> Iterator[str]:
    yield "## Records\n"
    for name, schema in openapi["components"]["schemas"].items():
        yield f"### {name}\n"
        yield schema.get("description", "") + "\n"
        if "properties" not in schema:
            yield f"{kind(schema)}\n"
            continue
        needed = schema.get("required", ())
        yield "| field | type | |\n|---|---|---|"
        for field, inner in schema["properties"].items():
            mark = "" if field in needed else " (may be left out)"
            yield f"| `{field}`{mark} | {kind(inner)} | {_cell(_said(inner))} |"
        yield ""


def _said(schema: Mapping[str, Any]) -> str:
    text = schema.get("description", "")
    return f"{text} Default: `{json.dumps(schema['default'])}`.".strip() if "default" in schema else text


def kind(schema: Mapping[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(kind(one) for one in schema["anyOf"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {kind(schema['items'])}"
    if isinstance(inner := schema.get("additionalProperties"), Mapping):
        return f"object of {kind(inner)}"
    return str(schema.get("format") or schema.get("type") or "any JSON")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def current() -> str:
    """The page for what this version of the code answers; nobody is asked anything, so no registry is needed."""
    nothing: Any = None
    return page(document(Api(nothing, nothing).router.routes))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(current(), "utf-8")
