"""``modelyard bulk-register``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from modelyard.cli import bulk, exits, figures, render
from modelyard.cli.bulk import Entry, Outcome
from modelyard.cli.inputs import parse_json, read_json_file, read_text
from modelyard.cli.options import verb
from modelyard.cli.render import Column
from modelyard.cli.session import Session
from modelyard.domain.text import plain

COLUMNS: Final = (
    Column(title="MODEL"),
    Column(title="VERSION", keep=True),
    Column(title="OUTCOME", keep=True),
    Column(title="WHY"),
)
TOLD: Final = ("entry", "name", "version", "outcome", "model_id", "why")
WANTED: Final = 'a file that holds a list such as [{"name": "fraud", "model_path": "fraud.joblib"}]'


@verb("bulk-register")
@click.argument("file")
@click.option("--batch", type=click.IntRange(1, 1000), default=500, help="Entries that become one commit.")
@click.option("--whole", is_flag=True, help="Leave out the whole batch of an entry that is refused.")
def command(session: Session, file: str, batch: int, whole: bool) -> int:
    """FILE holds a list of entries, or {"models": [...]}, with the flags of register as keys.

    Every entry is checked before the first is registered. A rerun skips what is there. Relative paths start at
    FILE's folder. An entry that is refused does not stop the others, unless --whole says so; the exit code is that of
    the first. A file that ends in .jsonl holds one entry a line.

    Instead of model_path, files may name bytes that the registry has already.

    \b
    Example entries:
      {"name": "fraud", "version": "1.0.0", "model_path": "fraud.joblib",
       "metrics": {"accuracy": 0.92}, "tags": {"team": "risk"}}
      {"name": "fraud", "version": "1.0.1",
       "files": [{"path": "fraud.joblib", "digest": "sha256:...", "size": 1024}]}
    """
    entries = bulk.read(_entries(Path(file)), Path(file).parent, str(file))
    registry = session.open(create=True)

    def tell(entry: Entry) -> None:
        _progress(session, entry.place, len(entries), entry.title)

    run = bulk.Run(registry, size=batch, whole=whole, tell=tell)
    try:
        run.register(entries)
    finally:
        _progress(session, 0, len(entries), "")
        outcomes = [one for _, one in sorted(run.outcomes.items())]
        if outcomes:  # what was registered stays so, even if the run ends here
            _answer(session, outcomes)
    return next((exits.exit_code(one.error) for one in outcomes if one.error is not None), exits.OK)


def _answer(session: Session, outcomes: list[Outcome]) -> None:
    told = [{name: getattr(one, name) for name in TOLD} for one in outcomes]
    session.answer({"models": told}, lambda: _lines(session, outcomes))


def _entries(file: Path) -> Any:
    """One JSON value, or one a line.

    Raises:
        InvalidInput: It cannot be read; names the line.
    """
    if file.suffix not in (".jsonl", ".ndjson"):
        return read_json_file(file, WANTED)
    return [
        parse_json(line, f"'{file}', line {number}")
        for number, line in enumerate(read_text(file, WANTED).splitlines(), 1)
        if line.strip()
    ]


def _progress(session: Session, at: int, total: int, title: str) -> None:
    """One line on a terminal that says which entry is at work; wiped with no title."""
    import sys

    if session.quiet or not sys.stderr.isatty():
        return
    text = render.shorten(plain(f"[{at}/{total}] {title}"), session.width - 1) if title else ""
    click.echo(f"\r{text}\x1b[K", nl=False, err=True, color=True)


def _lines(session: Session, outcomes: list[Outcome]) -> list[str]:
    rows = [[one.name, one.version, one.outcome, _why(one)] for one in outcomes]
    counts = {
        word: sum(one.outcome == word for one in outcomes)
        for word in ("registered", "there already", "failed", "left out")
    }
    summary = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    table = render.table(COLUMNS, rows, session.width, session.paint)
    return [*table, f"{figures.plural(len(outcomes), 'entry')}: {summary}"]


def _why(one: Outcome) -> str:
    return f"entry {one.entry}: {one.why}" if one.outcome == "failed" else one.why
