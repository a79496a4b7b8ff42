"""What a skops archive would construct: its ``schema.json`` names every class (skops.io's format, protocol 0 to 2)."""

from __future__ import annotations

import json
from typing import Any, Final

from modelyard.scanning.findings import Findings, Unreadable

MAX_SCHEMA: Final = 32 << 20
_OWN: Final = frozenset(
    {
        "builtins.NoneType",
        "numpy.random.MT19937",
        "numpy.random.bit_generator",
        "builtins.function",
        "builtins.type",
    }
)


def scan_schema(raw: bytes, findings: Findings) -> None:
    """Record every ``module.class`` of a schema. Objects are dropped while parsing, so memory stays near its size.

    Raises:
        Unreadable: It is not JSON.
    """

    def visit(pairs: list[tuple[str, Any]]) -> None:
        found = {key: value for key, value in pairs if key in ("__module__", "__class__")}
        module, name = found.get("__module__"), found.get("__class__")
        if isinstance(module, str) and isinstance(name, str):
            full = f"{module}.{name}"
            if full not in _OWN:
                findings.look_up(full)

    try:
        json.loads(raw, object_pairs_hook=visit)
    except (ValueError, RecursionError) as error:
        raise Unreadable("a skops schema that is not JSON") from error
