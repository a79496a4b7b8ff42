"""Files and directories as they are: what no flavor understands is kept byte for byte and handed back as a path."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Protocol

from modelyard.domain.errors import InvalidInput
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import files
from modelyard.ports.flavors import SaveOptions, Trust


class FileFlavor:
    """One file."""

    name = "file"

    def accepts(self, model: object) -> bool:
        """True for the path of a file."""
        return isinstance(model, Path) and model.is_file()

    def save(self, model: object, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Copy the file below ``directory`` under its own name.

        Raises:
            InvalidInput: It is not the path of a regular file.
        """
        source = _existing(model)
        if not source.is_file():
            raise InvalidInput(
                f"{source} is not a file; for a directory use serialization_format='directory'"
            )
        shutil.copyfile(source, directory / source.name)
        return FlavorRecord(name=self.name, entry=source.name)

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """Nothing: loading opens nothing."""
        return ()

    def load(self, directory: Path, record: FlavorRecord, trust: Trust) -> Any:
        """The path of the file."""
        return files.entry_of(directory, record)


class DirectoryFlavor:
    """A directory with everything below it."""

    name = "directory"

    def accepts(self, model: object) -> bool:
        """True for the path of a directory."""
        return isinstance(model, Path) and model.is_dir()

    def save(self, model: object, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Copy the content below ``directory``; links are refused, not followed.

        Raises:
            InvalidInput: It is not a directory, or holds something that is neither file nor directory.
        """
        source = _existing(model)
        if not source.is_dir():
            raise InvalidInput(f"{source} is not a directory; for a file use serialization_format='file'")
        for found in sorted(source.rglob("*")):
            if found.is_symlink() or not (found.is_file() or found.is_dir()):
                raise InvalidInput(
                    f"{found} is a link or a special file; only files and directories are kept"
                )
        shutil.copytree(source, directory, dirs_exist_ok=True)
        return FlavorRecord(name=self.name, entry=".")

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """Nothing: loading opens nothing."""
        return ()

    def load(self, directory: Path, record: FlavorRecord, trust: Trust) -> Any:
        """The path of the directory."""
        return files.entry_of(directory, record)


class Recognising(Protocol):
    """A flavor that knows the directories of its framework by sight."""

    def recognise(self, directory: Path) -> FlavorRecord | None:
        """The record of a directory that somebody else wrote; ``None`` if the framework would not load it."""


def copied(
    flavor: Recognising, source: Any, directory: Path, options: SaveOptions, missing: str
) -> FlavorRecord:
    """Copy a directory that its framework wrote, and say what it is.

    Args:
        missing: What the source lacks, said behind its path when the flavor does not recognise it.

    Raises:
        InvalidInput: It is no directory, holds links, or is not one of the framework's.
    """
    DirectoryFlavor().save(source, directory, options)
    record = flavor.recognise(directory)
    if record is None:
        raise InvalidInput(f"{source} {missing}")
    return record


def _existing(model: object) -> Path:
    if not isinstance(model, str | Path):
        raise InvalidInput(f"expected the path of a file or directory, found {type(model).__name__}")
    path = Path(model)
    if not path.exists():
        raise InvalidInput(f"{path} does not exist")
    return path
