"""The server: processes that open one registry and answer for it over HTTP.

``plan`` is what somebody wants of it and what of that is refused; ``app`` puts the parts together that answer;
``connections`` and ``process`` hold one event loop to its promises about slow callers and about stopping; ``workers``
keeps several such processes alive.
"""

from __future__ import annotations

from modelyard.domain.errors import MissingDependency

try:
    import httptools  # noqa: F401
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError as error:
    raise MissingDependency("a server needs more packages: pip install 'modelyard[server]'") from error

from modelyard.server.app import build
from modelyard.server.plan import Plan
from modelyard.server.start import Started, serve

__all__ = ["Plan", "Started", "build", "serve"]
