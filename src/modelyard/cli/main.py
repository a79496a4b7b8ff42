"""The program: ``modelyard VERB ...``. Finds the verb, runs it, turns every ending into an exit code."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Final

import click

from modelyard.cli import exits
from modelyard.cli.options import global_options, write_options
from modelyard.cli.session import Session, forgiving
from modelyard.cli.verbs import ELSEWHERE, SECTIONS, VERBS, module_of
from modelyard.domain.errors import ModelyardWarning

INTRO: Final = """\
Keep trained models: which versions exist, how good they are, which one is live, who decided it, and how to go back.
A registry is a folder; nothing has to be started.
"""

EXAMPLES: Final = (
    "modelyard register --model-path model.joblib --name fraud --version 0.1.0",
    "modelyard promote fraud:0.1.0 --target-stage staging",
    "modelyard status fraud",
)

REFS: Final = (
    "Wherever a REF is asked for: fraud (latest), fraud:1.4.0, fraud:^1, fraud#7, fraud@champion, fraud@production, "
    "fraud@champion~1 (one move earlier), or a model_id."
)


def _meant(word: str) -> str:
    """A sentence that names the verb for what somebody wrote, if one can be told."""
    from modelyard.domain.spelling import hint

    other = ELSEWHERE.get(word.casefold())
    return f" Did you mean '{other}'?" if other else hint(word, VERBS)


class _ReaderGone(Exception):
    """Nobody reads standard output any more. click would end with 1 on a broken pipe; it is no failure of ours."""


class Program(click.Group):
    """The group of all verbs, each imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = import_module(module_of(cmd_name)).command
        assert isinstance(command, click.Command)  # noqa: S101 - each module of the table defines it
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            raise click.UsageError(f"There is no verb '{args[0]}'.{_meant(args[0])}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise _ReaderGone from None

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage("modelyard", "VERB [OPTIONS] ...")
        formatter.write_paragraph()
        formatter.write_text(INTRO)
        with formatter.section("Examples"):
            _write_lines(formatter, EXAMPLES)
        for title, verbs in SECTIONS.items():
            with formatter.section(title):
                _write_lines(formatter, [f"{name:<14} {text}" for name, text in verbs.items()])
        write_options(self, ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text(REFS)
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), text) for code, text in exits.MEANINGS.items()])

    def main(  # type: ignore[override]  # never returns a value: always ends in an exit code
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> None:
        """Run the command line ``args`` and end the process with its exit code."""
        words = list(sys.argv[1:] if args is None else args)
        _open_closed()
        forgiving(sys.stdout)
        forgiving(sys.stderr)
        sys.exit(self._run(words, extra))

    def _run(self, words: list[str], extra: dict[str, Any]) -> int:
        own = words[: words.index("--")] if "--" in words else words
        # Read before parsing, so that a mistake in the command line is answered in the asked-for form too.
        session = Session(json="--json" in own, debug="--debug" in own)
        extra.pop("standalone_mode", None)
        with warnings.catch_warnings():
            warnings.simplefilter("default", ModelyardWarning)  # a note, even where others are made errors
            warnings.showwarning = lambda message, *_, **__: session.note(f"warning: {message}")
            try:
                result = super().main(words, "modelyard", standalone_mode=False, obj=session, **extra)
                sys.stdout.flush()
                return result if isinstance(result, int) else exits.OK
            except (click.Abort, KeyboardInterrupt):
                session.fail("interrupted", "interrupted; what was finished stays, nothing is half done.")
                return exits.INTERRUPTED
            except (_ReaderGone, BrokenPipeError):
                _silence_stdout()
                return exits.OK
            except click.exceptions.NoArgsIsHelpError as error:
                return _groups_help(session, error)
            except Exception as error:
                return session.report(error)
            finally:
                session.close()


def _write_lines(formatter: click.HelpFormatter, lines: Iterable[str]) -> None:
    for line in lines:
        formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def _groups_help(session: Session, error: click.exceptions.NoArgsIsHelpError) -> int:
    """A verb with verbs of its own and none given: its help, which is what one came for, and the code of a slip."""
    if error.ctx is None or session.json:
        return session.report(click.UsageError("Missing command. See --help.", error.ctx))
    click.echo(error.ctx.get_help(), err=True)
    return exits.USAGE


def _open_closed() -> None:
    """Put the null device where a stream is closed (``>&-``), before a file of the registry gets its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - stays open as long as the process


def _silence_stdout() -> None:
    """The reader is gone (``modelyard list | head -1``): keep the interpreter from complaining while it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"modelyard {version('modelyard')}")
        ctx.exit()


@click.pass_context
def _help(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


program = Program(
    "modelyard",
    callback=_help,
    invoke_without_command=True,
    params=[
        *global_options(),
        click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_print_version,
            help="Show the version of this program.",
        ),
    ],
)


def main() -> None:
    """What the command ``modelyard`` runs."""
    program.main()
