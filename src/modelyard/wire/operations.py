"""Every question one can ask over HTTP, as one table. Server, client, OpenAPI file and permissions read the same rows.

A row says where a method of ``RegistryService`` is found; what it takes and gives is read from the method's own
annotations. Parameters named in the path travel there, the others as the query of a ``GET`` or ``DELETE`` and as a JSON
object otherwise; what has its default value does not travel at all.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache, cached_property
from types import NoneType
from typing import Any, Final, NoReturn, get_args, get_type_hints
from urllib.parse import quote

from modelyard.domain.errors import InvalidInput
from modelyard.domain.permissions import Action
from modelyard.domain.spelling import hint, quoted
from modelyard.ports.service import RegistryService
from modelyard.wire import query
from modelyard.wire.address import PREFIX as PREFIX
from modelyard.wire.codec import decode_as, encode

ABSENT: Final = object()

GET, POST, PUT, PATCH, DELETE = "GET", "POST", "PUT", "PATCH", "DELETE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One thing that an operation takes.

    Attributes:
        kind: Its annotation.
        default: What it is if it does not travel; ``ABSENT`` if it must.
    """

    name: str
    kind: Any
    default: Any


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One row.

    Attributes:
        name: The method of ``RegistryService``.
        path: Below ``PREFIX``; ``{names}`` in it are parameters, percent-encoded, slashes included.
        action: What the caller must be allowed to do; on what is told by ``about``.
        about: The parameter that names the model or version in question; empty: the registry as a whole.
        safe: Asking again changes nothing, so a lost answer may be asked for again.
    """

    name: str
    method: str
    path: str
    action: Action
    about: str = ""
    safe: bool = False

    @cached_property
    def request(self) -> type | None:
        """The dataclass that the method takes, or ``None`` if it takes plain arguments."""
        given = [p for p in _signature(self.name) if p.name == "request"]
        return given[0].kind if given else None

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """What travels, by name."""
        if self.request is None:
            return {p.name: p for p in _signature(self.name) if p.name != "progress"}
        hints = get_type_hints(self.request)
        return {
            f.name: Parameter(name=f.name, kind=hints[f.name], default=_default(f))
            for f in fields(self.request)
        }

    @cached_property
    def answer(self) -> Any:
        """What the method gives."""
        return get_type_hints(getattr(RegistryService, self.name))["return"]

    @cached_property
    def in_path(self) -> tuple[str, ...]:
        """Parameters that are part of the path, in order."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))

    @property
    def has_body(self) -> bool:
        """Whether the other parameters travel as a JSON object."""
        return self.method in (POST, PUT, PATCH)


def _default(field: Any) -> Any:
    if field.default is not MISSING:
        return field.default
    return ABSENT if field.default_factory is MISSING else field.default_factory()


@cache
def _signature(name: str) -> tuple[Parameter, ...]:
    method = getattr(RegistryService, name)
    hints = get_type_hints(method)
    given = [p for p in inspect.signature(method).parameters.values() if p.name != "self"]
    return tuple(
        Parameter(name=p.name, kind=hints[p.name], default=ABSENT if p.default is p.empty else p.default)
        for p in given
    )


# --- the caller's side -----------------------------------------------------------------------------------------------


def bind(
    operation: Operation, *given: Any, **named: Any
) -> tuple[str, list[tuple[str, str]], dict[str, Any] | None]:
    """A call as path (percent-encoded), query and JSON body."""
    values = _values(operation, given, named)
    path = operation.path
    for name in operation.in_path:
        path = path.replace(f"{{{name}}}", _segment(name, values.pop(name)), 1)
    travelling = {
        name: value for name, value in values.items() if _travels(operation.parameters[name], value)
    }
    if operation.has_body:
        return PREFIX + path, [], {name: _json(name, value) for name, value in travelling.items()}
    kinds = {name: parameter.kind for name, parameter in operation.parameters.items()}
    return PREFIX + path, query.write(travelling, kinds), None


def _segment(name: str, value: Any) -> str:
    """A parameter as part of a path, where dots alone would be a step to another one (RFC 3986, 5.2.4)."""
    if value in (".", ".."):
        raise InvalidInput(f"{name} must name something; {value!r} does not", data={"field": name})
    return quote(str(value), safe="")


def _travels(parameter: Parameter, value: Any) -> bool:
    """``None`` where it means nothing of its own is how a caller leaves something out."""
    if parameter.default is ABSENT:
        return True
    unsaid = value is None and NoneType not in get_args(parameter.kind)
    return not (unsaid or value is parameter.default or value == parameter.default)


def _json(name: str, value: Any) -> Any:
    try:
        return encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{name!r} may hold JSON values only: {error}", data={"field": name}) from error


def _values(operation: Operation, given: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
    if operation.request is None:
        return dict(zip(operation.parameters, given, strict=False)) | dict(named)
    (request,) = given
    return {f.name: getattr(request, f.name) for f in fields(request)}


# --- the server's side -----------------------------------------------------------------------------------------------


def parse(
    operation: Operation,
    path: Mapping[str, str],
    asked: list[tuple[str, str]],
    body: Any,
) -> dict[str, Any]:
    """Keyword arguments for the method, from what arrived. The inverse of :func:`bind`.

    Raises:
        InvalidInput: A parameter is unknown, missing, given twice or of the wrong type; the message names it.
    """
    given = query.read(asked, {n: p.kind for n, p in operation.parameters.items() if n not in path})
    if operation.has_body:
        given = _from_body(operation, body, given)
    values = dict(path) | given
    for name in values:
        if name not in operation.parameters:
            _refuse_unknown(name, operation)
    for name, parameter in operation.parameters.items():
        if name not in values and parameter.default is ABSENT:
            raise InvalidInput(f"{name!r} is missing", data={"field": name})
    return values if operation.request is None else {"request": operation.request(**values)}


def _from_body(operation: Operation, body: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    if given:
        raise InvalidInput(f"{min(given)!r} belongs into the JSON body, not into the address")
    if not isinstance(body, dict):
        raise InvalidInput(f"the body must be a JSON object, not {type(body).__name__}")
    read: dict[str, Any] = {}
    for name, value in body.items():
        if name in operation.in_path or name not in operation.parameters:
            _refuse_unknown(name, operation)
        try:
            read[name] = decode_as(operation.parameters[name].kind, value, name)
        except ValueError as error:
            raise InvalidInput(str(error), data={"field": name}) from error
    return read


def _refuse_unknown(name: str, operation: Operation) -> NoReturn:
    known = [n for n in operation.parameters if n not in operation.in_path]
    raise InvalidInput(
        f"{operation.name} takes no {quoted(name)} here; it takes: {', '.join(known) or 'nothing'}."
        f"{hint(name, known)}",
        data={"field": name},
    )


def answer(operation: Operation, data: Any) -> Any:
    """What the method gave, from the JSON that travelled."""
    return decode_as(operation.answer, data, operation.name)


TABLE: Final[tuple[Operation, ...]] = (
    # versions
    Operation(
        name="create_version", method=POST, path="/models/{name}/versions", action=Action.WRITE, about="name"
    ),
    Operation(name="create_versions", method=POST, path="/versions", action=Action.WRITE),
    Operation(
        name="get_version", method=GET, path="/versions/{ref}", action=Action.READ, about="ref", safe=True
    ),
    Operation(
        name="get_model", method=GET, path="/models/{name}", action=Action.READ, about="name", safe=True
    ),
    Operation(name="search", method=GET, path="/versions", action=Action.READ, safe=True),
    Operation(name="list_models", method=GET, path="/models", action=Action.READ, safe=True),
    Operation(
        name="record_metrics", method=POST, path="/versions/{ref}/metrics", action=Action.WRITE, about="ref"
    ),
    Operation(
        name="record_check", method=POST, path="/versions/{ref}/checks", action=Action.WRITE, about="ref"
    ),
    Operation(name="annotate", method=PATCH, path="/versions/{ref}", action=Action.WRITE, about="ref"),
    Operation(name="delete", method=DELETE, path="/versions/{ref}", action=Action.WRITE, about="ref"),
    Operation(
        name="undelete", method=POST, path="/versions/{ref}/undelete", action=Action.WRITE, about="ref"
    ),
    Operation(name="link", method=POST, path="/versions/{ref}/links", action=Action.WRITE, about="ref"),
    Operation(name="unlink", method=DELETE, path="/versions/{ref}/links", action=Action.WRITE, about="ref"),
    Operation(name="withdraw", method=POST, path="/withdrawals", action=Action.WRITE, about="target"),
    Operation(name="reinstate", method=POST, path="/reinstatements", action=Action.PROMOTE, about="target"),
    # pointers and rules
    Operation(
        name="promote", method=POST, path="/versions/{ref}/promotion", action=Action.PROMOTE, about="ref"
    ),
    Operation(
        name="roll_back", method=POST, path="/versions/{ref}/rollback", action=Action.PROMOTE, about="ref"
    ),
    Operation(
        name="set_alias",
        method=PUT,
        path="/models/{model}/aliases/{alias}",
        action=Action.PROMOTE,
        about="model",
    ),
    Operation(
        name="delete_alias",
        method=DELETE,
        path="/models/{model}/aliases/{alias}",
        action=Action.PROMOTE,
        about="model",
    ),
    Operation(
        name="protect_alias",
        method=PUT,
        path="/models/{model}/aliases/{alias}/protection",
        action=Action.GOVERN,
        about="model",
    ),
    Operation(
        name="set_policy", method=PUT, path="/models/{model}/policy", action=Action.GOVERN, about="model"
    ),
    # experiments
    Operation(
        name="begin_experiment",
        method=POST,
        path="/models/{model}/experiments",
        action=Action.WRITE,
        about="model",
        safe=True,
    ),
    Operation(
        name="get_experiment",
        method=GET,
        path="/experiments/{experiment}",
        action=Action.READ,
        about="experiment",
        safe=True,
    ),
    Operation(
        name="list_experiments", method=GET, path="/experiments", action=Action.READ, about="model", safe=True
    ),
    Operation(
        name="record_outcomes",
        method=POST,
        path="/experiments/{experiment_id}/outcomes",
        action=Action.WRITE,
        about="experiment_id",
        safe=True,
    ),
    Operation(
        name="count_exposures",
        method=PUT,
        path="/experiments/{experiment_id}/exposures/{writer}",
        action=Action.WRITE,
        about="experiment_id",
        safe=True,
    ),
    Operation(
        name="judge_experiment",
        method=GET,
        path="/experiments/{experiment}/verdict",
        action=Action.READ,
        about="experiment",
        safe=True,
    ),
    Operation(
        name="stop_experiment",
        method=POST,
        path="/experiments/{experiment_id}/stop",
        action=Action.WRITE,
        about="experiment_id",
    ),
    Operation(
        name="promote_winner",
        method=POST,
        path="/experiments/{experiment_id}/promotion",
        action=Action.PROMOTE,
        about="experiment_id",
    ),
    # questions
    Operation(name="compare", method=GET, path="/comparison", action=Action.READ, about="a", safe=True),
    Operation(
        name="lineage", method=GET, path="/versions/{ref}/lineage", action=Action.READ, about="ref", safe=True
    ),
    Operation(
        name="lineage_graph",
        method=GET,
        path="/versions/{ref}/graph",
        action=Action.READ,
        about="ref",
        safe=True,
    ),
    Operation(name="affected", method=GET, path="/affected", action=Action.READ, about="target", safe=True),
    Operation(name="history", method=GET, path="/history", action=Action.READ, about="ref", safe=True),
    Operation(
        name="as_of", method=GET, path="/models/{model}/as-of", action=Action.READ, about="model", safe=True
    ),
    Operation(
        name="status", method=GET, path="/models/{name}/status", action=Action.READ, about="name", safe=True
    ),
    Operation(name="stats", method=GET, path="/stats", action=Action.READ, safe=True),
    # care
    Operation(name="retire", method=POST, path="/care/retire", action=Action.ADMINISTER),
    Operation(name="collect", method=POST, path="/care/collect", action=Action.ADMINISTER),
    Operation(name="check", method=POST, path="/care/check", action=Action.ADMINISTER),
    Operation(name="verify_audit", method=GET, path="/audit/proof", action=Action.AUDIT, safe=True),
    Operation(name="export", method=POST, path="/export", action=Action.ADMINISTER, safe=True),
    Operation(name="check_import", method=POST, path="/import/check", action=Action.ADMINISTER, safe=True),
    Operation(name="import_", method=POST, path="/import", action=Action.ADMINISTER),
    # who may call
    Operation(name="create_token", method=POST, path="/tokens", action=Action.ADMINISTER),
    Operation(name="list_tokens", method=GET, path="/tokens", action=Action.ADMINISTER, safe=True),
    Operation(name="revoke_token", method=POST, path="/tokens/{token}/revocation", action=Action.ADMINISTER),
    Operation(name="list_sessions", method=GET, path="/sessions", action=Action.ADMINISTER, safe=True),
    Operation(name="end_sessions", method=POST, path="/sessions/{who}/end", action=Action.ADMINISTER),
)
"""All operations on records; bytes are streamed and have routes of their own."""

BY_NAME: Final[Mapping[str, Operation]] = {row.name: row for row in TABLE}
