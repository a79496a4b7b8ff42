"""The settings as a table: looked up by key, shown with their origin, printed as documentation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import cache

from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import InvalidConfig
from modelyard.settings.kinds import Kind
from modelyard.settings.model import Row, Settings

HIDDEN = "***"

VARIABLES = (
    ("MODELYARD_URL", "Location of the registry; goes before `registry.path`."),
    ("MODELYARD_CONFIG", "Configuration file; goes before the files that are looked for."),
    ("MODELYARD_CONFIG_DIR", "Folder of the user's own files, instead of `$XDG_CONFIG_HOME/modelyard`."),
    ("MODELYARD_TOKEN", "Token for a server; goes before what `modelyard login` fetched."),
    ("MODELYARD_CACHE", "Folder for bytes fetched from servers, instead of `$XDG_CACHE_HOME/modelyard`."),
)
"""Variables that stand for no key of the file, each with its meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One row of the table.

    Attributes:
        key: Dotted path, such as ``storage.local.compression``.
        default: The value without any configuration.
        row: What it may hold, what it means, whether it works.
    """

    key: str
    default: object
    row: Row

    @property
    def kind(self) -> Kind:
        return self.row.kind

    @property
    def variable(self) -> str:
        """Name of the environment variable that overrides it."""
        return "MODELYARD_" + self.key.replace(".", "_").upper()

    @property
    def is_confidential(self) -> bool:
        """Whether what was given may hold a password, so that no message quotes it."""
        return self.row.secret or self.kind.private

    def is_active(self, value: object) -> bool:
        """Whether the running build does anything with this value."""
        return self.row.active and (not self.row.built or value in self.row.built)

    def shown(self, value: object) -> object:
        """The value as a person may see it: a JSON value, with ``***`` for secrets and passwords in URLs."""
        if value is None:
            return None
        if self.row.secret:
            return HIDDEN
        if isinstance(value, str):
            return without_credentials(value)
        return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """A setting and the value it has now, fit to be shown.

    Attributes:
        value: A JSON value; ``None`` is "not set"; secrets are ``"***"``.
        source: ``"default"``, ``"<file>:<line>"`` or the name of a variable.
        active: ``False`` reads "not active yet".
    """

    key: str
    value: object
    source: str
    active: bool
    help: str


@cache
def table() -> dict[str, Setting]:
    """Every setting by its dotted key, in the order of the documentation."""
    return {setting.key: setting for setting in _settings_of(Settings, "")}


@cache
def sections() -> frozenset[str]:
    """Dotted names of everything that holds settings, such as ``storage`` and ``storage.local``."""
    keys = [key.split(".") for key in table()]
    return frozenset(".".join(parts[:end]) for parts in keys for end in range(1, len(parts)))


def _settings_of(record: type, prefix: str) -> Iterator[Setting]:
    for each in fields(record):
        key = prefix + each.name
        if "section" in each.metadata:
            yield from _settings_of(each.metadata["section"], f"{key}.")
        elif "row" in each.metadata:
            yield Setting(key=key, default=each.default, row=each.metadata["row"])


def find(key: str) -> Setting:
    """The row of a dotted key.

    Raises:
        InvalidConfig: There is none; the message names the nearest.
    """
    if key not in table():
        raise InvalidConfig(unknown_key(key))
    return table()[key]


def value_of(settings: Settings, key: str) -> object:
    """The value of a dotted key that exists."""
    value: object = settings
    for name in key.split("."):
        value = getattr(value, name)
    return value


def unknown_key(key: str) -> str:
    """``unknown key 'registry.pathh'; did you mean 'registry.path'?``"""
    return f"unknown key {quoted(key)}{suggestion(key, [*table(), *sections()])}"


def suggestion(word: str, known: list[str]) -> str:
    """``; did you mean '...'?`` for the nearest known word or the same key elsewhere; else nothing."""
    from difflib import get_close_matches

    tail = word.rpartition(".")[2]
    moved = [each for each in known if each.rpartition(".")[2] == tail]
    near = get_close_matches(word[:80], known, n=1, cutoff=0.75) or moved[:1]
    near = near or get_close_matches(word[:80], known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def quoted(text: str) -> str:
    """Text from a file for a message: quoted, control characters escaped, at most 60 characters of it."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def without_credentials(text: str) -> str:
    """A URL without user, password and query values, which may hold secrets too; other text as it is."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text
    _, at, host = rest.rpartition("@")
    address, question, _ = host.partition("?")
    return (
        scheme + separator + (HIDDEN + at if at else "") + address + (question + HIDDEN if question else "")
    )


def rows(settings: Settings) -> list[SettingRow]:
    """One row per setting, in the order of the documentation."""
    origin = dict(settings.sources)
    return [
        _row(setting, value_of(settings, key), origin.get(key, "default")) for key, setting in table().items()
    ]


def not_active(settings: Settings) -> list[SettingRow]:
    """The rows that somebody set to something else and that change nothing in this build; worth one warning."""
    given = rows(settings) if settings.sources else []  # every start asks, and most have set nothing
    return [
        row
        for row in given
        if row.source != "default" and not row.active and value_of(settings, row.key) != find(row.key).default
    ]


def _row(setting: Setting, value: object, source: str) -> SettingRow:
    return SettingRow(
        key=setting.key,
        value=setting.shown(value),
        source=source,
        active=setting.is_active(value),
        help=setting.row.help,
    )


def to_markdown() -> str:
    """The reference tables: one per section, and one for the variables that stand for no key."""
    parts = [_markdown_section(name) for name in dict.fromkeys(key.split(".")[0] for key in table())]
    lines = [f"| `{name}` | {text} |" for name, text in VARIABLES]
    parts.append("\n".join(["## Variables without a key", "", "| Variable | Meaning |", "|---|---|", *lines]))
    return "\n\n".join(parts) + "\n"


def _markdown_section(name: str) -> str:
    lines = [
        f"## `{name}`",
        "",
        "| Key | Type | Default | Variable | Active | Meaning |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_markdown_row(setting) for key, setting in table().items() if key.split(".")[0] == name]
    return "\n".join(lines)


def _markdown_row(setting: Setting) -> str:
    row = setting.row
    active = ", ".join(f"`{value}`" for value in row.built) or ("yes" if row.active else "not yet")
    kind = row.kind.label + (", secret" if row.secret else "")
    cells = (
        f"`{setting.key}`",
        kind,
        _markdown_default(setting.default),
        f"`{setting.variable}`",
        active,
        row.help,
    )
    return f"| {' | '.join(cells)} |"


def _markdown_default(value: object) -> str:
    if value is None or value == ():
        return "not set" if value is None else "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
