"""skops: scikit-learn models as an archive of arrays and a schema; only named classes are constructed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from modelyard.domain.errors import InvalidInput, LoadRefused, MissingDependency
from modelyard.domain.records import FlavorRecord, ScanReport
from modelyard.flavors import capture, files, guard
from modelyard.ports.flavors import SaveOptions, Trust
from modelyard.scanning.scanner import TracingScanner

ENTRY: Final = "model.skops"
OLDEST: Final = (0, 13)
"""Older ones constructed operators and methods by name, and fell back to joblib where a file was not an archive."""


class SkopsFlavor:
    """On request. Its bytes differ from one save to the next."""

    name = "skops"

    def accepts(self, model: object) -> bool:
        """Never the natural choice: joblib is, because it covers every estimator."""
        return False

    def save(self, model: object, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Write ``model.skops``.

        Raises:
            InvalidInput: skops does not know how to write this object.
            MissingDependency: skops 0.13 or newer is not installed.
        """
        io = _io()
        path = directory / ENTRY
        try:
            io.dump(model, path)
        except Exception as error:
            raise InvalidInput(
                f"skops cannot write this {type(model).__name__}: {error}; use serialization_format='joblib'"
            ) from error
        record = capture.describe(model, name=self.name, entry=ENTRY, options={})
        return replace(record, globals=_scan(path).globals)

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """Every class that the schema names."""
        return _scan(files.entry_of(directory, record)).globals

    def load(self, directory: Path, record: FlavorRecord, trust: Trust) -> Any:
        """Construct the model from classes that are trusted.

        Raises:
            LoadRefused: A class is not trusted, or the archive is not one that skops writes.
            MissingDependency: skops 0.13 or newer is not installed.
        """
        io = _io()
        path = files.entry_of(directory, record)
        report = _scan(path)
        if report.format != "skops":
            raise LoadRefused(
                f"{record.entry} is not a skops archive but {report.format}; nothing was loaded"
            )
        structural = [reason for reason in report.reasons if not reason.endswith("list")]
        guard.refuse_names(report.globals, trust, record.entry, also=structural)
        untrusted = io.get_untrusted_types(file=path)
        foreign = sorted(set(untrusted) - set(report.globals))
        if foreign:
            guard.refuse_names(foreign, Trust(), record.entry)
        return io.load(path, trusted=untrusted)


def _scan(path: Path) -> ScanReport:
    with path.open("rb") as file:
        return TracingScanner().scan(file, size=path.stat().st_size)


def _io() -> Any:
    try:
        import skops
        import skops.io
    except ImportError as error:
        raise MissingDependency("the skops format needs skops: pip install 'modelyard[skops]'") from error
    if tuple(int(part) for part in skops.__version__.split(".")[:2]) < OLDEST:
        raise MissingDependency(f"skops {skops.__version__} is too old to be safe: pip install 'skops>=0.13'")
    return skops.io
