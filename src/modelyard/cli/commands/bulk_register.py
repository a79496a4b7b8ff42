"""``modelyard bulk-register``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from modelyard.cli import bulk, exits, figures, render
from modelyard.cli.bulk import Outcome
from modelyard.cli.inputs import read_json_file
from modelyard.cli.options import verb
from modelyard.cli.render import Column
from modelyard.cli.session import Session
from modelyard.domain.errors import IntegrityError, ModelyardError, StorageError
from modelyard.domain.text import plain

COLUMNS: Final = (
    Column(title="MODEL"),
    Column(title="VERSION", keep=True),
    Column(title="OUTCOME", keep=True),
    Column(title="WHY"),
)
WANTED: Final = 'a file that holds a list such as [{"name": "fraud", "model_path": "fraud.joblib"}]'


@verb("bulk-register")
@click.argument("file")
def command(session: Session, file: str) -> int:
    """FILE holds a list of entries, or {"models": [...]}, with the flags of register as keys.

    Every entry is checked before the first is registered. A rerun skips what is there. Relative paths start at
    FILE's folder. An entry that is refused does not stop the others; the exit code is that of the first.

    \b
    Example entry:
      {"name": "fraud", "version": "1.0.0", "model_path": "fraud.joblib",
       "metrics": {"accuracy": 0.92}, "tags": {"team": "risk"}}
    """
    entries = bulk.read(read_json_file(Path(file), WANTED), Path(file).parent, str(file))
    registry = session.open(create=True)
    outcomes: list[Outcome] = []
    code = exits.OK
    for done, entry in enumerate(entries):
        _progress(session, done, len(entries), entry.title)
        try:
            outcomes.append(bulk.register(registry, entry))
        except (StorageError, IntegrityError):
            raise  # the next entry would meet the same disk
        except ModelyardError as error:
            why = "; ".join([error.detail, *error.reasons])
            outcomes.append(Outcome(name=entry.name, version=entry.version or "", outcome="failed", why=why))
            code = code or exits.exit_code(error)
    _progress(session, len(entries), len(entries), "")
    session.answer({"models": outcomes}, lambda: _lines(session, outcomes))
    return code


def _progress(session: Session, done: int, total: int, title: str) -> None:
    """One line on a terminal that says which entry is at work."""
    import sys

    if session.quiet or not sys.stderr.isatty():
        return
    text = render.shorten(plain(f"[{done + 1}/{total}] {title}"), session.width - 1) if done < total else ""
    click.echo(f"\r{text}\x1b[K", nl=False, err=True, color=True)


def _lines(session: Session, outcomes: list[Outcome]) -> list[str]:
    rows = [[one.name, one.version, one.outcome, one.why] for one in outcomes]
    counts = {
        word: sum(one.outcome == word for one in outcomes)
        for word in ("registered", "there already", "failed")
    }
    summary = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    table = render.table(COLUMNS, rows, session.width, session.paint)
    return [*table, f"{figures.plural(len(outcomes), 'entry')}: {summary}"]
