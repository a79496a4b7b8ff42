"""``modelyard env``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from modelyard.cli import render
from modelyard.cli.options import verb, version_options
from modelyard.cli.refs import chosen
from modelyard.cli.session import Session
from modelyard.domain.environment import packages
from modelyard.domain.environment_report import EnvironmentReport


@verb("env")
@version_options
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "requirements", "conda"]),
    default="text",
    help="For people, or a file that pip or conda installs it from again.",
)
def command(session: Session, ref: str | None, model_name: str | None, label: str | None, form: str) -> None:
    """Interpreter, packages and code commit as recorded at registration, and what is different here.

    Example: modelyard env fraud@production --format requirements > requirements.txt
    """
    report = session.open().environment(chosen(ref, model_name, label))
    if form == "text":
        session.answer(report, lambda: _lines(session, report))
        return
    text = report.to_requirements() if form == "requirements" else report.to_conda()
    session.answer({"format": form, "text": text}, text.splitlines)


def _lines(session: Session, report: EnvironmentReport) -> list[str]:
    declared = report.declared
    words = (declared.get(key) for key in ("implementation", "python", "platform"))
    pairs = [
        ("version", f"{report.name}:{report.version}"),
        ("made by", " ".join(str(word) for word in words if word) or "not recorded"),
        ("on", " as ".join(str(declared[key]) for key in ("host", "user") if declared.get(key))),
        ("code", _code(declared.get("git"))),
        ("needs", _named(packages(declared))),
        ("those need", _named(packages(declared, "dependencies"))),
    ]
    here = [(mismatch.level, str(mismatch)) for mismatch in report.differences]
    lines = render.facts(pairs, session.width, 10)
    if not here:
        return [*lines, "Nothing recorded is different here."]
    lines.append(session.paint("different here", "warn" if report.severe else "title"))
    return lines + render.facts(here, session.width, 10)


def _named(found: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _code(state: Any) -> str:
    """Where the code was: commit, branch, remote, and whether it was changed."""
    if not isinstance(state, Mapping):
        return ""
    if "unknown" in state:
        return f"unknown: {state['unknown']}"
    words = [str(state.get("commit") or "no commit yet")]
    words += [f"on {state['branch']}"] if state.get("branch") else []
    words += [f"of {state['remote']}"] if state.get("remote") else []
    return " ".join(words) + (", changed" if state.get("dirty") else "")
