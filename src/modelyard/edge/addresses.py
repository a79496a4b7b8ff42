"""What stands behind the question mark of an address, read strictly."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from modelyard.domain.errors import InvalidInput
from modelyard.domain.spelling import hint, quoted

MANY: Final = 1000
"""Parameters that one address may have."""


def asked(request: Request) -> list[tuple[str, str]]:
    """Names and texts in order.

    Raises:
        InvalidInput: Not percent-encoded UTF-8, or more than ``MANY``.
    """
    try:
        text = request.scope.get("query_string", b"").decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MANY)
    except UnicodeError as error:
        raise InvalidInput("what stands behind the '?' must be percent-encoded UTF-8") from error
    except ValueError as error:
        raise InvalidInput(f"what stands behind the '?' cannot be read: {error}") from error


def check_names(request: Request, known: Collection[str]) -> None:
    """Refuse what nobody reads: a slip would be passed over in silence, and a secret would be written to logs.

    Raises:
        InvalidInput: A parameter is unknown.
    """
    for name, _ in asked(request):
        if name not in known:
            raise InvalidInput(
                f"this address takes no {quoted(name)}; it takes: {', '.join(known) or 'nothing'}.{hint(name, known)}",
                data={"field": name[:100]},
            )
