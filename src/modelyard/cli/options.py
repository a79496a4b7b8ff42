"""The kinds of commands and options that every verb is built from."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from modelyard.cli.session import Session
from modelyard.cli.verbs import VERBS

Function = TypeVar("Function", bound=Callable[..., Any])


class GlobalOption(click.Option):
    """An option that every command takes, before or after the verb; it lands in the :class:`Session`."""


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    session = context.find_object(Session)
    if session is not None and parameter.name is not None and value not in (None, False):
        setattr(session, parameter.name, value)


def _no_color(context: click.Context, _: click.Parameter, value: Any) -> None:
    session = context.find_object(Session)
    if session is not None and value:
        session.color = False


def _flag(declaration: str, text: str, callback: Any = _remember) -> GlobalOption:
    return GlobalOption([declaration], is_flag=True, expose_value=False, callback=callback, help=text)


def global_options() -> list[click.Parameter]:
    """Fresh copies of the options that every command takes."""
    return [
        GlobalOption(
            ["--registry", "location"],
            metavar="PLACE",
            expose_value=False,
            callback=_remember,
            help="Folder or address of the registry. Else MODELYARD_URL, the configuration, ./model_registry.",
        ),
        GlobalOption(
            ["--config"], metavar="FILE", expose_value=False, callback=_remember, help="Configuration file."
        ),
        _flag("--json", "Answer with one JSON document; errors as JSON too."),
        _flag("--quiet", "No hints, no notes."),
        _flag("--no-color", "No colour.", _no_color),
        _flag("--debug", "Show where an error happened."),
    ]


class Verb(click.Command):
    """A command with the global options, listed apart from its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["params"] = [*(kwargs.get("params") or []), *global_options()]
        super().__init__(*args, **kwargs)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_options(self, ctx, formatter)


class VerbGroup(click.Group):
    """A verb with verbs of its own, such as ``alias set``."""

    command_class = Verb

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["params"] = [*(kwargs.get("params") or []), *global_options()]
        super().__init__(*args, **kwargs)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        write_options(self, ctx, formatter)


def write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """The command's own options, then the global ones."""
    options = [p for p in command.get_params(ctx) if isinstance(p, click.Option)]
    params = [(isinstance(option, GlobalOption), option.get_help_record(ctx)) for option in options]
    for title, wanted in (("Options", False), ("Global options", True)):
        records = [record for is_global, record in params if record and is_global is wanted]
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


def help_of(name: str, function: Callable[..., Any]) -> str:
    """The table's line and the docstring; an ``Example:`` keeps its line whole, so that it can be copied."""
    text = inspect.cleandoc(function.__doc__ or "")
    return f"{VERBS[name]}\n\n" + re.sub(r"^Example: ", "\b\nExample:\n  ", text, flags=re.MULTILINE)


def verb(name: str, **settings: Any) -> Callable[[Function], Verb]:
    """Make a function ``(session, ...) -> exit code or None`` the command of a verb of the table.

    The function's docstring is its help, below the table's line.
    """

    def made(function: Function) -> Verb:
        return click.command(
            name, cls=Verb, help=help_of(name, function), short_help=VERBS[name], **settings
        )(click.pass_obj(function))

    return made


def group(name: str) -> Callable[[Function], VerbGroup]:
    """Make a function the group of a verb with verbs of its own."""

    def made(function: Function) -> VerbGroup:
        return click.group(name, cls=VerbGroup, help=help_of(name, function), short_help=VERBS[name])(
            function
        )

    return made


STAGES: Final = ("development", "testing", "staging", "production", "deprecated", "archived")


def stage_option(*names: str, required: bool = False, text: str) -> Callable[[Function], Function]:
    """An option that takes a stage, in any case."""
    return click.option(*names, type=click.Choice(STAGES, case_sensitive=False), required=required, help=text)


def reason_option(text: str = "Why; kept in the history.") -> Callable[[Function], Function]:
    """``--reason``: kept with the event."""
    return click.option("--reason", default="", metavar="TEXT", help=text)


SOURCES: Final = ("base_model", "dataset", "feature_store", "code", "run")
"""As ``domain.lineage`` has them, whose import ``--help`` should not pay for."""


def source_option(function: Function) -> Function:
    """``--kind``: what the target of a withdrawal is."""
    kinds = ("version", *SOURCES)
    text = "What TARGET is, if no version."
    return click.option("--kind", type=click.Choice(kinds), default="version", help=text)(function)


def version_options(function: Function) -> Function:
    """A version as one ref, or as ``--model-name`` and ``--version``; see :func:`modelyard.cli.refs.chosen`."""
    decorators = (
        click.argument("ref", required=False),
        click.option("--model-name", metavar="NAME", help="Name of the model, instead of a ref."),
        click.option("--version", "label", metavar="LABEL", help="Label of the version, with --model-name."),
    )
    for decorate in reversed(decorators):
        function = decorate(function)
    return function
