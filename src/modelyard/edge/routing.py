"""Which handler an address means, and what it needs permission for.

Matching works on the address as sent, before percent-decoding: a name with a slash in it is one segment, and nothing a
client encodes can become a step to another route.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from modelyard.domain.errors import InvalidInput, MethodNotAllowed, NotFound
from modelyard.domain.permissions import Action, Principal
from modelyard.domain.spelling import quoted


class Public:
    """Stands where a permission would: this route tells everybody the same, and nothing about the registry."""


PUBLIC: Final = Public()


class Octets:
    """Stands for bytes of any kind where a shape would name a record."""


BYTES: Final = Octets()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What travels, for whoever describes the interface.

    Attributes:
        takes: Annotation of the JSON body; ``BYTES``: a stream; ``None``: nothing.
        gives: The same of the answer.
        status: Of a good answer.
        query: Annotation of each parameter behind the question mark; all of them may be left out.
    """

    takes: Any = None
    gives: Any = None
    status: int = 200
    query: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way: who asks, and what the address said."""

    request: Request
    principal: Principal
    path: Mapping[str, str]


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One row. There is none without a permission: ``PUBLIC`` has to be written out.

    Attributes:
        path: ``/api/v1/models/{name}``; a segment in braces is a parameter.
        action: What the caller needs, asked before the body is read; the handler asks again about the model it names.
        wide: Whether the action is asked of the registry as a whole here; otherwise the handler asks.
        shape: What travels; ``None`` where another table says it, or nobody has.
    """

    method: str
    path: str
    action: Action | Public
    handler: Handler
    wide: bool = False
    shape: Shape | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.action, Action | Public):
            raise TypeError(f"the route {self.path} has no permission: give an Action, or write out PUBLIC")


class Router:
    """Finds the route of a request."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._by_size: dict[int, list[tuple[tuple[str, ...], Route]]] = {}
        for route in self.routes:
            parts = tuple(route.path.split("/")[1:])
            self._by_size.setdefault(len(parts), []).append((parts, route))

    def match(self, method: str, raw_path: bytes) -> tuple[Route, dict[str, str]]:
        """The route, and the decoded parameters.

        Raises:
            NotFound: No such address.
            MethodNotAllowed: The address has other methods.
            InvalidInput: A segment is not UTF-8.
        """
        parts = raw_path.decode("latin-1").split("/")[1:]
        known: list[str] = []
        for pattern, route in self._by_size.get(len(parts), ()):
            if all(want == part or want[:1] == "{" for want, part in zip(pattern, parts, strict=True)):
                if route.method == method or (method == "HEAD" and route.method == "GET"):
                    named = zip(pattern, parts, strict=True)
                    return route, {want[1:-1]: _decoded(part) for want, part in named if want[:1] == "{"}
                known.append(route.method)
        if known:
            known += ["HEAD"] * ("GET" in known)
            raise MethodNotAllowed(
                f"this address takes {', '.join(known)}, not {method}", data={"allow": known}
            )
        raise NotFound(f"there is nothing at {quoted(raw_path.decode('latin-1'), 200)}")


def _decoded(part: str) -> str:
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the address holds {quoted(part)}, which is not UTF-8") from error
