"""Short names that a server may be configured by, from the environment or from a file such as ``.env``.

Only a server reads them: an unrelated ``MONGODB_URL`` in somebody's shell must not redirect a registry in a folder.
A name of the environment goes before the same name in the file, and ``MODELYARD_*`` before both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from modelyard.domain.errors import InvalidConfig
from modelyard.settings.findings import Findings
from modelyard.settings.table import find, quoted, sections

SHORT: Final[Mapping[str, str]] = {
    "REGISTRY_PORT": "server.port",
    "MONGODB_URL": "database.url",
    "MONGODB_DB": "database.name",
    "MINIO_ENDPOINT": "storage.s3.endpoint_url",
    "MINIO_ACCESS_KEY": "storage.s3.access_key",
    "MINIO_SECRET_KEY": "storage.s3.secret_key",
    "MINIO_BUCKET": "storage.s3.bucket",
}
"""Which setting each of them means."""

_MOST: Final = 64 * 1024
_LINE: Final = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)", re.ASCII)
_QUOTED: Final = re.compile(r"""(?P<mark>['"])(?P<text>.*)(?P=mark)\s*(?:#.*)?""")


def read_short_names(file: str, env: Mapping[str, str], cwd: Path, found: Findings) -> None:
    """Take the short names into ``found``; a file that is not there says nothing.

    Raises:
        InvalidConfig: The file is there and cannot be read.
    """
    for name, text in _in_file(cwd / file, file).items():
        if name in SHORT:
            _take(name, text, f"{file}: {name}", found)
        elif name not in env:  # where a shell or a service manager has read the file, it counts from there
            found.problems.append(
                f"{file}: {quoted(name)} is read from the environment only, and is not there; export it before the "
                f"server starts. Read from {file} are {', '.join(SHORT)}"
            )
    for name in SHORT:
        if text := env.get(name, "").strip():
            _take(name, text, name, found)


def is_short(source: str) -> bool:
    """Whether a setting has its value from one of the short names."""
    return source.rpartition(" ")[2] in SHORT


def _take(name: str, text: str, source: str, found: Findings) -> None:
    setting = find(SHORT[name])
    if name == "MINIO_ENDPOINT" and "://" not in text:
        text = f"http://{text}"  # customarily given as host:port
    try:
        found.put(setting.key, setting.kind.read(text), source)
    except ValueError:
        shown = "another text" if setting.is_confidential else quoted(text)
        found.problems.append(f"{source}: expected {setting.kind.expects}, found {shown}")


def _in_file(path: Path, name: str) -> dict[str, str]:
    """The short names of a file of ``NAME=value`` lines, and those that only we use; the rest is other programs'."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST + 1).decode("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or error
        raise InvalidConfig(f"{quoted(name)}: expected a file of NAME=value lines: {cause}") from error
    if len(text) > _MOST:
        raise InvalidConfig(f"{quoted(name)}: expected at most {_MOST:,} bytes; found more")
    lines = (_LINE.fullmatch(line.strip()) for line in text.splitlines())
    ours = (m for m in lines if m and (m[1] in SHORT or _is_setting(m[1])))
    return {m[1]: value for m in ours if (value := _value(m[2]))}


def _is_setting(name: str) -> bool:
    """Whether a name is ``MODELYARD_`` and a section's, such as ``MODELYARD_SERVER_PORT``."""
    prefix, _, rest = name.partition("_")
    return prefix == "MODELYARD" and rest.partition("_")[0].lower() in sections()


def _value(text: str) -> str:
    """As shells read it: quotes around are no part of it, nor is a comment after it."""
    if marked := _QUOTED.fullmatch(text):
        return marked["text"]
    return re.split(r"\s+#", text, maxsplit=1)[0].strip()


__all__ = ["SHORT", "is_short", "read_short_names"]
