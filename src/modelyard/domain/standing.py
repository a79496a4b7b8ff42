"""What an error has to say that comes after a change was made: the change stands, and only what follows failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from modelyard.domain.errors import ModelyardError


@contextmanager
def standing(what: str) -> Iterator[None]:
    """What is asked or done after a change. An error keeps its class, reasons and data.

    Args:
        what: What was done, such as ``fraud:1.0.0 is registered``.
    """
    try:
        yield
    except ModelyardError as error:
        detail = f"{what} and stays so, but what follows failed: {error.detail}"
        raise type(error)(detail, reasons=error.reasons, data=error.data) from error
