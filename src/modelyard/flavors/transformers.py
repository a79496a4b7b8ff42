"""Hugging Face transformers: a directory with ``config.json`` and weights.

The loader sees a folder of its own that holds the configuration and the weights and nothing else: no Python files, no
adapters that name another model, no checkpoints in other formats. Code from the directory (``auto_map``) is never run.
Weights in safetensors are data; ``pytorch_model.bin`` is a pickle and is judged as one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from modelyard.domain.errors import InvalidInput, LoadRefused, MissingDependency
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import capture, files, guard
from modelyard.flavors.raw import copied
from modelyard.flavors.torch import bases_of, full_name
from modelyard.ports.flavors import SaveOptions, Trust

MODEL: Final = "transformers.modeling_utils.PreTrainedModel"
CONFIG: Final = "config.json"
_GENERATION: Final = "generation_config.json"
_KINDS: Final = ("model.safetensors", "pytorch_model.bin")
"""Names of weights, the safe ones first; each may have an index of shards beside it."""
_LARGEST: Final = 8 << 20  # bytes of a configuration or an index


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What of a directory is loaded.

    Attributes:
        config: The parsed ``config.json``.
        architecture: Name of the class, from the configuration.
        weights: File names, indexes of shards included.
        pickled: Those of them that are pickles.
    """

    config: Mapping[str, Any]
    architecture: str
    weights: tuple[str, ...]
    pickled: tuple[str, ...]


class TransformersFlavor:
    """A ``PreTrainedModel``, or the directory of one."""

    name = "transformers"

    def accepts(self, model: object) -> bool:
        """True for models of transformers and classes that descend from them."""
        return MODEL in bases_of(model)

    def save(self, model: Any, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Write ``config.json`` and ``model.safetensors``, or copy a directory that has such files.

        Raises:
            InvalidInput: It is neither.
        """
        if isinstance(model, str | Path):
            missing = f"is no directory that transformers wrote: no {CONFIG} with weights in it"
            return copied(self, model, directory, options, missing)
        if not self.accepts(model):
            raise InvalidInput(f"expected a model of transformers, found {type(model).__name__}")
        _library()
        model.save_pretrained(directory)
        return _record(model)

    def recognise(self, directory: Path) -> FlavorRecord | None:
        """The record of a directory that somebody else wrote; ``None`` if transformers would not load it."""
        try:
            parts = _parts(directory)
        except (LoadRefused, OSError):
            return None
        names = {name for weights in parts.pickled for name in files.names_in(directory / weights)}
        return FlavorRecord(
            name=self.name,
            options={"class": f"transformers.{parts.architecture}"},
            framework="transformers",
            framework_version=str(parts.config.get("transformers_version", ""))[:40],
            algorithm=parts.architecture,
            facts={"model_type": str(parts.config.get("model_type", ""))[:100]},
            globals=tuple(sorted(names)),
        )

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """The model's class if it is not one of transformers, and the globals of pickled weights."""
        folder = files.entry_of(directory, record)
        pickled = {name for weights in _parts(folder).pickled for name in files.names_in(folder / weights)}
        return tuple(sorted(pickled | _own_class(record)))

    def load(self, directory: Path, record: FlavorRecord, trust: Trust) -> Any:
        """The model, in evaluation mode, on the CPU; nothing is downloaded.

        Raises:
            LoadRefused: The directory is not one that transformers wrote, asks for code of its own, or names a class
                or pickled weights that are not trusted.
            MissingDependency: transformers is not installed, or has no such class.
        """
        folder = files.entry_of(directory, record)
        parts = _parts(folder)
        if own := _own_class(record):
            guard.refuse_names(own, trust, CONFIG)
        for name in parts.pickled:
            files.permitted(folder / name, trust, format_="torch")
        cls = _class_of(record, parts, trust)
        with _only(folder, parts) as clean:
            try:
                return cls.from_pretrained(
                    clean, local_files_only=True, use_safetensors=not parts.pickled, weights_only=True
                )
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise LoadRefused(f"transformers does not accept this directory: {error}") from error


def _record(model: Any) -> FlavorRecord:
    import transformers

    name = full_name(model)
    inside = name.startswith("transformers.")
    record = capture.describe(model, name="transformers", entry=".", options={})
    facts = {
        "model_type": str(model.config.model_type),
        "num_parameters": int(model.num_parameters()),
        "dtypes": [str(model.dtype).removeprefix("torch.")],
    }
    return replace(
        record,
        options={"class": f"transformers.{type(model).__name__}" if inside else name},
        framework="transformers",
        framework_version=transformers.__version__,
        facts=facts,
        globals=() if inside else (name,),
    )


def _own_class(record: FlavorRecord) -> set[str]:
    name = str(record.options.get("class", ""))
    return set() if not name or name.startswith("transformers.") else {name}


def _class_of(record: FlavorRecord, parts: Parts, trust: Trust) -> Any:
    """The class to load with: one of transformers' own models, or one that is trusted by name."""
    library = _library()
    for name in _own_class(record):
        module, _, cls = name.rpartition(".")
        return guard.find_class(module, cls, trust, CONFIG)
    name = str(record.options.get("class", "")).removeprefix("transformers.") or parts.architecture
    found = getattr(library, name, None)
    if not isinstance(found, type) or not issubclass(found, library.PreTrainedModel):
        raise MissingDependency(f"transformers {library.__version__} has no model class {name!r}")
    return found


def _parts(folder: Path) -> Parts:
    """What would be loaded of a directory.

    Raises:
        LoadRefused: It has no configuration with an architecture and weights, or asks for more than data.
    """
    config = _json(folder / CONFIG)
    names = config.get("architectures")
    if not isinstance(names, list) or not names or not isinstance(names[0], str):
        raise LoadRefused(f"{CONFIG} names no architecture")
    _check(config)
    for kind in _KINDS:
        weights = _weights(folder, kind)
        if weights:
            pickled = tuple(name for name in weights if name.endswith(".bin"))
            return Parts(config=config, architecture=names[0], weights=weights, pickled=pickled)
    raise LoadRefused(f"no weights: expected one of {', '.join(_KINDS)}, or an index of them")


def _weights(folder: Path, kind: str) -> tuple[str, ...]:
    if (folder / kind).is_file():
        return (kind,)
    index = f"{kind}.index.json"
    if not (folder / index).is_file():
        return ()
    shards = _json(folder / index).get("weight_map")
    names = (
        sorted(set(shards.values()))
        if isinstance(shards, dict) and all(_is_plain(n) for n in shards.values())
        else []
    )
    suffix = kind.rpartition(".")[2]
    for name in names:
        if not name.endswith(suffix) or not (folder / name).is_file():
            raise LoadRefused(f"{index} names {name[:100]!r}, which is no such file of this directory")
    if not names:
        raise LoadRefused(f"{index} names no files of this directory")
    return (index, *names)


def _is_plain(name: Any) -> bool:
    return isinstance(name, str) and name == Path(name).name and not name.startswith(".")


def _check(config: Any, depth: int = 0) -> None:
    """Refuse kernels, compiled code that transformers would fetch from the hub and run, and weights of another name.

    Raises:
        LoadRefused: Names the field.
    """
    items = (
        config.items() if isinstance(config, dict) else enumerate(config) if isinstance(config, list) else ()
    )
    for key, value in items:
        if str(key).endswith("_implementation") and isinstance(value, str) and "/" in value:
            raise LoadRefused(f"{CONFIG} asks for code from the hub: {key}={value[:100]!r}")
        if key == "transformers_weights" and value is not None:
            raise LoadRefused(
                f"{CONFIG} takes its weights from {str(value)[:100]!r}; expected {' or '.join(_KINDS)}"
            )
        if depth < 20:
            _check(value, depth + 1)


def _json(path: Path) -> dict[str, Any]:
    """A small JSON object.

    Raises:
        LoadRefused: It is missing, too large, or something else.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise LoadRefused(f"{path.name} is larger than {_LARGEST} bytes")
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise LoadRefused(f"{path.name} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise LoadRefused(f"{path.name} is no JSON object")
    return found


@contextmanager
def _only(folder: Path, parts: Parts) -> Iterator[Path]:
    """A folder with links to the files that are loaded and nothing else."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="modelyard-transformers-", ignore_cleanup_errors=True) as name:
        clean = Path(name)
        for file in (CONFIG, _GENERATION, *parts.weights):
            if (folder / file).is_file():
                (clean / file).symlink_to((folder / file).resolve())
        yield clean


def _library() -> Any:
    try:
        import torch  # noqa: F401  transformers imports without it and then has no models
        import transformers
    except ImportError as error:
        raise MissingDependency(
            f"this model needs transformers and torch: pip install 'modelyard[transformers]' ({error})"
        ) from error
    return transformers
