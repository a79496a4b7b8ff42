"""Where a work tree's code comes from: the address of its remote, without anything that opens a door.

The repository's configuration file is read here and not by a second git, which would cost each registration another
2 ms. Syntax: git-config(1). Included files are not followed, and an ``insteadOf`` is not applied.
"""

from __future__ import annotations

import os
import re
import stat
from functools import lru_cache
from pathlib import Path
from typing import Final

LONGEST: Final = 1 << 20
"""Bytes of a configuration file above which it is not read."""

_SECTION = re.compile(r'\[\s*([A-Za-z0-9.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]\s*')
_ENTRY = re.compile(r"([A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*(.*))?")
_ESCAPES: Final = {"n": "\n", "t": "\t", "b": "\b"}
_ADDRESS = re.compile(
    r"(?P<scheme>https?|ftps?|git|ssh|git\+ssh|ssh\+git|file)://"
    r"(?:(?P<user>[^/]*)@)?(?P<host>(?:\[[0-9A-Fa-f:.]+\]|[\w.-]*)(?::[0-9]{0,5})?)(?P<path>/[^?#@]*)?(?:[?#][^@]*)?"
)
_SHORT = re.compile(r"(?:(?P<user>[^/:@]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+):(?P<path>[^:@][^@]*)")
_PATH = re.compile(r"(?:/|\.{1,2}/)[^@]*|[^:@]+")


def of(marker: Path, branch: str | None) -> str | None:
    """The address that a branch is fetched from, else that of ``origin``, else of the only remote.

    Args:
        marker: The ``.git`` of the work tree, a folder or a file.
        branch: The branch checked out, if one is.

    Returns:
        ``None`` if there is none, or if it cannot be told without what might be a password.
    """
    try:
        path = _config(marker)
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > LONGEST:
            return None
        urls, branches = _read(path, facts.st_mtime_ns, facts.st_size)
    except OSError:
        return None
    names = (branches.get(branch or ""), "origin", next(iter(urls)) if len(urls) == 1 else None)
    url = next((urls[name] for name in names if name in urls), None)
    return without_credentials(url) if url else None


def without_credentials(url: str) -> str | None:
    """An address of a repository without user, password, query and fragment; ``git@`` stays where ssh needs it.

    Anything that does not read as one of the forms in git-fetch(1), "Git URLs", gives ``None``: what cannot be taken
    apart might hide a password anywhere. So does a further ``@`` behind the user.
    """
    if not url.isprintable() or len(url) > 2000:
        return None
    if found := _ADDRESS.fullmatch(url):
        user = "git@" if found["user"] == "git" and "ssh" in found["scheme"] else ""
        return f"{found['scheme']}://{user}{found['host']}{found['path'] or ''}"
    if "://" not in url and (found := _SHORT.fullmatch(url)):
        return f"{'git@' if found['user'] == 'git' else ''}{found['host']}:{found['path']}"
    return url if _PATH.fullmatch(url) else None


def _config(marker: Path) -> Path:
    """The configuration that all work trees of a repository share (gitrepository-layout(5))."""
    folder = marker
    if marker.is_file():
        text = _text(marker).removeprefix("gitdir:").strip()
        folder = marker.parent / text
    common = folder / "commondir"
    return (folder / _text(common).strip() if common.is_file() else folder) / "config"


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return os.fsdecode(file.read(4096))


@lru_cache(maxsize=16)
def _read(path: Path, changed: int, size: int) -> tuple[dict[str, str], dict[str, str]]:
    """Remote -> first address, and branch -> remote. ``changed`` and ``size`` only tell one state from another."""
    urls: dict[str, str] = {}
    branches: dict[str, str] = {}
    text = path.read_bytes()[:LONGEST].decode("utf-8", "replace")
    section, name = "", ""
    for line in text.replace("\\\r\n", "").replace("\\\n", "").splitlines():
        line = line.strip()
        if heading := _SECTION.match(line):
            section, name = heading[1].lower(), re.sub(r"\\(.)", r"\1", heading[2] or "")
            line = line[heading.end() :]
        entry = _ENTRY.fullmatch(line)
        if entry and (section, entry[1].lower()) == ("remote", "url"):
            urls.setdefault(name, _value(entry[2] or ""))
        elif entry and (section, entry[1].lower()) == ("branch", "remote"):
            branches[name] = _value(entry[2] or "")
    return urls, branches


def _value(text: str) -> str:
    """A value as written: quotes taken off, escapes read, a comment behind it dropped."""
    found: list[str] = []
    quoted = False
    characters = iter(text)
    for character in characters:
        if character == "\\":
            following = next(characters, "")
            found.append(_ESCAPES.get(following, following))
        elif character == '"':
            quoted = not quoted
        elif character in "#;" and not quoted:
            break
        else:
            found.append(character)
    return "".join(found).strip()
