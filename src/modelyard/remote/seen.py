"""Versions that a server told of, for when it is away: only by names that can never come to mean another version.

A ``model_id`` and ``name#7`` mean the same for ever, so what was seen of them may be answered from here; a stage, an
alias, a label range or a bare name may have moved since, so they are never. What can change about the version itself
(stage, metrics, tags, a withdrawal) is as it was when it was last seen, and a warning says so.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Final

from modelyard.domain import refs
from modelyard.domain.canonical import plain
from modelyard.domain.errors import InvalidInput, ModelyardWarning
from modelyard.domain.records import ModelVersion
from modelyard.domain.refs import Ref
from modelyard.domain.text import fold
from modelyard.wire.codec import decode

FRAMES: Final = 6
"""Calls between the caller's line and the warning, so that it names that line."""


class Seen:
    """Records of versions in files, one for each name.

    Args:
        folder: Where; ``None`` remembers nothing.
        url: The server that told of them.
    """

    def __init__(self, folder: Path | None, url: str) -> None:
        self._folder = folder
        self._url = url
        self._written: dict[str, int] = {}

    def keep(self, version: ModelVersion) -> None:
        """Remember a version; a cache that cannot be written remembers nothing."""
        if self._folder is None or self._written.get(version.model_id) == version.revision:
            return
        text = json.dumps(plain(version), ensure_ascii=False)
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for ref in (
                Ref("id", value=version.model_id),
                Ref("number", model=version.name, number=version.number),
            ):
                _write(self._place(self._folder, ref), text)
            self._written[version.model_id] = version.revision

    def recall(self, ref: str) -> ModelVersion | None:
        """What was last seen of a version, with a warning; ``None`` for any ref that could have moved."""
        try:
            parsed = refs.parse(ref)
            if self._folder is None or parsed.kind not in ("id", "number"):
                return None
            told = json.loads(self._place(self._folder, parsed).read_text("utf-8"))
            version = decode(ModelVersion, told)
        except (OSError, ValueError, InvalidInput):
            return None
        warnings.warn(
            ModelyardWarning(
                f"{self._url} does not answer; {ref} is as it was last seen from here. Whether it was withdrawn or "
                "moved since is not known"
            ),
            stacklevel=FRAMES,
        )
        return version

    def _place(self, folder: Path, ref: Ref) -> Path:
        told = f"{self._url}\n{ref.value}\n{fold(ref.model)}\n{ref.number}"
        return folder / hashlib.sha256(told.encode()).hexdigest()


def _write(place: Path, text: str) -> None:
    """Whole or not at all: another process may read it this moment."""
    descriptor, name = tempfile.mkstemp(dir=place.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, place)
    except OSError:
        with suppress(OSError):
            os.unlink(name)
        raise
