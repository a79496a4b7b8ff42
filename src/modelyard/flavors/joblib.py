"""joblib: scikit-learn's own habit, arrays written raw so that they can be skipped, mapped and copied fast."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from modelyard.domain.errors import InvalidInput, MissingDependency
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import capture, files, guard
from modelyard.ports.flavors import SaveOptions, Trust

ENTRY: Final = "model.joblib"
METHODS: Final = ("zlib", "gzip", "bz2", "lzma", "xz", "lz4")


class JoblibFlavor:
    """The default for scikit-learn and whatever follows its interface."""

    name = "joblib"

    def accepts(self, model: object) -> bool:
        """True for instances of classes that descend from scikit-learn, xgboost or lightgbm."""
        roots = {cls.__module__.partition(".")[0] for cls in type(model).__mro__}
        return not roots.isdisjoint({"sklearn", "xgboost", "lightgbm"})

    def save(self, model: object, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Write ``model.joblib``.

        Args:
            model: Anything that can be pickled.
            directory: Existing and empty.
            options: ``compress`` 0 (the default, byte-stable), 1 to 9, ``True`` (3), a method's name, or
                ``(method, level)`` with a method of ``METHODS``.

        Raises:
            InvalidInput: The object cannot be pickled, or ``compress`` is none of these.
            MissingDependency: joblib (or lz4 for its method) is not installed.
        """
        try:
            import joblib
        except ImportError as error:
            raise MissingDependency("saving needs joblib: pip install 'modelyard[sklearn]'") from error
        compress = _compress(options.compress)
        path = directory / ENTRY
        try:
            joblib.dump(model, str(path), compress=compress)
        except (pickle.PicklingError, AttributeError, TypeError, RecursionError) as error:
            raise files.cannot_pickle(model, error) from error
        except ValueError as error:
            if "LZ4" in str(error):
                raise MissingDependency("compress='lz4' needs the package lz4: pip install lz4") from error
            raise
        record = capture.describe(
            model,
            name=self.name,
            entry=ENTRY,
            options={"compress": list(compress) if isinstance(compress, tuple) else compress},
        )
        return replace(record, globals=files.names_in(path))

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """Every global in the file; loading runs what these stand for."""
        return files.audited(directory, record, arrays=True)

    def load(self, directory: Path, record: FlavorRecord, trust: Trust) -> Any:
        """Unpickle under the guard."""
        return guard.load_joblib(files.entry_of(directory, record), trust)


def _compress(wanted: Any) -> int | tuple[str, int]:
    if wanted is None or wanted is False:
        return 0
    if wanted is True:
        return 3
    if isinstance(wanted, int) and 0 <= wanted <= 9:
        return wanted
    if isinstance(wanted, str) and wanted in METHODS:
        return wanted, 3
    if isinstance(wanted, list | tuple) and len(wanted) == 2:
        method, level = wanted
        if method in METHODS and type(level) is int and 0 <= level <= 9:
            return method, level
    raise InvalidInput(
        f"compress={wanted!r} is not known; give 0 to 9, True, one of {', '.join(METHODS)}, or (method, level)"
    )
