"""What machines ask about a server: whether it lives, whether to send it callers, what it did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from modelyard.domain.permissions import Action
from modelyard.edge.answers import QUIET, as_json
from modelyard.edge.metrics import CONTENT_TYPE
from modelyard.edge.routing import PUBLIC, Call, Route
from modelyard.ports.service import RegistryService

PATIENCE: Final = 5.0
"""Seconds after which a database or a store that does not answer counts as gone."""

_NOBODYS: Final = "sha256:" + "0" * 64


class Health:
    """Routes about the server itself. ``/healthz``, which needs nothing, is the API's own.

    Args:
        is_draining: Whether the server was told to stop.
        figures: What ``/metrics`` answers.
    """

    def __init__(
        self, service: RegistryService, *, is_draining: Callable[[], bool], figures: Callable[[], str]
    ) -> None:
        self._service, self._is_draining, self._figures = service, is_draining, figures

    def routes(self) -> Iterator[Route]:
        """All of them."""
        yield Route(method="GET", path="/readyz", action=PUBLIC, handler=self.ready)
        yield Route(method="GET", path="/metrics", action=Action.AUDIT, handler=self.metrics, wide=True)

    async def ready(self, call: Call) -> Response:
        """Whether database and store answer and the server goes on: 200, or 503 with what is missing."""
        missing = ["stopping"] if self._is_draining() else await self._missing()
        if missing:
            return as_json(
                {"status": "not ready", "missing": missing}, status_code=503, headers={"Retry-After": "2"}
            )
        return as_json({"status": "ready"})

    async def _missing(self) -> list[str]:
        questions = {
            "database": lambda: self._service.list_models(limit=1),
            "store": lambda: self._service.has_blob(_NOBODYS),
        }
        return [name for name, ask in questions.items() if not await self._answers(ask)]

    async def _answers(self, ask: Callable[[], object]) -> bool:
        try:
            with anyio.fail_after(PATIENCE):
                await anyio.to_thread.run_sync(ask, abandon_on_cancel=True)
        except Exception:  # whatever it is, callers must not be sent here
            return False
        return True

    async def metrics(self, call: Call) -> Response:
        """Figures in Prometheus' text format."""
        return Response(await run_in_threadpool(self._figures), 200, QUIET, CONTENT_TYPE)
