"""``modelyard gates``."""

from __future__ import annotations

from typing import Any

import click

from modelyard.cli import exits, refs, verdicts
from modelyard.cli.inputs import json_object
from modelyard.cli.options import stage_option, verb
from modelyard.cli.session import Session
from modelyard.domain.answers import Promotion
from modelyard.domain.text import plain


@verb("gates")
@click.argument("ref")
@stage_option("--target-stage", required=True, text="Where it would go.")
@click.option(
    "--requirements", type=json_object, metavar="JSON|FILE", help="Yours; they add to the policy's."
)
def command(session: Session, ref: str, target_stage: str, requirements: dict[str, Any] | None) -> int:
    """Exit code 4 says that the promotion would be refused.

    \b
    Example:
      modelyard gates fraud:1.2.0 --target-stage production \\
        --requirements '{"min_accuracy": 0.9}'
    """
    promotion = session.open().promote_model(ref, target_stage, requirements, dry_run=True)
    return show(session, promotion)


def show(session: Session, promotion: Promotion) -> int:
    """The verdict of a dry run, and the exit code that the real run would have."""
    verdict = promotion.verdict
    ref = refs.spelled(promotion.version)
    outcome = "would move to" if verdict.passed else "would be refused for"

    def lines() -> list[str]:
        headline = f"{plain(ref)} {outcome} {verdict.target.value}"
        return [
            session.paint(headline, "good" if verdict.passed else "bad"),
            *verdicts.lines(verdict, session.width, session.paint),
        ]

    session.answer(promotion, lines)
    if verdict.passed:
        session.next("promote", ref, "--target-stage", verdict.target.value)
    return exits.OK if verdict.passed else exits.REFUSED
