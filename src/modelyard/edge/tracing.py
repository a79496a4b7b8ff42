"""Requests as OpenTelemetry spans: one for each request, one below it for what was asked of the registry.

Loaded only where tracing was switched on. What is in a span: the route with its parameters still in braces, the method,
the status, the request id under which the log knows the request, bytes, and the code of an error. What is not: names of
models, of people or of addresses, queries, headers, bodies, tokens, and texts of errors.

Where spans go is said by OpenTelemetry's own variables, such as ``OTEL_EXPORTER_OTLP_ENDPOINT``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from modelyard.domain.errors import ModelyardError
from modelyard.edge.trail import Trail

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

NAME: Final = "modelyard"
UNKNOWN: Final = "_OTHER"
"""What OpenTelemetry calls a method that is none of the usual ones: callers must not make up values."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
FLUSH: Final = 3.0
"""Seconds: how long the end of a process waits for its last spans to be taken."""

_CALLERS: Final = TraceContextTextMapPropagator()


class Spans:
    """Makes spans of requests. Thread-safe.

    Args:
        provider: Where they go; closed by :meth:`close`.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(NAME)

    @contextmanager
    def request(self, scope: Mapping[str, Any], notes: Trail) -> Iterator[None]:
        """A span around a request, current in everything that happens for it, in other threads too.

        A caller's own trace (W3C Trace Context) is linked to and never continued: a stranger must not decide what is
        kept here, or write into somebody's trace.
        """
        method = scope["method"] if scope["method"] in METHODS else UNKNOWN
        span = self._tracer.start_span(
            method,
            context=trace.set_span_in_context(trace.INVALID_SPAN),
            kind=SpanKind.SERVER,
            links=_links(scope),
        )
        with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield
            finally:
                _tell(span, method, notes)

    @contextmanager
    def operation(self, name: str) -> Iterator[None]:
        """A span around what is asked of the registry.

        Args:
            name: Of the operation, such as ``create_version``.
        """
        with self._tracer.start_as_current_span(
            f"registry.{name}", record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except ModelyardError as error:
                span.set_attribute("error.type", error.code)
                raise
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise

    def close(self) -> None:
        """Send what is left, for ``FLUSH`` seconds at most.

        On a thread that ends with the process: the exporter waits for a silent collector as long as it likes.
        """
        ending = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        ending.start()
        ending.join(FLUSH)


def _tell(span: Span, method: str, notes: Trail) -> None:
    if notes.route:
        span.update_name(notes.route)
        span.set_attribute("http.route", notes.route.partition(" ")[2])
    span.set_attribute("http.request.method", method)
    span.set_attribute("http.response.status_code", notes.status)
    span.set_attribute("http.request.body.size", notes.received)
    span.set_attribute("http.response.body.size", notes.sent)
    span.set_attribute("modelyard.request_id", notes.request_id)
    if notes.status >= 500 or not notes.status:
        span.set_status(Status(StatusCode.ERROR))


def _links(scope: Mapping[str, Any]) -> list[Link]:
    headers = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope["headers"]
        if name in (b"traceparent", b"tracestate")
    }
    if not headers:
        return []
    theirs = trace.get_current_span(_CALLERS.extract(headers)).get_span_context()
    return [Link(theirs)] if theirs.is_valid else []


def exporting() -> Spans:
    """Spans sent by OTLP over HTTP, in the background; an unreachable collector costs spans, never requests."""
    from importlib.metadata import version

    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({SERVICE_VERSION: version(NAME)})
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):  # no variable names it
        resource = resource.merge(Resource({SERVICE_NAME: NAME}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)  # it would wait once more
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Spans(provider)
