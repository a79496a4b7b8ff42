"""Small steps that several flavors take on their files."""

from __future__ import annotations

from pathlib import Path

from modelyard.domain.errors import InvalidInput, LoadRefused
from modelyard.domain.records import FlavorRecord, ScanReport
from modelyard.flavors import guard
from modelyard.ports.flavors import Trust


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
    return judged(path).globals


def judged(path: Path) -> ScanReport:
    """What the scanner says of a file."""
    from modelyard.scanning.scanner import TracingScanner  # every format: nothing for loading a pickle

    with path.open("rb") as file:
        return TracingScanner().scan(file, size=path.stat().st_size)


def permitted(path: Path, trust: Trust, *, format_: str) -> ScanReport:
    """The scanner's report on a file that may be opened under this trust.

    Raises:
        LoadRefused: It is of another format, names something that is not trusted, or cannot be followed to the end.
    """
    report = judged(path)
    if report.format != format_:
        raise LoadRefused(
            f"{path.name} was expected to be {format_}, but it is {report.format}; nothing was loaded"
        )
    about_names = {
        f"{name} is {why}" for name in report.globals for why in ("not on the allowlist", "on the deny list")
    }
    other = [reason for reason in report.reasons if reason not in about_names]
    guard.refuse_names(report.globals, trust, path.name, also=other)
    return report


def cannot_pickle(model: object, error: Exception) -> InvalidInput:
    """The error for objects that pickle refuses, with the usual way out."""
    return InvalidInput(
        f"this {type(model).__name__} cannot be pickled: {error}. Functions and classes have to be importable by "
        "name: move lambdas and local definitions into a module"
    )
