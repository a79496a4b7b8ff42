"""numpy's own files: one array as ``.npy``, several as ``.npz``. Arrays of objects are refused both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from modelyard.domain.errors import InvalidInput, LoadRefused, MissingDependency
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import capture, files
from modelyard.ports.flavors import SaveOptions, Trust

ONE: Final = "model.npy"
SEVERAL: Final = "model.npz"


class NumpyFlavor:
    """One array, or a dict of arrays."""

    name = "numpy"

    def accepts(self, model: object) -> bool:
        """True for an array of numbers, texts or times."""
        return is_array(model)

    def save(self, model: object, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Write ``model.npy`` for an array, ``model.npz`` for a dict of arrays. Byte-stable.

        Raises:
            InvalidInput: It is neither, or holds Python objects.
        """
        np = _numpy()
        if is_array(model):
            np.save(directory / ONE, model, allow_pickle=False)
            return capture.describe(model, name=self.name, entry=ONE, options={})
        arrays = arrays_of(model)
        ordered = {name: arrays[name] for name in sorted(arrays)}
        (np.savez_compressed if options.compress else np.savez)(
            directory / SEVERAL, allow_pickle=False, **ordered
        )
        return capture.describe(
            model, name=self.name, entry=SEVERAL, options={"compress": bool(options.compress)}
        )

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """Nothing: arrays are data."""
        return ()

    def load(self, directory: Path, record: FlavorRecord, trust: Trust) -> Any:
        """The array, or a dict of arrays.

        Raises:
            LoadRefused: The file holds Python objects, or is not an array file.
        """
        np = _numpy()
        path = files.entry_of(directory, record)
        try:
            found = np.load(path, allow_pickle=False)
            if not hasattr(found, "files"):
                return found
            with found:
                return {name: found[name] for name in found.files}
        except (ValueError, OSError, KeyError) as error:
            raise LoadRefused(f"{record.entry} is not loaded as arrays: {error}") from error


def is_array(model: object) -> bool:
    """True for a ``numpy.ndarray`` without Python objects; does not import numpy to find out."""
    names = {f"{cls.__module__}.{cls.__name__}" for cls in type(model).__mro__}
    return "numpy.ndarray" in names and not getattr(model, "dtype", None).hasobject  # type: ignore[union-attr]


def arrays_of(model: object) -> dict[str, Any]:
    """The model as a dict of arrays.

    Raises:
        InvalidInput: It is something else.
    """
    if (
        isinstance(model, dict)
        and model
        and all(isinstance(key, str) and is_array(model[key]) for key in model)
    ):
        return model
    raise InvalidInput(f"expected a dict of names to numpy arrays of numbers, found {type(model).__name__}")


def _numpy() -> Any:
    try:
        import numpy
    except ImportError as error:
        raise MissingDependency("arrays need numpy: pip install 'modelyard[safetensors]'") from error
    return numpy
