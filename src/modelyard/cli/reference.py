"""``python -m modelyard.cli.reference FILE``: the reference page of the command line, written from the commands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from modelyard.cli import exits
from modelyard.cli.main import INTRO, REFS, program
from modelyard.cli.options import GlobalOption
from modelyard.cli.verbs import SECTIONS

HEAD: Final = f"""\
# The command line

Written by `make docs` from the commands themselves: `modelyard VERB --help` says the same.

{INTRO}
{REFS}

With `--json`, standard output is exactly one JSON document, and an error is one on standard error:
`{{"code": ..., "detail": ..., "reasons": [...]}}`, with `data` where there are values for programs. Times in it are
ISO 8601 in UTC. Hints and warnings go to standard error, never to standard output.

Tables fit the terminal, or 80 columns where the output goes elsewhere; long cells lose their middle to `…`. Characters
that could move a cursor or hide something are shown as escapes. `NO_COLOR` is honoured.
"""


def to_markdown() -> str:
    """The whole page."""
    context = click.Context(program, info_name="modelyard")
    parts = [HEAD, "## Options of every verb\n", *_options(program, context, general=True), *_exit_codes()]
    for title, verbs in SECTIONS.items():
        parts += [f"## {title}\n"]
        for name in verbs:
            command = program.get_command(context, name)
            assert command is not None  # noqa: S101 - the table's own verb
            parts += _verb(command, click.Context(command, parent=context, info_name=name))
    return "\n".join(parts)


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes\n"
    yield "| code | meaning |\n|---|---|"
    yield from (f"| {code} | {text} |" for code, text in exits.MEANINGS.items())
    yield ""


def _verb(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"### {context.command_path}\n"
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"```text\n{usage}\n```\n"
    yield from _prose(command.help or "")
    yield from _options(command, context, general=False)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None  # noqa: S101 - the group's own command
            yield from _verb(inner, click.Context(inner, parent=context, info_name=name))


def _prose(text: str) -> Iterator[str]:
    """Paragraphs as they are; those that click keeps unwrapped become blocks."""
    for paragraph in text.split("\n\n"):
        if paragraph.startswith("\b\n"):
            title, _, lines = paragraph[2:].partition("\n")
            if title.endswith(":"):
                yield f"{title}\n"
            else:
                lines = f"{title}\n{lines}"
            yield f"```text\n{_dedented(lines)}\n```\n"
        elif paragraph.strip():
            yield f"{paragraph.strip()}\n"


def _dedented(text: str) -> str:
    import textwrap

    return textwrap.dedent(text).strip()


def _options(command: click.Command, context: click.Context, *, general: bool) -> Iterator[str]:
    records = [
        option.get_help_record(context)
        for option in command.get_params(context)
        if isinstance(option, click.Option)
        and isinstance(option, GlobalOption) is general
        and "--help" not in option.opts
    ]
    lines = [
        f"| `{r[0].replace('|', chr(92) + '|')}` | {r[1].replace('|', chr(92) + '|')} |" for r in records if r
    ]
    if lines:
        yield "| option | meaning |\n|---|---|"
        yield from lines
        yield ""


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(to_markdown(), "utf-8")
