"""``modelyard audit``."""

from __future__ import annotations

import click

from modelyard.cli import exits, figures
from modelyard.cli.options import group
from modelyard.cli.session import Session
from modelyard.domain.answers import AuditProof
from modelyard.domain.text import plain


@group("audit")
def command() -> None:
    """Every change is an event; each event's hash covers the one before it."""


@command.command("verify")
@click.pass_obj
def verify(session: Session) -> int:
    """Read every chain from its start; exit code 6 names the first bad entry of each broken one.

    The root covers the heads of all chains: keep it somewhere else to notice a chain that lost its end.
    """
    proof = session.open().verify_audit()
    session.answer({"ok": proof.ok, "proof": proof}, lambda: _lines(session, proof))
    return exits.OK if proof.ok else exits.INTEGRITY


def _lines(session: Session, proof: AuditProof) -> list[str]:
    events, chains = figures.plural(proof.events, "event"), figures.plural(proof.chains, "chain")
    root = f"root {plain(proof.root)}"
    if proof.ok:
        return [session.paint(f"all {events} in {chains} hold", "good"), root]
    lines = [session.paint(f"{figures.plural(len(proof.breaks), 'chain')} of {proof.chains} broken", "bad")]
    for broken in proof.breaks:
        name = broken.get("model") or "(registry)"
        lines.append(plain(f"  {name}: event {broken.get('sequence', '?')}: {_why(broken)}"))
    return [*lines, root]


def _why(broken: object) -> str:
    found = dict(broken) if isinstance(broken, dict) else {}
    return str(found.get("why") or found.get("reason") or found.get("detail") or "does not hold")
