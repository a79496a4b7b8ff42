"""Production left empty, said at once: a move down or into the archive may have been meant for another version."""

from __future__ import annotations

from typing import Final

from modelyard.cli.session import Session
from modelyard.domain.errors import ModelyardError
from modelyard.domain.records import ModelVersion

LIVE: Final = "production"


def note(session: Session, before: ModelVersion) -> None:
    """Say so if a version that was in production has left it, and no other of its model is there."""
    if before.stage.value != LIVE or session.json or session.quiet:
        return
    try:
        live = session.open().list_models(name=before.name, stage=LIVE, limit=1)
    except ModelyardError:  # The move was made and told; a question afterwards must not make a failure of it.
        return
    if not live:
        session.note(f"note: no version of {before.name} is in {LIVE} now")
