"""All the pickle streams of one source, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from modelyard.scanning import rules
from modelyard.scanning.findings import Findings, Unreadable
from modelyard.scanning.source import Source
from modelyard.scanning.tracer import HANDLERS, Tracer

MAX_STREAMS: Final = 10_000
_PROBE: Final = 2_000_000  # operations: a probe may not make a large text file slow


@dataclass(slots=True)
class Traced:
    """``wrapped``: joblib's placeholders were seen. ``root``: class of the first stream's outermost object, or ""."""

    wrapped: bool = False
    root: str = ""


def trace(source: Source, findings: Findings, *, arrays: bool = True, traced: Traced | None = None) -> Traced:
    """Follow every stream up to the end of the source, also those behind the first ``STOP``.

    Args:
        source: At the start of the first stream.
        findings: Where names and reasons go.
        arrays: Follow joblib's array data (``joblib.load``) or not (``pickle.load``).
        traced: Filled in as the walk goes, so that something is known even where it fails.

    Raises:
        Unreadable: The source does not end with a whole pickle.
    """
    traced = traced or Traced()
    for count in range(MAX_STREAMS):
        machine = Tracer(source, findings, arrays=arrays)
        try:
            machine.run()
        finally:
            traced.wrapped = traced.wrapped or machine.wrapped
        if count == 0:
            traced.root = machine.root
        if not source.peek(1):
            return traced
    raise Unreadable(f"more than {MAX_STREAMS} pickles in one file")


def probe(source: Source, findings: Findings) -> bool:
    """Is something that looks like text or data a pickle all the same? If it does anything as one, judge it as one.

    Old pickles have no magic number: ``cos\\nsystem\\n(S'id'\\ntR.`` is text, and any header may be the start of one.

    Returns:
        True if it is a pickle; only then, or if it names something on the deny list, is anything recorded.
    """
    head = source.peek(1)
    if not head or HANDLERS[head[0]] is HANDLERS[0xFF]:
        return False
    found = Findings()
    machine = Tracer(source, found, arrays=True)
    whole = _follow(machine, found, source)
    plausible = {name for name in found.names if _is_name(name)}
    if any(rules.named(name) for name in plausible):
        findings.absorb(found)
        return True
    if whole or (machine.called and plausible == found.names and plausible):
        findings.absorb(found)
        return True
    return False


def _follow(machine: Tracer, found: Findings, source: Source) -> bool:
    try:
        machine.run(_PROBE)
    except Unreadable as error:
        found.doubt(str(error))
        return False
    if source.peek(1):
        found.doubt("bytes after the end of the pickle")
    return True


def _is_name(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))
