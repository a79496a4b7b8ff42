"""``modelyard status``: the five answers about a model."""

from __future__ import annotations

import click

from modelyard.cli import events, figures, refs, render
from modelyard.cli.options import verb
from modelyard.cli.session import Session
from modelyard.domain.answers import ModelStatus
from modelyard.domain.text import plain


@verb("status")
@click.argument("name")
def command(session: Session, name: str) -> None:
    """Example: modelyard status fraud"""
    status = session.open().status(name)
    session.answer(status, lambda: _lines(session, status))
    if status.live is None and status.latest is not None:
        session.next("promote", refs.spelled(status.latest), "--target-stage", "staging")
    elif status.undo is not None:
        session.next("rollback", status.name, "--drill")


def _lines(session: Session, status: ModelStatus) -> list[str]:
    title = render.shorten(plain(status.name), session.width)
    lines = [session.paint(title, "title"), *render.facts(_answers(session, status), session.width)]
    if status.live is not None and status.live.withdrawn is not None:
        gone = render.facts([("WARNING", f"withdrawn: {status.live.withdrawn.reason}")], session.width)
        lines += [session.paint(line, "bad") for line in gone]
    for damage in status.damage:
        lines += [session.paint(line, "bad") for line in render.facts([("DAMAGE", damage)], session.width)]
    lines += ["", *render.facts(_rest(status), session.width)]
    if status.recent:
        recent = events.lines(status.recent[:5], session.now, session.width, session.paint)
        lines += ["", *recent]
    return lines


def _answers(session: Session, status: ModelStatus) -> list[tuple[str, str]]:
    """Live, since, by whom, intact and running, undo: each in one line, whether there is anything live or not."""
    if status.live is None:
        return [
            ("live", "nothing is in production"),
            ("since", "-"),
            ("by", "-"),
            ("intact", f"- (running: {status.running})"),
            ("undo", status.undo_note or "nothing to undo"),
        ]
    live = status.live
    by = (
        f'{status.by or "?"}: "{status.reason}"' if status.reason else f"{status.by or '?'} (no reason given)"
    )
    undo = f"yes, to {refs.spelled(status.undo)} (#{status.undo.number})" if status.undo else ""
    return [
        ("live", f"{live.version} (#{live.number}), {live.model_id}"),
        ("since", figures.when(status.since, session.now)),
        ("by", by),
        ("intact", f"{_intact(status)} (running: {status.running})"),
        ("undo", undo or f"no: {status.undo_note or 'nothing held production before'}"),
    ]


def _intact(status: ModelStatus) -> str:
    if status.intact is None:
        return "it has no files"
    return "yes, every byte is what was registered" if status.intact else "NO, see below"


def _rest(status: ModelStatus) -> list[tuple[str, str]]:
    aliases = [
        f"{alias} → {target.get('version', '?')}{' (protected)' if target.get('protected') else ''}"
        for alias, target in status.aliases.items()
    ]
    latest = status.latest
    count = figures.plural(status.versions, "version")
    stages = ", ".join(f"{number} {stage}" for stage, number in status.stages.items() if number)
    return [
        ("aliases", ", ".join(aliases) or "none"),
        ("latest", f"{latest.version} (#{latest.number}) in {latest.stage.value}" if latest else "none"),
        ("all", f"{count}, {figures.size(status.size)}{': ' + stages if stages else ''}"),
    ]
