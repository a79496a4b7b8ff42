"""The operations table as routes: one handler for every row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from modelyard.domain.errors import IntegrityError, TooLarge
from modelyard.domain.permissions import Action, Principal, can
from modelyard.edge.addresses import asked
from modelyard.edge.answers import as_problem
from modelyard.edge.bodies import read_json
from modelyard.edge.guard import Guarded
from modelyard.edge.guard import refuse as refuse
from modelyard.edge.needs import might
from modelyard.edge.routing import Call, Route
from modelyard.edge.trail import trail
from modelyard.ports.service import RegistryService
from modelyard.rest.headers import answered, precondition
from modelyard.rest.kept import Kept
from modelyard.wire.operations import PREFIX, TABLE, Operation, parse

BODY: Final = 10 * 1024 * 1024
"""Bytes of JSON taken at once."""

FACT: Final = 1024 * 1024
"""Characters of JSON in one fact, such as a description or all attributes."""

LISTS: Final = frozenset({"files", "bundle", "outcomes", "versions"})
"""What holds many records and is limited as a whole."""

BUNDLE: Final = 1024 * 1024 * 1024
"""Bytes of JSON that an administrator may import at once."""


HOT: Final = frozenset({"get_version", "get_model"})
"""What is asked most, and answered by a few point reads."""


@dataclass(frozen=True, slots=True)
class Operations:
    """Routes of every row, over one service.

    Attributes:
        kept: Given where point reads never wait, as in a local SQLite with a write-ahead log. What is ``HOT`` is then
            answered without a change of threads, which would cost more than the reads, and from what was answered
            before if nothing has changed. The price: the event loop does nothing else in those 0.1 ms.
    """

    service: RegistryService
    kept: Kept | None = None

    def routes(self) -> Iterator[Route]:
        """One per row."""
        for row in TABLE:
            yield Route(
                method=row.method,
                path=PREFIX + row.path,
                action=row.action,
                handler=self._handler(row),
                wide=row.action is Action.ADMINISTER,
            )

    def _handler(self, row: Operation) -> Any:
        async def handle(call: Call) -> Response:
            request = call.request
            if not might(call.principal, row):
                await run_in_threadpool(
                    Guarded(self.service, call.principal).deny, row.name, row.action, "anything here"
                )
            if row.has_body:
                body = await read_json(request, BUNDLE if "bundle" in row.parameters else BODY)
                return await run_in_threadpool(self._told, row, call, body)
            given = parse(row, call.path, asked(request), None)
            # Only where no is not a possible answer: a refusal is written down, and waits for the disk.
            if self.kept is not None and row.name in HOT and can(call.principal, row.action):
                return self._hot(self.kept, row, call, given)
            return await run_in_threadpool(self._answer, row, call.principal, given, request)

        return handle

    def _hot(self, kept: Kept, row: Operation, call: Call, given: dict[str, Any]) -> Response:
        """One who may read everything gets what everybody else who may gets, unless the headers ask for something."""
        request = call.request
        if any(name in request.headers for name in ("if-match", "if-none-match")):
            return self._answer(row, call.principal, given, request)
        question = (row.name, *given.values())
        return kept.given(question, lambda: self._answer(row, call.principal, given, request))

    def _told(self, row: Operation, call: Call, body: Any) -> Response:
        """For a thread: to read ten thousand records takes longer than others should wait."""
        check_facts(body)
        given = parse(row, call.path, asked(call.request), body)
        return self._answer(row, call.principal, given, call.request)

    def _answer(
        self, row: Operation, principal: Principal, given: dict[str, Any], request: Request
    ) -> Response:
        guarded = Guarded(self.service, principal)
        try:
            with (
                trail(request.scope).operation(row.name),
                precondition(row, guarded, request.headers, given) as meant,
            ):
                found = guarded.call(row, meant)
        except IntegrityError as error:
            if "bundle" not in row.parameters:
                raise
            # What does not fit together was sent just now; stored, it would be the server's own fault.
            return as_problem(error, request_id=trail(request.scope).request_id, status_code=422)
        return answered(row, found, request)


def check_facts(body: Any) -> None:
    """Refuse facts of a size that would make every list they stand in heavy. Lists of records are not facts.

    Raises:
        TooLarge: One has more than ``FACT`` characters of JSON.
    """
    if not isinstance(body, dict):
        return
    entries = body.get("versions")
    for facts in (body, *(entries if isinstance(entries, list) else ())):
        if isinstance(facts, dict):
            _check_facts(facts)


def _check_facts(body: dict[str, Any]) -> None:
    for name, value in body.items():
        if name in LISTS or not isinstance(value, str | dict | list):
            continue
        size = len(value) if isinstance(value, str) else len(json.dumps(value, ensure_ascii=False))
        if size > FACT:
            raise TooLarge(
                f"{name}: expected at most {FACT:,} characters of JSON, found {size:,}; keep it in a file",
                data={"field": name, "limit": FACT},
            )
