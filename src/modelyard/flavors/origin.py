"""Proof that this user made a version from a live object: an HMAC under a key that never enters a registry.

Whoever can write to a shared registry folder can change every record in it, but cannot forge this. The key lies in the
user's configuration folder; where that cannot be written there is simply no proof, and nothing fails.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from modelyard.domain.manifest import content_digest
from modelyard.domain.records import FileEntry

KEY_BYTES: Final = 32
_LABEL: Final = b"modelyard origin 1\0"


def key_path() -> Path:
    """``origin.key`` in ``$MODELYARD_CONFIG_DIR``, ``$XDG_CONFIG_HOME/modelyard`` or ``~/.config/modelyard``."""
    chosen = os.environ.get("MODELYARD_CONFIG_DIR")
    if chosen:
        return Path(chosen) / "origin.key"
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return Path(home) / "modelyard" / "origin.key"


def subject(entry: str, files: Iterable[FileEntry]) -> str:
    """Digest of what is opened: the file ``entry``, or all model files where the whole directory (``.``) is.

    Empty if there is no such file.
    """
    if entry == ".":
        return content_digest(file for file in files if file.role == "model")
    return next((file.digest for file in files if file.path == entry), "")


def sign(digest: str, globals_: Iterable[str]) -> str:
    """Proof for these bytes and names: ``hmac-sha256:<hex>``, or an empty string if no key can be kept.

    Args:
        digest: ``sha256:<hex>``, from ``subject``.
        globals_: Every ``module.name`` it needs, in any order.
    """
    key = _read_key() or _make_key()
    return _proof(key, digest, globals_) if key else ""


def proves(digest: str, globals_: Iterable[str], proof: str) -> bool:
    """True if ``sign`` of this user gave ``proof`` for exactly these bytes and names."""
    key = _read_key()
    return key is not None and hmac.compare_digest(_proof(key, digest, globals_).encode(), proof.encode())


def _proof(key: bytes, digest: str, globals_: Iterable[str]) -> str:
    # names hold no newline (they are identifiers and dots), so the joined text has one reading only
    text = "\n".join([digest, *sorted(set(globals_))])
    return "hmac-sha256:" + hmac.new(key, _LABEL + text.encode(), hashlib.sha256).hexdigest()


def _read_key() -> bytes | None:
    """The key, unless it is missing, a link, somebody else's, or readable by others."""
    try:
        handle = os.open(key_path(), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        facts = os.fstat(handle)
        mine = stat.S_ISREG(facts.st_mode) and facts.st_uid == os.getuid() and not facts.st_mode & 0o077
        key = os.read(handle, KEY_BYTES + 1) if mine else b""
    except OSError:
        return None
    finally:
        os.close(handle)
    return key if len(key) == KEY_BYTES else None


def _make_key() -> bytes | None:
    """Make the key once; of two processes that try, the second takes the first one's."""
    path = key_path()
    draft = path.with_name(f".origin.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # whole or not at all, and never over a key that is there
    except OSError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    return _read_key()
