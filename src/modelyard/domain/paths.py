"""Paths of files inside a version: relative, portable, and the same file on every system that unpacks them.

A path is judged as written, then as every decoder that may stand between a client and a disk could read it:
percent-decoded until nothing changes, and with full-width letters as ASCII. Whatever looks dangerous in any
of these forms is refused; nothing is ever repaired, because repaired paths are how two readers come to
disagree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final
from unicodedata import normalize

from modelyard.domain.errors import InvalidPath
from modelyard.domain.text import INVISIBLE, fold, shown, storable_problem

PATH_BYTES: Final = 1024
COMPONENT_BYTES: Final = 255
DEPTH: Final = 64

_DEVICES: Final = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)
"""Names that Windows gives to devices, with any extension (Win32 "Naming Files, Paths, and Namespaces")."""

_ESCAPES: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_DECODES: Final = 5
"""Rounds of percent-decoding looked through; what still changes after that is refused as a trick."""


def check_path(path: str) -> str:
    """The path in NFC, if it names one file below a version's root on any operating system.

    Raises:
        InvalidPath: Empty, absolute, or longer than 1024 bytes; more than 64 deep; a component that is empty, ``.``,
            ``..``, over 255 bytes, begins with ``-``, ends in a dot or space, is a device name, or holds a backslash,
            a colon, a control or an invisible character; or percent-encoding that hides any of these or a
            ``/``.
    """
    value: object = path
    if not isinstance(value, str):
        raise _bad(value, "expected text", f"found {type(value).__name__}")
    if len(value) > 4 * PATH_BYTES:
        raise _bad(value, f"expected at most {PATH_BYTES} bytes", f"found {len(value)} characters")
    if problem := storable_problem(value):
        raise _bad(value, "expected text that UTF-8 can hold", f"found {problem}")
    clean = normalize("NFC", value)
    if problem := _problem(clean) or _hidden_problem(clean):
        raise _bad(value, "expected a relative path such as weights/part-1.safetensors", f"found {problem}")
    return clean


def check_paths(paths: Iterable[str]) -> None:
    """That checked paths can live side by side on any disk: no name twice in any case, none both file and
    folder.

    Raises:
        InvalidPath: Two of them collide; the message names both.
    """
    seen: dict[str, str] = {}
    for path in paths:
        if (key := fold(path)) in seen:
            raise _bad(
                path, "expected each path once, upper and lower case alike", f"found {shown(seen[key])} too"
            )
        seen[key] = path
    for key, path in seen.items():
        for folder in _folders(key):
            if folder in seen:
                raise _bad(
                    path,
                    "expected no path that is both file and folder",
                    f"found the file {shown(seen[folder])}",
                )


def _folders(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _problem(path: str) -> str | None:
    """What is wrong with one literal reading of a path, or ``None``."""
    if not path:
        return "nothing"
    if len(path.encode("utf-8", "replace")) > PATH_BYTES:
        return f"more than {PATH_BYTES} bytes"
    if path.startswith("/"):
        return "an absolute path"
    components = path.split("/")
    if len(components) > DEPTH:
        return f"{len(components)} levels, more than {DEPTH}"
    return next(filter(None, map(_component_problem, components)), None)


def _component_problem(part: str) -> str | None:
    if part in ("", ".", ".."):
        return f"the component '{part}'"
    if len(part.encode("utf-8")) > COMPONENT_BYTES:
        return f"a component of more than {COMPONENT_BYTES} bytes"
    for char in part:
        if char in "\\:" or not char.isprintable() or INVISIBLE.match(char):
            return f"the character {shown(char)}"
    if part[0] == "-":
        return "a component that begins with '-' and could be taken for an option"
    if part[-1] in ". ":
        return "a component that ends in a dot or a space"
    if _DEVICES.fullmatch(part.split(".")[0].rstrip(" ")):
        return f"the device name {shown(part)}"
    return None


def _hidden_problem(path: str) -> str | None:
    """What some decoder would make of it: percent-encoding, and compatibility forms such as full-width
    dots.
    """
    wide = normalize("NFKC", path)
    if "\\" in wide or wide.count("/") != path.count("/") or not {".", ".."}.isdisjoint(wide.split("/")):
        return "letters that turn into '..', '/' or '\\' when normalised"
    return _encoded_problem(path) if "%" in path else None


def _encoded_problem(path: str) -> str | None:
    for _ in range(_DECODES):
        decoded = _decoded(path)
        if decoded is None:
            return "percent-encoded bytes that are not UTF-8"
        if decoded == path:
            return None
        if decoded.count("/") != path.count("/"):
            return "a percent-encoded '/'"
        if problem := _problem(decoded):
            return f"percent-encoding that hides {problem}"
        path = decoded
    return f"percent-encoding more than {_DECODES} deep"


def _decoded(path: str) -> str | None:
    raw = _ESCAPES.sub(lambda found: bytes([int(found[1], 16)]), path.encode("utf-8"))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _bad(path: object, expected: str, found: str) -> InvalidPath:
    return InvalidPath(f"path {shown(path)}: {expected}, {found}. Rename the file.", data={"found": found})
