"""What one run of the program knows: the global options, the open registry, and how to answer."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from modelyard.cli import exits
from modelyard.domain.errors import InvalidInput, ModelyardError, NotFound
from modelyard.domain.text import plain

if TYPE_CHECKING:
    from modelyard.registry import ModelRegistry
    from modelyard.settings import Settings

WIDTH: Final = 80
DATABASE: Final = "registry.db"
"""The file that makes a folder a registry."""

_STYLES: Final[dict[str, dict[str, Any]]] = {
    "title": {"bold": True},
    "good": {"fg": "green"},
    "bad": {"fg": "red", "bold": True},
    "warn": {"fg": "yellow"},
    "dim": {"dim": True},
}


@dataclass(slots=True, kw_only=True)
class Session:
    """Global options and what follows from them.

    Attributes:
        location: ``--registry``; ``None`` leaves the choice to environment and configuration.
        config: ``--config``, a file.
        json: Answer with one JSON document; errors likewise.
        debug: Show tracebacks.
        quiet: No hints and no notes; a new version prints only its ``model_id``.
        color: ``False`` after ``--no-color``; ``None`` decides by terminal and ``NO_COLOR``.
        as_server: Read the configuration as ``modelyard server`` does: with the short names of ``.env``.
    """

    location: str | None = None
    config: str | None = None
    json: bool = False
    debug: bool = False
    quiet: bool = False
    color: bool | None = None
    as_server: bool = False
    _registry: ModelRegistry | None = field(default=None, init=False)
    _known: tuple[Settings, str] | None = field(default=None, init=False)
    _bars_since: float | None = field(default=None, init=False)

    # --- the registry -----------------------------------------------------------------------------------------------

    def settings(self) -> Settings:
        """The configuration, read once, and what ``--registry`` says of databases and buckets."""
        return self._settled()[0]

    def place(self) -> str:
        """Where the registry is: a folder or an address, without credentials."""
        return self._settled()[1]

    def _settled(self) -> tuple[Settings, str]:
        if self._known is None:
            from modelyard.settings import load, resolve_location

            settings = load(self.config, dotenv=".env" if self.as_server else None)
            self._known = settings, str(resolve_location(self.location, settings))
            if "://" in self._known[1]:
                from modelyard.adapters.places import settled

                self._known = settled(*self._known)
        return self._known

    def folder(self) -> Path | None:
        """The registry's folder, whether it exists or not; ``None`` if the registry is no folder."""
        place = self.place()
        return None if "://" in place else Path(place).expanduser().absolute()

    def absent(self) -> bool:
        """Whether nothing is there yet. Looking at a registry must not make one in the wrong folder.

        Raises:
            InvalidInput: A file is there, which can never become a registry.
        """
        folder, url = self.folder(), self.settings().database.url or ""
        if folder is not None and folder.is_file():
            raise InvalidInput(
                f"'{self.place()}' is a file, and a registry is a folder; name another with --registry"
            )
        if url.startswith("sqlite:///"):
            return not Path(url.removeprefix("sqlite:///")).exists()
        if folder is None or self.records_elsewhere() or (folder / DATABASE).exists():
            return False
        from modelyard.wiring import holds_versions

        return not holds_versions(folder)  # one that does has lost its database

    def records_elsewhere(self) -> bool:
        """Whether the settings keep the records of a folder's registry somewhere else."""
        from modelyard.adapters.metadata.mongo_settings import is_mongo
        from modelyard.adapters.metadata.server_settings import is_sql_server

        settings = self.settings()
        return bool(settings.database.url) or is_sql_server(settings) or is_mongo(settings)

    def open(self, *, create: bool = False) -> ModelRegistry:
        """The registry, opened once; ``create`` is for verbs that bring something in.

        Raises:
            NotFound: There is no registry and ``create`` is not set.
            InvalidInput: A file is there instead.
        """
        if self._registry is not None:
            return self._registry
        if self.absent() and not create:
            raise NotFound(
                f"There is no registry at '{self.place()}'. Name another with --registry, or make this one by "
                "registering a first model: modelyard register --model-path FILE --name NAME"
            )
        from modelyard.registry import ModelRegistry
        from modelyard.settings.logs import configure_logging

        configure_logging(self.settings())
        self._registry = ModelRegistry(self.place(), config=self.settings())
        if sys.stderr.isatty() and not self.quiet:
            self._registry.progress = self._bar
        return self._registry

    def close(self) -> None:
        """Release the registry, if it was opened."""
        if self._registry is not None:
            self._registry.close()
            self._registry = None

    def _bar(self, title: str, total: int) -> Callable[[int], None]:
        from modelyard.cli.progress import Bar

        self._bars_since = self._bars_since or time.monotonic()
        return Bar(sys.stderr, title, total, self.width, since=self._bars_since)

    # --- answering --------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    @property
    def width(self) -> int:
        """Columns to fill: the terminal's, or 80 where the output goes elsewhere."""
        return max(shutil.get_terminal_size().columns, 20) if sys.stdout.isatty() else WIDTH

    def answer(self, data: Any, lines: Callable[[], Iterable[str]]) -> None:
        """Show the answer of a verb: ``data`` as JSON, or ``lines`` for people."""
        if self.json:
            from modelyard.cli.answers import dump

            click.echo(dump(data))
        else:
            for line in lines():
                click.echo(line, color=True)

    def done(self, data: Any, text: str, *, quiet_text: str = "") -> None:
        """Show what a change did in one line; ``--quiet`` leaves ``quiet_text``."""
        line = quiet_text if self.quiet else plain(text)
        self.answer(data, lambda: [line] if line else [])

    def hint(self, text: str) -> None:
        """Advice on standard error, where no script reads it."""
        if not (self.quiet or self.json):
            click.echo(self.paint(plain(text), "dim", err=True), err=True, color=True)

    def next(self, *words: str) -> None:
        """Name the command that people run after this one, ready to be copied."""
        self.hint("next: " + self.command(*words))

    def command(self, *words: str) -> str:
        """A command line of this program about this registry."""
        place = ("--registry", self._spelled()) if self.location else ()
        return shlex.join(("modelyard", *words, *place))

    def _spelled(self) -> str:
        """``--registry`` as it was given; an address without the password, which nobody wants to see again."""
        from modelyard.settings.table import without_credentials

        return without_credentials(self.location or "")

    def note(self, text: str) -> None:
        """A warning on standard error, in the place of a bar that may stand there; it is drawn again below."""
        if self.quiet:
            return
        if self._bars_since is not None:  # only a terminal has bars
            from modelyard.cli.progress import WIPE

            click.echo(WIPE, err=True, nl=False, color=True)
        click.echo(f"modelyard: {plain(text)}", err=True)

    def paint(self, text: str, style: str, *, err: bool = False) -> str:
        """``text`` in colour where the terminal and the reader want it."""
        return click.style(text, **_STYLES[style]) if self._colorful(err=err) and style in _STYLES else text

    def _colorful(self, *, err: bool) -> bool:
        if self.color is not None:
            return self.color
        # https://no-color.org: any value that is not empty counts.
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            return False
        return (sys.stderr if err else sys.stdout).isatty()

    # --- failing ----------------------------------------------------------------------------------------------------

    def fail(self, code: str, detail: str, reasons: Iterable[str] = (), data: Any = None) -> None:
        """Say on standard error what went wrong and what to do."""
        causes = [str(reason) for reason in reasons]
        if self.json:
            from modelyard.cli.answers import dump

            body: dict[str, Any] = {"code": code, "detail": detail, "reasons": causes}
            click.echo(dump(body | ({"data": data} if data else {})), err=True)
            return
        # A query's error shows the query with a caret on lines of their own; anyone else's line break is text.
        breaks = "\n  " if code == "invalid_query" else None
        shown = breaks.join(map(plain, detail.split(breaks))) if breaks else plain(detail)
        click.echo(f"{self.paint('modelyard:', 'bad', err=True)} {shown}", err=True, color=True)
        for cause in causes:
            click.echo(f"  - {plain(cause)}", err=True)

    def report(self, error: BaseException) -> int:
        """Say what went wrong and return the exit code."""
        if self.debug:
            import traceback

            traceback.print_exception(error, file=sys.stderr)
        if isinstance(error, ModelyardError):
            self.fail(error.code, error.detail, error.reasons, error.data)
            return exits.exit_code(error)
        if isinstance(error, click.ClickException):
            self.fail("usage", _usage(error))
            return exits.USAGE
        if isinstance(error, OSError):
            self.fail(
                "storage", f"{error.strerror or error}: {error.filename or self._spelled()}".rstrip(": ")
            )
            return exits.STORAGE
        self.fail(
            "unexpected",
            f"unexpected error, please report it: {type(error).__name__}: {error}. "
            "Run the same command with --debug to see where it happened.",
        )
        return exits.UNEXPECTED


def _usage(error: click.ClickException) -> str:
    """click's message and where the help is."""
    message = " ".join(error.format_message().split())  # click puts choices on lines of their own
    context = getattr(error, "ctx", None)
    where = context.command_path if context else "modelyard"
    return f"{message}{'' if message.endswith(('.', '?')) else '.'} Try '{where} --help'."


def forgiving(stream: Any) -> None:
    """Let a stream that cannot spell a character write its escape instead of failing."""
    with contextlib.suppress(AttributeError, ValueError, OSError):
        stream.reconfigure(errors="backslashreplace")
