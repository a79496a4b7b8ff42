"""Why something was done: a text that goes into the history, so it is made sure to be one."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from modelyard.domain.errors import InvalidInput
from modelyard.domain.names import check_text
from modelyard.ports.service import (
    CreateToken,
    Delete,
    DeleteAlias,
    EndSessions,
    Link,
    Promote,
    PromoteWinner,
    ProtectAlias,
    Reinstate,
    RevokeToken,
    RollBack,
    SetAlias,
    SetPolicy,
    StopExperiment,
    Unlink,
    Withdraw,
)

LIMIT = 10_000
"""Characters."""

Reasoned = TypeVar(
    "Reasoned",
    Promote,
    RollBack,
    SetAlias,
    DeleteAlias,
    ProtectAlias,
    SetPolicy,
    Delete,
    Link,
    Unlink,
    Withdraw,
    Reinstate,
    StopExperiment,
    PromoteWinner,
    CreateToken,
    RevokeToken,
    EndSessions,
)


def with_reason(request: Reasoned) -> Reasoned:
    """The request with its reason as text; ``None`` is no reason.

    Raises:
        InvalidInput: The reason is no text, or too long.
    """
    reason: object = request.reason
    if reason is None:
        return replace(request, reason="")
    if not isinstance(reason, str):
        raise InvalidInput(f"reason must be text, not {type(reason).__name__}")
    check_text(reason, LIMIT, "reason")
    return request
