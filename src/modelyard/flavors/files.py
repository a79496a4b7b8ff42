"""Small steps that several flavors take on their files."""

from __future__ import annotations

from pathlib import Path

from modelyard.domain.errors import InvalidInput, LoadRefused
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import guard
from modelyard.scanning.scanner import TracingScanner


def entry_of(directory: Path, record: FlavorRecord) -> Path:
    """The file that the flavor opens.

    Raises:
        LoadRefused: The recorded entry leaves the version's directory, or is not there.
    """
    path = directory / record.entry
    if ".." in Path(record.entry).parts or Path(record.entry).is_absolute() or not path.exists():
        raise LoadRefused(f"{record.entry!r} is not a file of this version; nothing was loaded")
    return path


def audited(directory: Path, record: FlavorRecord, *, arrays: bool) -> tuple[str, ...]:
    """Names that unpickling would look up, sorted."""
    findings, _ = guard.traced(entry_of(directory, record), arrays=arrays)
    return tuple(sorted(findings.names))


def names_in(path: Path) -> tuple[str, ...]:
    """The same for a file just written, by the scanner that will judge it, which then remembers the answer."""
    with path.open("rb") as file:
        return TracingScanner().scan(file, size=path.stat().st_size).globals


def cannot_pickle(model: object, error: Exception) -> InvalidInput:
    """The error for objects that pickle refuses, with the usual way out."""
    return InvalidInput(
        f"this {type(model).__name__} cannot be pickled: {error}. Functions and classes have to be importable by "
        "name: move lambdas and local definitions into a module"
    )
