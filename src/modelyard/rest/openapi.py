"""The interface as an OpenAPI 3.1 document, made from the routes that answer and the annotations that read.

Nothing is written down twice, so the document cannot promise what the server does not do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from importlib.metadata import PackageNotFoundError, version
from types import NoneType, UnionType
from typing import Any, Final, get_args, get_origin

from modelyard.domain.errors import ModelyardError
from modelyard.domain.records import Model, ModelVersion
from modelyard.edge.routing import BYTES, Public, Route, Shape
from modelyard.ports.service import RegistryService
from modelyard.rest.docstrings import fields_told, first_sentence, told
from modelyard.rest.examples import BODIES, PATHS, QUERIES
from modelyard.rest.headers import MADE
from modelyard.rest.schemas import Schema, Schemas, default
from modelyard.wire.operations import ABSENT, PREFIX, TABLE, Operation, Parameter
from modelyard.wire.problems import CLASSES, MEDIA_TYPE
from modelyard.wire.query import NOTHING

INTRO: Final = """\
A model registry. Every version of a model is a list of files, addressed by their sha256, with facts; stages and aliases
point at versions and move under rules.

*References.* A parameter called `ref` takes `fraud` (the newest version), `fraud:1.4.0`, `fraud:^1`, `fraud#7`,
`fraud@champion`, `fraud@production`, `fraud@champion~1` or a version's id. In an address everything but letters, digits
and `-._~` is percent-encoded, slashes included.

*Errors* have one shape, `Problem`. Programs decide by `code`; `detail` and `reasons` are for people.

*Lists* come in pages: while an answer's `next` is not null, ask again with `after` set to it.
"""

TOLD: Final[Mapping[str, str]] = {
    "get_version": "The version that a reference names.",
    "get_model": "A model: its aliases, its policy, who holds which stage.",
    "list_models": "Models by name. `contains`: part of a name, description or tag, in any case.",
    "undelete": "Bring a deleted version back, as long as its bytes were not collected.",
    "get_experiment": "An experiment, by its id or by a name that only one has.",
    "list_experiments": "Experiments, of one model or of all.",
    "judge_experiment": "What an experiment shows by now.",
    "compare": "Two versions side by side: which is better, by how much, how sure that is.",
    "lineage": "A version and what it was made from, nearest first.",
    "affected": "What depends on a version, a data set or another source.",
    "status": "What is live, since when, by whose decision, and can it be undone.",
    "stats": "The registry in numbers.",
    "verify_audit": "Read every chain of events from its start.",
    "export": "Everything of some models, or of all, as records.",
    "check_import": "Whether a bundle's records could be imported. Changes nothing.",
    "import_": "Import a bundle's records; their bytes must be here.",
    "list_tokens": "Tokens, without their secrets.",
    "list_sessions": "Sessions of people who logged in, without their secrets.",
}
"""Operations that have no request class whose docstring would tell."""

PROBLEM: Final[Schema] = {
    "type": "object",
    "description": "What was wrong, and what to do (RFC 9457).",
    "required": ["type", "title", "status", "code", "detail", "reasons", "data"],
    "properties": {
        "type": {"type": "string", "description": "`urn:modelyard:problem:` and the code."},
        "title": {"type": "string", "description": "The code in words."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "code": {"type": "string", "description": "Stable; for programs.", "examples": sorted(CLASSES)},
        "detail": {"type": "string", "description": "For people: what, what was expected, what to do."},
        "reasons": {"type": "array", "items": {"type": "string"}, "description": "Single causes."},
        "data": {"type": "object", "additionalProperties": True, "description": "Values for programs."},
        "request_id": {"type": "string", "description": "By which the server's log knows the request."},
    },
}
FAILURES: Final[Mapping[int, str]] = {
    400: "Malformed: a value, a name, a query, the JSON itself.",
    401: "No token, or one that is unknown, expired or revoked.",
    403: "The caller's role does not permit it.",
    404: "What was named is not there, or not for this caller to see.",
    405: "The address has other methods; `Allow` names them.",
    409: "Somebody else moved first, or the name is taken by something else.",
    412: "A gate refused (`reasons` has one line for each failed rule), or the record is not what `If-Match` names.",
    413: "More than is taken at once.",
    415: "The body is neither JSON nor, where bytes are sent, bytes.",
    416: "The range lies outside of the bytes.",
    421: "The address names another host.",
    422: "Well formed, but a rule forbids it.",
    429: "Too many calls; `Retry-After` says when the next may come.",
    431: "The headers are too large.",
    500: "The server failed; its log has the request's id.",
    501: "A documented limit of this server.",
    503: "The disk or the database said no, or the server is busy; try again.",
    507: "No space left.",
}
"""What may go wrong anywhere."""

HEADERS: Final[Mapping[str, tuple[str, str]]] = {
    "idempotency_key": (
        "Idempotency-Key",
        "Any text of yours. Repeating the call with the same key and the same body gives the same answer.",
    ),
    "revision": ("If-Match", "An `ETag` as it was given: fail with 412 if the record changed since."),
}
"""Fields of a request that may travel as a header as well."""

Document = dict[str, Any]


def document(routes: Iterable[Route]) -> Document:
    """All routes below ``PREFIX``."""
    shown = [r for r in routes if r.path.startswith(PREFIX + "/") and not r.path.startswith(f"{PREFIX}/docs")]
    rows = {(row.method, PREFIX + row.path): row for row in TABLE}
    schemas = Schemas([p.kind for row in TABLE if row.has_body for p in row.parameters.values()])
    paths: dict[str, dict[str, Any]] = {}
    for route in shown:
        row = rows.get((route.method, route.path))
        entry = _row(row, schemas) if row else _other(route, schemas)
        public: Document = {"security": []} if isinstance(route.action, Public) else {}
        entry["responses"] |= _failures()
        paths.setdefault(route.path, {})[route.method.lower()] = entry | public
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {"title": "Modelyard", "version": _version(), "description": INTRO, "license": LICENSE},
        "servers": [{"url": "/", "description": "The server that this document came from."}],
        "security": [{"token": []}],
        "tags": [{"name": name} for name in dict.fromkeys(_tag(route.path) for route in shown)],
        "paths": paths,
        "components": {
            "schemas": dict(sorted((schemas.components | {"Problem": PROBLEM}).items())),
            "responses": {f"Problem{code}": _failure(code, text) for code, text in FAILURES.items()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


LICENSE: Final = {"name": "Apache-2.0", "identifier": "Apache-2.0"}


def _version() -> str:
    try:
        return version("modelyard")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0"


def _tag(path: str) -> str:
    return path.removeprefix(PREFIX).split("/")[1]


def _failures() -> dict[str, Any]:
    return {str(code): {"$ref": f"#/components/responses/Problem{code}"} for code in FAILURES}


def _failure(code: int, text: str) -> Document:
    problem = {"$ref": "#/components/schemas/Problem"}
    return {"description": text, "content": {MEDIA_TYPE: {"schema": problem}}}


# --- rows of the table -----------------------------------------------------------------------------------------------


def _row(row: Operation, schemas: Schemas) -> Document:
    text = description(row)
    entry: Document = {
        "operationId": row.name.strip("_"),
        "tags": [_tag(PREFIX + row.path)],
        "summary": first_sentence(text),
        "description": text,
        "parameters": [*_parameters(row, schemas), *_headers(row)],
        "responses": _answer(row.answer, 201 if row.name in MADE else 200, schemas),
    }
    if row.has_body:
        entry["requestBody"] = _body(row, schemas)
    if _tagged(row.answer) and row.method == "GET":
        entry["responses"]["304"] = {"description": "As it was when its `ETag` was given."}
    return entry


def description(row: Operation) -> str:
    """What a row does, in words.

    Raises:
        ModelyardError: Nobody has said it.
    """
    found = TOLD.get(row.name) or told(row.request) or told(getattr(RegistryService, row.name))
    if not found:
        raise ModelyardError(f"the operation {row.name!r} has no description: give its request a docstring")
    return found


def _parameters(row: Operation, schemas: Schemas) -> Iterator[Document]:
    texts = {} if row.request is None else fields_told(row.request)
    for name in row.in_path:
        yield _in_path(name, texts.get(name, ""))
    if row.has_body:
        return
    examples = QUERIES.get(row.name, {})
    for name, parameter in row.parameters.items():
        if name in row.in_path:
            continue
        shown: Document = {"name": name, "in": "query", "required": parameter.default is ABSENT}
        shown["schema"] = _in_query(parameter, schemas)
        if texts.get(name):
            shown["description"] = texts[name]
        if name in examples:
            shown["example"] = examples[name]
        yield shown


def _in_path(name: str, text: str = "") -> Document:
    shown: Document = {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    }
    text = text or ("A reference to a version." if name == "ref" else "")
    return (
        shown | ({"description": text} if text else {}) | ({"example": PATHS[name]} if name in PATHS else {})
    )


def _in_query(parameter: Parameter, schemas: Schemas) -> Schema:
    """Addresses hold texts: there a missing value is a word, and only where leaving it out means something else."""
    members = get_args(parameter.kind) or (parameter.kind,)
    if parameter.default is None or NoneType not in members:
        return schemas.of(next(m for m in members if m is not NoneType)) | default(parameter.default)
    (meant,) = [m for m in members if m is not NoneType]
    return {"anyOf": [schemas.of(meant), {"const": NOTHING}]} | default(parameter.default)


def _headers(row: Operation) -> Iterator[Document]:
    for field, (name, text) in HEADERS.items():
        if field in row.parameters:
            yield {"name": name, "in": "header", "schema": {"type": "string"}, "description": text}
    if _tagged(row.answer) and row.method == "GET":
        text = "The `ETag` of what one has: 304 if it is still that."
        yield {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}, "description": text}


def _body(row: Operation, schemas: Schemas) -> Document:
    name = "".join(word.capitalize() for word in row.name.split("_")) + "Request"
    inner = {n: p for n, p in row.parameters.items() if n not in row.in_path}
    if row.request is not None:
        schema = schemas.object(row.request, {n: p.kind for n, p in inner.items()}, taken=True)
    else:
        schema = {"description": description(row)} | _loose(inner, schemas)
    schemas.components[name] = schema
    content: Document = {"schema": {"$ref": f"#/components/schemas/{name}"}}
    if row.name in BODIES:
        content["example"] = BODIES[row.name]
    return {"required": bool(schema.get("required")), "content": {"application/json": content}}


def _loose(parameters: Mapping[str, Parameter], schemas: Schemas) -> Schema:
    """Plain arguments as an object."""
    properties = {name: schemas.of(p.kind) | default(p.default) for name, p in parameters.items()}
    needed = [name for name, p in parameters.items() if p.default is ABSENT]
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": needed} if needed else {})


def _answer(kind: Any, status: int, schemas: Schemas) -> Document:
    if kind is NoneType or kind is None:
        return {"204": {"description": "Done."}}
    good: Document = {"description": told(kind) if is_dataclass(kind) else "The answer."}
    good["description"] = first_sentence(good["description"])
    good["content"] = {"application/json": {"schema": schemas.of(kind)}}
    if _tagged(kind):
        text = "The record's revision, for `If-Match` and `If-None-Match`."
        good["headers"] = {"ETag": {"schema": {"type": "string"}, "description": text}}
    return {str(status): good}


def _tagged(kind: Any) -> bool:
    """Whether an answer is a record that carries a revision."""
    members = get_args(kind) if get_origin(kind) is UnionType else (kind,)
    return bool({*members} & {ModelVersion, Model})


# --- other routes ----------------------------------------------------------------------------------------------------

_OCTETS: Final = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_ANY: Final = Shape(takes=Any, gives=Any)


def _other(route: Route, schemas: Schemas) -> Document:
    """A route that another part added, as its shape and its handler's docstring tell."""
    text, shape = told(route.handler), route.shape or _ANY
    entry: Document = {
        "operationId": _operation_id(route),
        "tags": [_tag(route.path)],
        "summary": first_sentence(text),
        "description": text,
        "parameters": [
            *(_in_path(name) for name in re.findall(r"{(\w+)}", route.path)),
            *({"name": n, "in": "query", "schema": schemas.of(k)} for n, k in shape.query.items()),
        ],
        "responses": _given(shape, schemas),
    }
    if shape.takes is BYTES:
        entry["requestBody"] = {"required": True, "content": _OCTETS}
    elif shape.takes is not None and route.method in ("POST", "PUT", "PATCH"):
        entry["requestBody"] = {"content": {"application/json": {"schema": schemas.of(shape.takes)}}}
    return entry


def _operation_id(route: Route) -> str:
    """``put_blob`` for ``PUT /blobs/{digest}``, ``post_blobs_missing`` for ``POST /blobs/missing``."""
    words = route.path.removeprefix(PREFIX).split("/")[1:]
    named = [
        w.rstrip("s") if after.startswith("{") else w
        for w, after in zip(words, [*words[1:], ""], strict=True)
    ]
    return "_".join([route.method.lower(), *(re.sub(r"\W", "_", w) for w in named if not w.startswith("{"))])


def _given(shape: Shape, schemas: Schemas) -> Document:
    if shape.gives is BYTES:
        part = {"206": {"description": "The part that `Range` asks for.", "content": _OCTETS}}
        elsewhere = {"307": {"description": "`Location` says where the bytes are for some minutes."}}
        return {str(shape.status): {"description": "The bytes.", "content": _OCTETS}} | part | elsewhere
    if shape.gives is None:
        return {str(shape.status): {"description": "Done."}}
    return _answer(shape.gives, shape.status, schemas)
