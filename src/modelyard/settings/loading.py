"""Find the configuration file, read it, let the environment override it: ``load()``."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from modelyard.domain.errors import InvalidConfig
from modelyard.settings.findings import Findings
from modelyard.settings.kinds import SWITCH
from modelyard.settings.model import Settings
from modelyard.settings.table import VARIABLES, Setting, quoted, sections, suggestion, table

DEFAULT_LOCATION = "./model_registry"
SEARCHED = ("configs/registry_config.yaml", "modelyard.yaml")
"""Looked for in the current directory, in this order, before the user's configuration folder."""

# Kubernetes and container links put such variables beside every service called "modelyard-...".
_FROM_CONTAINERS = r".*_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"

_OWN = frozenset(name for name, _ in VARIABLES)

_BARE_ADDRESS = re.compile(
    r"(?P<scheme>https?):/?(?!/)(?P<there>.+)"
    r"|(?P<rest>(?:localhost|[A-Za-z][\w-]*(?:\.[\w-]+)*|\d+(?:\.\d+){3}):[0-9]{2,5}(?:/.*)?)",
    re.ASCII,
)
"""``localhost:8000`` or ``https:/models.example.org``: an address whose beginning is missing or misspelled."""


def load(
    config: str | os.PathLike[str] | None = None,
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    dotenv: str | None = None,
) -> Settings:
    """Settings from the defaults, at most one file, and the environment; each goes before the one it follows.

    The file is the first of: ``config``, ``MODELYARD_CONFIG``, ``configs/registry_config.yaml``,
    ``modelyard.yaml``, ``config.yaml`` in the user's configuration folder. The first two must exist. Paths
    *inside* the file stay as written, so they are relative to the current directory and not to the file.

    Args:
        config: Configuration file.
        env: Variables; the process's own if not given. An empty variable counts as not set.
        cwd: Directory that relative file names start from; the current one if not given.
        dotenv: A file of short names such as ``REGISTRY_PORT``, which need not exist. Only then are these names read,
            from it and from ``env``; they go before the YAML file and after ``MODELYARD_*``.

    Returns:
        The settings, with the origin of each value.

    Raises:
        InvalidConfig: The file cannot be read, is not YAML within limits, or has an unknown, repeated or
            ill-typed key; or a variable is unknown or ill-typed. All problems are reported together:
            ``data["problems"]`` lists them, and so does ``reasons`` if there are several.
    """
    variables = os.environ if env is None else env
    found = Findings()
    name = _read_first_file(config, variables, Path(cwd or ""), found)
    if dotenv is not None:
        from modelyard.settings.dotenv import read_short_names

        read_short_names(dotenv, variables, Path(cwd or ""), found)
    _read_environment(variables, found)
    found.raise_if_any()
    arguments = _arguments(Settings, "", found.values)
    return Settings(file=name, sources=tuple(found.sources.items()), **arguments)


def resolve_location(
    location: str | os.PathLike[str] | None, settings: Settings, env: Mapping[str, str] | None = None
) -> str:
    """Where the registry is: the argument, ``MODELYARD_URL``, the settings, else ``./model_registry``.

    In the settings, ``registry.path`` goes before ``persistence.registry_path``, and that before
    ``persistence.models_dir``. A leading ``~`` becomes the home folder; a relative path stays relative.

    Raises:
        InvalidConfig: The argument is an empty text, which would mean the current directory; or the place looks like
            the address of a server without its beginning, which would make a folder of that name.
    """
    if location is not None and not os.fspath(location).strip():
        raise InvalidConfig(
            "location: expected a folder or a URL, found an empty text; "
            "leave it out to use the configured one, or give '.' for the current directory"
        )
    persistence = settings.persistence
    chosen = (
        (os.fspath(location) if location is not None else None)
        or (os.environ if env is None else env).get("MODELYARD_URL")
        or settings.registry.path
        or persistence.registry_path
        or persistence.models_dir
        or DEFAULT_LOCATION
    )
    where = os.path.expanduser(chosen)
    if (found := _BARE_ADDRESS.fullmatch(where)) and not os.path.exists(where):
        raise InvalidConfig(
            f"the location {quoted(where)} looks like the address of a server, and such an address begins with "
            f"http:// or https://; write {found['scheme'] or 'http'}://{found['there'] or found['rest']}, or "
            f"{os.path.abspath(where)} if a folder of that name is meant"
        )
    return where


def user_folder(env: Mapping[str, str]) -> Path | None:
    """The user's own configuration folder, which need not exist; ``None`` if there is no home either.

    ``MODELYARD_CONFIG_DIR``, else ``$XDG_CONFIG_HOME/modelyard``, else ``~/.config/modelyard``. A relative
    ``XDG_CONFIG_HOME`` is ignored, as the XDG Base Directory rules ask.
    """
    if env.get("MODELYARD_CONFIG_DIR"):
        return Path(env["MODELYARD_CONFIG_DIR"])
    base = env.get("XDG_CONFIG_HOME", "")
    if os.path.isabs(base):
        return Path(base, "modelyard")
    return Path(env["HOME"], ".config", "modelyard") if env.get("HOME") else None


def _read_first_file(
    config: str | os.PathLike[str] | None, env: Mapping[str, str], cwd: Path, found: Findings
) -> str | None:
    """Read the file that counts into ``found``; its name, or ``None`` if there is no file."""
    named = os.fspath(config) if config is not None else env.get("MODELYARD_CONFIG") or None
    for name in _searched(env) if named is None else [named]:
        data = _bytes_of(cwd / os.path.expanduser(name), name, must_exist=named is not None)
        if data is not None:
            from modelyard.settings.read import read_yaml

            read_yaml(data, name, found)
            return name
    return None


def _searched(env: Mapping[str, str]) -> Iterator[str]:
    yield from SEARCHED
    folder = user_folder(env)
    if folder is not None:
        yield str(folder / "config.yaml")


def _bytes_of(path: Path, name: str, *, must_exist: bool) -> bytes | None:
    """The file's bytes, at most one more than is allowed; ``None`` if it is not there and need not be."""
    try:
        with path.open("rb") as file:
            from modelyard.settings.yaml_safe import MAX_BYTES

            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        # A file in a folder that may not be entered counts as not there: a service often runs with
        # somebody else's HOME. A file that is there and cannot be read is never passed over.
        if not must_exist and not path.exists():
            return None
        cause = getattr(error, "strerror", None) or error
        raise InvalidConfig(
            f"{quoted(name)}: expected a configuration file that can be read: {cause}"
        ) from error


def _read_environment(env: Mapping[str, str], found: Findings) -> None:
    names = sorted(name for name in env if name.startswith("MODELYARD_"))
    known = {setting.variable: setting for setting in table().values()} if names else {}
    for name in names:
        text = env[name].strip()
        if not text or name in _OWN or _is_from_containers(name, text, known):
            continue
        if name in known:
            _read_variable(known[name], text, found)
        elif _names_a_section(name):
            found.problems.append(f"unknown variable {quoted(name)}{suggestion(name, list(known))}")
        elif meant := _slip_in(name):
            found.problems.append(f"unknown variable {quoted(name)}; did you mean {meant!r}?")


def _read_variable(setting: Setting, text: str, found: Findings) -> None:
    kind = setting.kind
    # 1 and 0 are how switches are usually set in an environment; in a file they stay numbers.
    word = {"1": "true", "0": "false"}.get(text, text) if kind is SWITCH else text
    try:
        value: object = (
            tuple(kind.read(part.strip()) for part in word.split(",")) if kind.many else kind.read(word)
        )
    except ValueError:
        shown = "another text" if setting.is_confidential else quoted(text)
        found.problems.append(f"{setting.variable}: expected {kind.expects}, found {shown}")
    else:
        found.put(setting.key, value, setting.variable)


def _is_from_containers(name: str, text: str, known: Container[str]) -> bool:
    """A service link beside us, such as ``MODELYARD_DATABASE_PORT=tcp://10.0.0.7:5432``."""
    if not re.fullmatch(_FROM_CONTAINERS, name):
        return False
    return name not in known or text.startswith(("tcp://", "udp://"))


def _names_a_section(name: str) -> bool:
    """Only names below a known section are judged: the rest of the prefix may belong to other programs."""
    return name.removeprefix("MODELYARD_").partition("_")[0].lower() in sections()


def _slip_in(name: str) -> str | None:
    """The variable of ours that one word such as ``MODELYARD_URI`` is a letter away from; more is another word."""
    return next((own for own in sorted(_OWN) if _is_a_letter_away(name, own)), None)


def _is_a_letter_away(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    if len(short) == len(long):
        return sum(map(str.__ne__, short, long)) == 1
    return any(short == long[:place] + long[place + 1 :] for place in range(len(long)))


def _arguments(record: type, prefix: str, values: Mapping[str, object]) -> dict[str, Any]:
    """Arguments for one record of the tree: what was given, and a record for each section."""
    arguments: dict[str, Any] = {}
    for each in fields(record):
        key = prefix + each.name
        if "section" in each.metadata:
            kind = each.metadata["section"]
            arguments[each.name] = kind(**_arguments(kind, f"{key}.", values))
        elif key in values:
            arguments[each.name] = values[key]
    return arguments
