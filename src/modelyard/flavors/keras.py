"""Keras 3: a model as its ``.keras`` archive, a configuration in JSON and weights in HDF5.

What the configuration may name is decided here, before Keras reads it: its own layers, losses, optimizers and the
like are free, classes of other packages need trust by their name, and so do ``Lambda`` layers, which are Python byte
code (``keras.layers.Lambda``). Keras' ``safe_mode`` stays on unless that last name is trusted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from modelyard.domain.errors import InvalidInput, LoadRefused, MissingDependency
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import capture, files, guard
from modelyard.flavors.torch import bases_of
from modelyard.ports.flavors import SaveOptions, Trust
from modelyard.scanning.keras import LAMBDA, custom_classes

ENTRY: Final = "model.keras"
MODEL: Final = "keras.src.models.model.Model"
OLDEST: Final = (3, 13, 2)
"""Older ones read files that the weights name (CVE-2026-1669) or look up what is no layer (CVE-2025-8747)."""
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip archive can name


class KerasFlavor:
    """A Keras 3 model, with any backend."""

    name = "keras"

    def accepts(self, model: object) -> bool:
        """True for functional, sequential and subclassed models."""
        return MODEL in bases_of(model)

    def save(self, model: Any, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Write ``model.keras``, without the time of saving, so that the same model gives the same bytes.

        Raises:
            InvalidInput: It is no model of Keras 3, or Keras cannot write it.
            MissingDependency: Keras is not installed, or too old to be safe.
        """
        keras_here()
        if not self.accepts(model):
            raise InvalidInput(f"expected a Keras 3 model, found {type(model).__name__}")
        path = directory / ENTRY
        try:
            model.save(path)
        except (ValueError, TypeError, NotImplementedError) as error:
            raise InvalidInput(f"Keras cannot write this {type(model).__name__}: {error}") from error
        _make_canonical(path)
        return _record(model, path)

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """Classes and functions outside Keras, and ``keras.layers.Lambda`` if there is byte code."""
        return files.names_in(files.entry_of(directory, record))

    def load(self, directory: Path, record: FlavorRecord, trust: Trust) -> Any:
        """The model, compiled as it was.

        Raises:
            LoadRefused: A class is not trusted, a layer reads a file, or Keras does not accept the archive.
            MissingDependency: Keras, or a module of a trusted class, is not installed.
        """
        path = files.entry_of(directory, record)
        report = files.permitted(path, trust, format_="keras")
        keras = keras_here()
        custom = _custom(path, trust)
        try:
            with _named(path) as archive:
                return keras.saving.load_model(
                    archive, custom_objects=custom, safe_mode=LAMBDA not in report.globals
                )
        except (ValueError, TypeError, KeyError, OSError) as error:
            raise LoadRefused(f"{path.name} is not loaded: Keras does not accept it: {error}") from error


def keras_here() -> Any:
    """The library.

    Raises:
        MissingDependency: It is not installed, or too old to be safe.
    """
    try:
        import keras
    except ImportError as error:
        raise MissingDependency(
            f"this model needs Keras: pip install 'modelyard[keras]' ({error})"
        ) from error
    version = tuple(int(part) for part in keras.__version__.split(".")[:3] if part.isdigit())
    if version < OLDEST:
        raise MissingDependency(
            f"keras {keras.__version__} is too old to be safe: pip install 'keras>=3.13.2'"
        )
    return keras


def _custom(path: Path, trust: Trust) -> dict[str, Any]:
    """The classes and functions outside Keras, looked up under the guard, by the names that Keras will ask for."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        names = custom_classes(archive.read("config.json"))
    return {name: guard.find_class(*target, trust, path.name) for name, target in names.items()}


@contextmanager
def _named(path: Path) -> Iterator[Path]:
    """The archive under a name that ends in ``.keras``, without which Keras does not know what it is."""
    if path.suffix == ".keras":
        yield path
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="modelyard-keras-", ignore_cleanup_errors=True) as folder:
        link = Path(folder) / ENTRY
        link.symlink_to(path.resolve())
        yield link


def _make_canonical(path: Path) -> None:
    """Write the archive again without times and memory addresses."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in sorted(archive.namelist())}
    metadata = json.loads(members["metadata.json"])
    metadata.pop("date_saved", None)
    members["metadata.json"] = json.dumps(metadata, sort_keys=True).encode()
    members["config.json"] = json.dumps(_renumbered(json.loads(members["config.json"]), {})).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), data)


def _renumbered(config: Any, seen: dict[Any, int]) -> Any:
    """The configuration with shared objects counted from 1, in place of their addresses."""
    if isinstance(config, list):
        return [_renumbered(item, seen) for item in config]
    if not isinstance(config, dict):
        return config
    return {
        key: seen.setdefault(value, len(seen) + 1) if key == "shared_object_id" else _renumbered(value, seen)
        for key, value in config.items()
    }


def _record(model: Any, path: Path) -> FlavorRecord:
    keras = keras_here()
    record = capture.describe(
        model, name="keras", entry=path.name, options={"backend": keras.config.backend()}
    )
    facts: dict[str, Any] = {"num_layers": len(model.layers)}
    if model.built:
        facts["num_parameters"] = int(model.count_params())
        facts |= {key: _shape(getattr(model, key, None)) for key in ("input_shape", "output_shape")}
    return replace(
        record,
        framework="keras",
        framework_version=keras.__version__,
        facts={key: value for key, value in facts.items() if value is not None},
        globals=files.names_in(path),
    )


def _shape(shape: Any) -> Any:
    """A shape as JSON with -1 for a free axis; ``None`` for models with several inputs or outputs."""
    if not isinstance(shape, tuple) or not all(axis is None or isinstance(axis, int) for axis in shape):
        return None
    return [-1 if axis is None else axis for axis in shape]
