"""``modelyard rollback``."""

from __future__ import annotations

from typing import Any

import click

from modelyard.cli import exits, refs, render
from modelyard.cli.options import reason_option, verb
from modelyard.cli.session import Session
from modelyard.domain.answers import Rollback
from modelyard.domain.text import plain


@verb("rollback")
@click.argument("ref")
@click.option(
    "--target-version",
    metavar="LABEL",
    help="This version instead of the last good one: a label, #3 or a ref.",
)
@click.option("--drill", is_flag=True, help="Prove everything, move nothing.")
@click.option("--no-load-check", is_flag=True, help="Do not try to load the candidate first.")
@click.option(
    "--trust",
    multiple=True,
    metavar="PATTERN",
    help="Classes that the load check may use, such as my_pkg.*; repeat.",
)
@reason_option()
def command(
    session: Session, ref: str, no_load_check: bool, trust: tuple[str, ...], **how: Any
) -> int | None:
    """REF is a model (its production), a version of it, or an alias such as fraud@champion.

    The candidate is proven before anything moves: its bytes are intact and it loads in a process of its own.
    """
    outcome = session.open().rollback_model(ref, check_load=not no_load_check, trust=trust, **how)
    session.answer(outcome, lambda: _lines(session, outcome))
    if outcome.candidate is None:
        return exits.REFUSED
    session.next(*(("status", outcome.model) if outcome.moved else ("rollback", ref)))
    return None


def _lines(session: Session, outcome: Rollback) -> list[str]:
    if session.quiet and outcome.moved:
        return []
    lines = [session.paint(plain(_headline(outcome)), "good" if outcome.candidate else "bad")]
    for candidate in outcome.considered:
        if not candidate.ok:
            why = "; ".join(candidate.reasons) or "unsound"
            lines += render.facts(
                [("passed over", f"{refs.spelled(candidate.version)}: {why}")], session.width, 11
            )
    facts = [("made with", "; ".join(outcome.environment)), ("load check", _evidence(outcome))]
    return lines + render.facts(facts, session.width, 11)


def _headline(outcome: Rollback) -> str:
    pointers = ", ".join([outcome.pointer, *(f"alias:{alias}" for alias in outcome.aliases)])
    if outcome.candidate is None:
        return f"nothing sound to go back to from {refs.spelled(outcome.incumbent)} ({pointers})"
    word = "rolled back" if outcome.moved else "drill passed, would roll back"
    return f"{word} {pointers} from {refs.spelled(outcome.incumbent)} to {refs.spelled(outcome.candidate)}"


def _evidence(outcome: Rollback) -> str:
    found = outcome.load_check
    if not found:
        return "none"
    seconds = found.get("seconds")
    took = f" in {seconds:.1f} s" if isinstance(seconds, int | float) else ""
    return f"loads{took}" if found.get("ok") else f"FAILED: {found.get('error', 'no reason given')}"
