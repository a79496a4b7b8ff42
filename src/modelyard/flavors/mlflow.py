"""MLflow model directories: ``MLmodel`` says what lies in them, and the flavor that we know for that loads it.

So a scikit-learn model inside goes through the guarded unpickler like any other, and what comes back is the
library's own object. A directory of which we know no inner flavor is loaded by MLflow itself, which may run everything
in it; that needs trust by the name of its loader, for example ``mlflow.pyfunc.model._load_pyfunc``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

from modelyard.domain.errors import InvalidConfig, LoadRefused, MissingDependency
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import files, guard
from modelyard.flavors.raw import copied
from modelyard.ports.flavors import Flavor, SaveOptions, Trust
from modelyard.scanning.mlmodel import loader_name

MLMODEL: Final = "MLmodel"
GENERIC: Final = "python_function"
_PATHS: Final = {
    "sklearn": ("pickled_model",),
    "xgboost": ("data",),
    "lightgbm": ("data",),
    "catboost": ("data",),
    "onnx": ("data",),
    "statsmodels": ("data",),
    "spacy": ("data",),
    "keras": ("data",),
    "tensorflow": ("data",),
    "pytorch": ("model_data", "data"),
    "transformers": ("model_binary",),
}
"""MLflow's flavors whose files we can read -> keys that say where these are."""
_RAW: Final = ("file", "directory")
_LONGEST: Final = 100_000  # characters of a signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What an ``MLmodel`` file says.

    Attributes:
        flavors: Flavor -> its settings, texts only.
        signature: ``inputs``, ``outputs`` and ``params`` as JSON texts, those that are there.
        version: Of MLflow.
    """

    flavors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    signature: Mapping[str, str] = field(default_factory=dict)
    version: str = ""

    @property
    def loader(self) -> str:
        """The module that MLflow would load it with, or an empty string."""
        return self.flavors.get(GENERIC, {}).get("loader_module", "")


class MlflowFlavor:
    """A directory with an ``MLmodel`` file.

    Args:
        of_file: Says how a file can be loaded.
        of_directory: The same for a directory.
        by_name: The flavor of that name.
    """

    name = "mlflow"

    def __init__(
        self,
        of_file: Callable[[Path], FlavorRecord],
        of_directory: Callable[[Path], FlavorRecord],
        by_name: Callable[[str], Flavor],
    ):
        self._of_file = of_file
        self._of_directory = of_directory
        self._by_name = by_name

    def accepts(self, model: object) -> bool:
        """True for the path of a directory with an ``MLmodel`` file."""
        return isinstance(model, Path) and (model / MLMODEL).is_file()

    def save(self, model: Any, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Copy the directory.

        Raises:
            InvalidInput: It is no directory with a readable ``MLmodel`` file.
        """
        return copied(self, model, directory, options, f"has no {MLMODEL} file that says how to load it")

    def recognise(self, directory: Path) -> FlavorRecord | None:
        """The record of a directory; ``None`` if it is no MLflow model, or one that nobody here could load."""
        try:
            found = described(directory)
        except (LoadRefused, OSError):
            return None
        facts = {"mlflow": _facts(found)}
        inner = self._inner(directory, found)
        if inner is not None:
            return replace(
                inner,
                name=self.name,
                entry=".",
                options={"inner": {key: value for key, value in asdict(inner).items() if key in _KEPT}},
                facts={**inner.facts, **facts},
            )
        if not found.loader:
            return None
        flavor = next((name for name in found.flavors if name != GENERIC), "mlflow")
        return FlavorRecord(
            name=self.name,
            options={"loader": found.loader, "keeps_files": True},
            framework=flavor,
            facts=facts,
            globals=(loader_name(found.loader),),
        )

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """What the inner flavor would look up, or the name of MLflow's loader."""
        folder = files.entry_of(directory, record)
        inner = _recorded(record)
        if inner is not None:
            return self._by_name(inner.name).audit(folder, inner)
        return (loader_name(described(folder).loader),)

    def load(self, directory: Path, record: FlavorRecord, trust: Trust) -> Any:
        """The inner model; MLflow's ``PyFuncModel`` where no inner flavor is known.

        Raises:
            LoadRefused: The inner flavor refuses, or MLflow's loader is not trusted.
            MissingDependency: MLflow, or the inner flavor's library, is not installed.
        """
        folder = files.entry_of(directory, record)
        inner = _recorded(record)
        if inner is not None:
            return self._by_name(inner.name).load(folder, inner, trust)
        guard.refuse_names([loader_name(described(folder).loader)], trust, MLMODEL)
        try:
            import mlflow.pyfunc
        except ImportError as error:
            raise MissingDependency(
                f"this model needs MLflow: pip install 'modelyard[mlflow]' ({error})"
            ) from error
        return mlflow.pyfunc.load_model(str(folder))

    def _inner(self, directory: Path, found: Described) -> FlavorRecord | None:
        """The record of the files that one of MLflow's flavors points at."""
        for flavor, keys in _PATHS.items():
            for given in (found.flavors.get(flavor, {}).get(key, "") for key in keys):
                path = _inside(directory, given)
                record = self._judged(path) if path else None
                if path and record:
                    entry = (
                        (path / record.entry).relative_to(directory)
                        if path.is_dir()
                        else path.relative_to(directory)
                    )
                    return replace(record, entry=entry.as_posix(), framework=record.framework or flavor)
        return None

    def _judged(self, path: Path) -> FlavorRecord | None:
        if path.is_file():
            record = self._of_file(path)
            return None if record.name in _RAW else record
        record = self._of_directory(path)
        if record.name not in _RAW:
            return record
        # MLflow keeps the model beside notes of its own: one file that can be loaded is the model.
        known = [self._of_file(file) for file in sorted(path.iterdir()) if file.is_file()]
        models = [record for record in known if record.name not in _RAW]
        return models[0] if len(models) == 1 else None


_KEPT: Final = ("name", "entry", "options", "globals")


def _recorded(record: FlavorRecord) -> FlavorRecord | None:
    """The inner flavor's record, which was kept among the options."""
    inner = record.options.get("inner")
    if inner is None:
        return None
    if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
        raise LoadRefused("the record of the model inside the MLflow directory is damaged")
    return FlavorRecord(
        name=str(inner["name"]),
        entry=str(inner.get("entry", "")),
        options=dict(inner.get("options") or {}),
        framework=record.framework,
        algorithm=record.algorithm,
        facts=record.facts,
        hyperparams=record.hyperparams,
        globals=record.globals,
    )


def _inside(directory: Path, given: str) -> Path | None:
    """A path of the ``MLmodel`` file below its directory; ``None`` if it is empty, leaves it or is not there."""
    parts = PurePosixPath(given).parts
    if not given or given.startswith("/") or ".." in parts or "\\" in given or ":" in given:
        return None
    path = directory.joinpath(*parts)
    return path if path.exists() else None


def described(directory: Path) -> Described:
    """Read ``MLmodel`` as plain data, within limits.

    Raises:
        LoadRefused: It is missing, or no YAML of the expected shape.
    """
    from modelyard.settings import yaml_safe

    path = directory / MLMODEL
    try:
        root = _plain(yaml_safe.parse(path.read_bytes(), MLMODEL))
    except (OSError, InvalidConfig) as error:
        raise LoadRefused(f"{MLMODEL} cannot be read: {error}") from error
    flavors = root.get("flavors") if isinstance(root, dict) else None
    if not isinstance(flavors, dict):
        raise LoadRefused(f"{MLMODEL} names no flavors")
    return Described(
        flavors={name: _texts(settings) for name, settings in flavors.items()},
        signature=_texts(root.get("signature")),
        version=str(root.get("mlflow_version") or "")[:40],
    )


def _plain(node: Any) -> Any:
    """The tree as dicts, lists, texts and ``None``."""
    from modelyard.settings import yaml_safe

    if isinstance(node, yaml_safe.Table):
        return {key.text: _plain(value) for key, value in node.entries}
    if isinstance(node, yaml_safe.Listing):
        return [_plain(item) for item in node.items]
    return None if node is None or node.is_null else node.text


def _texts(found: Any) -> dict[str, str]:
    if not isinstance(found, dict):
        return {}
    return {key: value[:_LONGEST] for key, value in found.items() if isinstance(value, str)}


def _facts(found: Described) -> dict[str, Any]:
    return {
        "flavors": list(found.flavors)[:20],
        "mlflow_version": found.version,
        "signature": {key: found.signature.get(key) for key in ("inputs", "outputs", "params")}
        if found.signature
        else None,
    }
