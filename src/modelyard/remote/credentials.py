"""Tokens that ``modelyard login`` fetched, in a file of the user's own.

One JSON object: address of the server to token. Nobody else may read it (mode 0600), and it is replaced whole. A token
is only ever sent to the address that it was fetched from.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from modelyard.domain.errors import StorageError
from modelyard.settings.loading import user_folder

FILE: Final = "logins.json"
LARGEST: Final = 1024 * 1024


def file(env: Mapping[str, str] | None = None) -> Path:
    """Where they are kept.

    Raises:
        StorageError: This user has no home and no folder for configuration.
    """
    folder = user_folder(os.environ if env is None else env)
    if folder is None:
        raise StorageError("there is no folder for a login: set HOME or MODELYARD_CONFIG_DIR")
    return folder.expanduser() / FILE


def stored(url: str) -> str | None:
    """The token for a server, if one was fetched and is still good."""
    try:
        found = _read(file()).get(address(url))
    except StorageError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("token"), str):
        return None
    return found["token"] if _is_good(found.get("expires_at")) else None


def keep(url: str, token: str, expires_at: str, name: str) -> Path:
    """Keep a token; the one that this server had is forgotten, and so are those that have expired.

    Raises:
        StorageError: The file cannot be written.
    """
    path = file()
    kept = {each: what for each, what in _read(path).items() if _is_good(what.get("expires_at"))}
    kept[address(url)] = {"token": token, "expires_at": expires_at, "name": name}
    _write(path, kept)
    return path


def forget(url: str) -> str | None:
    """Forget the token of a server; the token, if there was one, even if it has expired.

    Raises:
        StorageError: The file cannot be written.
    """
    path = file()
    kept = _read(path)
    gone = kept.pop(address(url), None)
    if gone is None:
        return None
    _write(path, kept)
    return str(gone.get("token", ""))


def address(url: str) -> str:
    """One spelling of a server's address."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    default = {"http": 80, "https": 443}.get(parts.scheme)
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path.rstrip('/')}"


def _is_good(expires_at: object) -> bool:
    try:
        return datetime.fromisoformat(str(expires_at)) > datetime.now(UTC)
    except (ValueError, TypeError):
        return False


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """What is in the file; nothing, if it is not there or is damaged: a new login repairs it."""
    try:
        with path.open(encoding="utf-8") as opened:
            found = json.loads(opened.read(LARGEST))
    except (FileNotFoundError, ValueError):
        return {}
    except OSError as error:
        raise StorageError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    return {k: v for k, v in found.items() if isinstance(v, dict)} if isinstance(found, dict) else {}


def _write(path: Path, kept: Mapping[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".logins-")  # made with mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as opened:
                json.dump(kept, opened, indent=2)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise StorageError(f"{str(path)!r} cannot be written: {error.strerror}") from error
