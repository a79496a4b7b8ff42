"""spaCy: a pipeline's directory, as ``Language.to_disk`` writes it.

The weights are data (msgpack, arrays, JSON). What runs is what ``config.cfg`` names: functions and components that are
registered in the process that loads. spaCy's own are free; every other needs trust by the name
``spacy.registry.<kind>.<name>``, for example ``spacy.registry.factories.my_component``.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from modelyard.domain.errors import InvalidInput, LoadRefused, MissingDependency
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import capture, files, guard
from modelyard.flavors.raw import copied
from modelyard.flavors.torch import bases_of
from modelyard.ports.flavors import SaveOptions, Trust
from modelyard.scanning.allowed import spacy as allowed

LANGUAGE: Final = "spacy.language.Language"
CONFIG: Final = "config.cfg"
META: Final = "meta.json"
REGISTRY: Final = "spacy.registry"
_LOADED: Final = ("nlp", "components")
"""Sections of the configuration that loading resolves; the others speak of training."""
_LARGEST: Final = 1 << 20


class SpacyFlavor:
    """A ``Language``, or the directory of one."""

    name = "spacy"

    def accepts(self, model: object) -> bool:
        """True for pipelines of any language."""
        return LANGUAGE in bases_of(model)

    def save(self, model: Any, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Write the pipeline's files, or copy a directory that has them.

        Raises:
            InvalidInput: It is neither.
        """
        if isinstance(model, str | Path):
            missing = f"is no spaCy pipeline: no {CONFIG} with an [nlp] section and {META}"
            return copied(self, model, directory, options, missing)
        if not self.accepts(model):
            raise InvalidInput(f"expected a spaCy pipeline, found {type(model).__name__}")
        model.to_disk(directory)
        record = self.recognise(directory)
        if record is None:
            raise InvalidInput(f"spaCy wrote no {CONFIG} for this {type(model).__name__}")
        described = capture.describe(model, name=self.name, entry=".", options={})
        return replace(record, framework_version=described.framework_version, algorithm=described.algorithm)

    def recognise(self, directory: Path) -> FlavorRecord | None:
        """The record of a directory that somebody else wrote; ``None`` if it is no pipeline."""
        try:
            config, meta = _config(directory / CONFIG), _meta(directory / META)
        except (LoadRefused, OSError):
            return None
        if "nlp" not in config or not isinstance(meta.get("lang"), str):
            return None
        return FlavorRecord(
            name=self.name,
            framework="spacy",
            framework_version="",
            algorithm=f"{meta['lang']} pipeline"[:100],
            facts={
                "language": meta["lang"][:100],
                "pipeline": capture.jsonable(meta.get("pipeline", [])),
                "spacy_version": str(meta.get("spacy_version", ""))[:100],
            },
            globals=_foreign(config),
        )

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """Registered functions and factories that are not spaCy's own."""
        return _foreign(_config(files.entry_of(directory, record) / CONFIG))

    def load(self, directory: Path, record: FlavorRecord, trust: Trust) -> Any:
        """The pipeline.

        Raises:
            LoadRefused: A function is not trusted, or the configuration takes something from elsewhere.
            MissingDependency: spaCy is not installed.
        """
        folder = files.entry_of(directory, record)
        config = _config(folder / CONFIG)
        guard.refuse_names(_foreign(config), trust, CONFIG, also=_elsewhere(config))
        spacy = _library()
        try:
            # Once more as spaCy itself reads it, variables filled in: what differs from the first reading is refused.
            config = spacy.util.load_config(folder / CONFIG, interpolate=True)
            guard.refuse_names(_foreign(config), trust, CONFIG, also=_elsewhere(config))
            return spacy.load(folder)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LoadRefused(f"spaCy does not accept this directory: {error}") from error


def _foreign(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Names that need trust, sorted."""
    found = {f"{kind}: {name}" for kind, name in _functions(config)} - _known()
    return tuple(sorted(_dotted(*entry.split(": ", 1)) for entry in found))


def _functions(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(registry, name) of everything that loading looks up."""
    for path, value in _texts(config):
        if path[-1].startswith("@"):
            yield path[-1][1:], value
        elif path[-1] == "factory":
            yield "factories", value


def _elsewhere(config: Mapping[str, Any]) -> list[str]:
    """Reasons to refuse that no trust helps against."""
    reasons = []
    for path, value in _texts(config):
        if any(part in ("..", ".") or "/" in part or "\\" in part for part in path[1:2]):
            reasons.append(f"{CONFIG} has a component whose name leaves the directory: {path[1][:80]!r}")
        if path[-1] == "source" and len(path) == 3:
            reasons.append(f"{CONFIG} takes a component from another model: {value[:80]!r}")
        if (path[-1].startswith("@") or path[-1] == "factory") and "$" in value:
            reasons.append(f"{CONFIG} computes the name of a function: {path[-1]} = {value[:80]}")
    return list(dict.fromkeys(reasons))


def _texts(found: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """(path of keys, text) of everything in the sections that loading resolves."""
    if isinstance(found, Mapping):
        for key, value in found.items():
            if path or str(key) in _LOADED:
                yield from _texts(value, (*path, str(key)))
    elif isinstance(found, list | tuple):
        for item in found:
            yield from _texts(item, path)
    elif isinstance(found, str):
        yield path, found


def _read(text: str) -> Any:
    """A value as spaCy reads it: JSON where it is JSON, else the text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _dotted(kind: str, name: str) -> str:
    return ".".join([REGISTRY, *(re.sub(r"\W", "_", part) for part in (kind, *name.split(".")))])


@functools.cache
def _known() -> frozenset[str]:
    found: set[str] = set()
    kind = ""
    for word in allowed.NAMES.split():
        if word.endswith(":"):
            kind = word
        else:
            found.add(f"{kind} {word}")
    return frozenset(found)


def _config(path: Path) -> dict[str, Any]:
    """The configuration as nested dicts, by the parser that spaCy's own reader is built on, variables not filled in.

    Raises:
        LoadRefused: It is missing, too large or malformed.
    """
    import configparser

    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        if path.stat().st_size > _LARGEST:
            raise LoadRefused(f"{path.name} is larger than {_LARGEST} bytes")
        parser.read_string(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise LoadRefused(f"{path.name} cannot be read: {error}") from error
    found: dict[str, Any] = {}
    for section in parser.sections():
        node = found
        for part in section.split("."):
            if not isinstance(node.get(part), dict):
                node[part] = {}
            node = node[part]
        node.update({key: _read(value) for key, value in parser.items(section)})
    return found


def _meta(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8")) if path.stat().st_size <= _LARGEST else None
    except (ValueError, RecursionError) as error:
        raise LoadRefused(f"{path.name} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise LoadRefused(f"{path.name} is no JSON object")
    return found


def _library() -> Any:
    try:
        import spacy
    except ImportError as error:
        raise MissingDependency(
            f"this model needs spaCy: pip install 'modelyard[spacy]' ({error})"
        ) from error
    return spacy
