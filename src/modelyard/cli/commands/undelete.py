"""``modelyard undelete``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modelyard.cli import refs
from modelyard.cli.options import verb
from modelyard.cli.session import Session
from modelyard.domain.errors import NotFound
from modelyard.domain.records import ModelVersion

if TYPE_CHECKING:
    from modelyard.registry import ModelRegistry


@verb("undelete")
@click.argument("ref")
def command(session: Session, ref: str) -> None:
    """Possible until gc has collected its bytes.

    Example: modelyard undelete fraud:1.0.0
    """
    registry = session.open()
    living = _living(registry, ref)
    if living is not None:
        session.done(
            living, f"{refs.spelled(living)} (#{living.number}) was not deleted{_others(registry, living)}"
        )
        return
    version = registry.undelete_model(ref)
    session.done(version, f"{refs.spelled(version)} (#{version.number}) is back, in {version.stage.value}")


def _living(registry: ModelRegistry, ref: str) -> ModelVersion | None:
    """The version that the ref names already; a bare name is the latest living one, never a deleted one."""
    try:
        return registry.get_model(ref)
    except NotFound:
        return None


def _others(registry: ModelRegistry, living: ModelVersion) -> str:
    """The model's deleted versions that could come back, for somebody who meant one of them."""
    found = registry.list_models(name=living.name, include_deleted=True)
    deleted = [refs.spelled(version) for version in found if version.deleted and version.collected_at is None]
    return f"; deleted are {', '.join(deleted[:5])}{' ...' if len(deleted) > 5 else ''}" if deleted else ""
