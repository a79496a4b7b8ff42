"""``modelyard promote``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from modelyard.cli import refs, vacancy
from modelyard.cli.commands import gates
from modelyard.cli.inputs import json_object
from modelyard.cli.options import reason_option, stage_option, verb
from modelyard.cli.session import Session
from modelyard.domain.answers import Promotion
from modelyard.domain.errors import ModelyardError
from modelyard.domain.records import ModelVersion

if TYPE_CHECKING:
    from modelyard.registry import ModelRegistry


@verb("promote")
@click.argument("ref")
@stage_option("--target-stage", required=True, text="Where it goes.")
@click.option(
    "--requirements", type=json_object, metavar="JSON|FILE", help="Yours; they add to the policy's."
)
@reason_option()
@click.option("--expected", metavar="REF", help="Only if this version holds the stage now; '' for nobody.")
@click.option("--keep-existing", is_flag=True, help="Present holders stay, where the policy lets several.")
@click.option("--archive-existing", is_flag=True, help="The displaced one goes to archived, not deprecated.")
@click.option("--force", is_flag=True, help="Although it was withdrawn; then --reason is needed.")
@click.option("--dry-run", is_flag=True, help="Judge and move nothing.")
def command(
    session: Session,
    ref: str,
    target_stage: str,
    requirements: dict[str, Any] | None,
    expected: str | None,
    dry_run: bool,
    **how: Any,
) -> int | None:
    """The model's own policy and your requirements must both be met.

    \b
    Examples:
      modelyard promote fraud:1.2.0 --target-stage staging
      modelyard promote fraud:1.2.0 --target-stage production \\
        --requirements rules.json --reason "beats 1.1"
    """
    if expected is not None:
        how["expected"] = expected or None
    registry = session.open()
    before = registry.get_model(ref)
    promotion = registry.promote_model(before.model_id, target_stage, requirements, dry_run=dry_run, **how)
    if dry_run:
        return gates.show(session, promotion)
    room = [] if session.json else [_spelled(registry, displaced) for displaced in promotion.displaced]
    _say(session, promotion, room, before)
    return None


def _spelled(registry: ModelRegistry, displaced: str) -> str:
    """What made room, as people know it; by its id where a look fails, as the move is made by then."""
    try:
        return refs.spelled(registry.get_model(displaced))
    except ModelyardError:
        return displaced


def _say(session: Session, promotion: Promotion, room: list[str], before: ModelVersion) -> None:
    version = promotion.version
    ref = refs.spelled(version)
    if promotion.moved:
        text = f"{ref} (#{version.number}) is in {version.stage.value} now"
    else:
        text = f"{ref} (#{version.number}) was in {version.stage.value} already; nothing changed"
    if room:
        text += f"; {', '.join(room)} made room"
    session.done(promotion, text)
    if not session.json:
        for warning in promotion.verdict.warnings:
            session.note(f"note: {warning}")
    vacancy.note(session, before)
    if promotion.moved and version.stage.value == "production":
        session.next("rollback", version.name, "--drill")
    elif promotion.moved and version.stage.value == "staging":
        session.next("gates", ref, "--target-stage", "production")
