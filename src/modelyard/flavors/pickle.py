"""pickle: for every other Python object, optionally inside gzip."""

from __future__ import annotations

import gzip
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from modelyard.domain.errors import InvalidInput
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import capture, files, guard
from modelyard.ports.flavors import SaveOptions, Trust

PLAIN: Final = "model.pkl"
PACKED: Final = "model.pkl.gz"
PROTOCOL: Final = 5


class PickleFlavor:
    """Takes anything that can be pickled; asked last."""

    name = "pickle"

    def accepts(self, model: object) -> bool:
        """True for everything: whether it can be pickled shows when it is."""
        return True

    def save(self, model: object, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Write ``model.pkl``, or ``model.pkl.gz`` with ``compress=True`` (or a level from 1 to 9).

        The gzip header carries neither a time nor a name, so equal objects give equal bytes as far as pickle does.

        Raises:
            InvalidInput: The object cannot be pickled, or ``compress`` is not a bool or a level.
        """
        level = _level(options.compress)
        path = directory / (PACKED if level else PLAIN)
        try:
            _write(model, path, level)
        except (pickle.PicklingError, AttributeError, TypeError, RecursionError) as error:
            raise files.cannot_pickle(model, error) from error
        record = capture.describe(model, name=self.name, entry=path.name, options={"compress": level})
        return replace(record, globals=files.names_in(path))

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """Every global in the file; loading runs what these stand for."""
        return files.audited(directory, record, arrays=False)

    def load(self, directory: Path, record: FlavorRecord, trust: Trust) -> Any:
        """Unpickle under the guard."""
        return guard.load_pickle(files.entry_of(directory, record), trust)


def _write(model: object, path: Path, level: int) -> None:
    with path.open("wb") as file:
        if not level:
            pickle.dump(model, file, protocol=PROTOCOL)
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=level, mtime=0) as packed:
            pickle.dump(model, packed, protocol=PROTOCOL)


def _level(wanted: Any) -> int:
    if wanted is None or wanted is False:
        return 0
    if wanted is True or wanted == "gzip":
        return 6
    if isinstance(wanted, int) and 0 <= wanted <= 9:
        return wanted
    raise InvalidInput(
        f"compress={wanted!r} is not known for pickle; give True or False, or a gzip level from 1 to 9"
    )
