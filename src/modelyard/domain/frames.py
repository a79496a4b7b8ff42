"""Tables for people who work in pandas, which is asked for only when a table is."""

from __future__ import annotations

from typing import Any

from modelyard.domain.errors import MissingDependency


def pandas_for(what: str) -> Any:
    """The pandas module.

    Raises:
        MissingDependency: It is not installed; ``what`` begins the message.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependency(
            f"{what} needs pandas, which is not installed: pip install pandas."
        ) from error
    return pd
