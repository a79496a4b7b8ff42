"""Which flavor? For a live object by its class, for a file by its content."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from modelyard.domain.errors import InvalidInput, NotSupported
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import capture, guard, lightgbm, onnx, plugins, xgboost
from modelyard.flavors.mlflow import MlflowFlavor
from modelyard.flavors.named import BUILT_IN, built_in
from modelyard.flavors.named import by_name as by_name
from modelyard.flavors.named import load as load
from modelyard.flavors.spacy import SpacyFlavor
from modelyard.flavors.transformers import TransformersFlavor
from modelyard.ports.flavors import Flavor
from modelyard.scanning import sniff
from modelyard.scanning.compression import inflated
from modelyard.scanning.findings import Unreadable
from modelyard.scanning.scanner import TracingScanner
from modelyard.scanning.symbols import WRAPPER


def _of_directory(path: Path) -> FlavorRecord:
    """What an MLflow directory may hold: no other of its kind, so that nesting ends."""
    return _known_directory(path) or FlavorRecord(name="directory")


def mlflow_flavor() -> MlflowFlavor:
    """The flavor of MLflow's directories, which hold a model of any other."""
    return MlflowFlavor(of_file=flavor_of_file, of_directory=_of_directory, by_name=by_name)


_BY_FORMAT: Final = {
    "joblib": "joblib",
    "pickle": "pickle",
    "skops": "skops",
    "safetensors": "safetensors",
    "npy": "numpy",
    "npz": "numpy",
    "catboost": "catboost",
    "onnx": "onnx",
    "torch": "torch_pickle",
    "torchscript": "torchscript",
    "torch_export": "torch_export",
    "keras": "keras",
}
_FRAMEWORKS: Final = {
    "torch_pickle": "torch",
    "torchscript": "torch",
    "torch_export": "torch",
    "keras": "keras",
    "onnx": "onnx",
    "catboost": "catboost",
}
_SELF_DESCRIBED: Final = {
    "xgboost": xgboost.file_record,
    "xgboost_json": xgboost.file_record,
    "lightgbm": lightgbm.file_record,
}
"""Formats whose files say themselves what they are."""


def flavor_for(model: object, serialization_format: str | None = None) -> Flavor:
    """The flavor that writes this object.

    Args:
        model: A live object, or a ``Path``.
        serialization_format: A flavor's name; ``None`` takes the natural one.

    Raises:
        InvalidInput: No flavor has that name.
    """
    if serialization_format is None:
        return _natural(model)
    try:
        return by_name(serialization_format)
    except NotSupported as error:
        raise InvalidInput(
            f"serialization_format={serialization_format!r} is not known; give one of {', '.join(sorted(BUILT_IN))}"
        ) from error


def _natural(model: object) -> Flavor:
    """The first built-in flavor that takes the object for its own; plug-ins come before what takes everything."""
    found = next(flavor for flavor in map(built_in, BUILT_IN) if flavor.accepts(model))
    if found.name != BUILT_IN[-1] or not capture.framework_of(model):
        return found
    return plugins.accepting(model, taken=BUILT_IN) or found


def flavor_of_path(path: Path, wanted: str | None = None) -> FlavorRecord:
    """How a file or directory that somebody else wrote can be loaded, by its content or as the caller says.

    Args:
        path: Existing.
        wanted: A flavor's name. ``file`` and ``directory`` keep it as it is; a built-in one has to be what the content
            says; an installed one is believed, and says itself what loading would look up.

    Raises:
        InvalidInput: No flavor has that name, or the content is something else.
    """
    found = flavor_of_directory(path) if path.is_dir() else flavor_of_file(path)
    if wanted is None or wanted == found.name:
        return found
    flavor = flavor_for(path, wanted)
    if wanted in ("file", "directory") and flavor.accepts(path):
        return FlavorRecord(name=wanted, entry="." if path.is_dir() else path.name)
    if wanted in BUILT_IN and {wanted, found.name} != {"joblib", "pickle"}:
        raise InvalidInput(
            f"serialization_format={wanted!r}: by its content {str(path)!r} is of format {found.name!r}; "
            "leave it out, or say 'file' to keep a file as it is"
        )
    root, entry = (path, ".") if path.is_dir() else (path.parent, path.name)
    record = FlavorRecord(name=wanted, entry=entry, framework=found.framework, algorithm=found.algorithm)
    return replace(record, globals=flavor.audit(root, record))


def flavor_of_file(path: Path) -> FlavorRecord:
    """How a file that somebody else wrote can be loaded, judged by its content alone.

    Pickles and joblib files become models again (under the guard), so do skops, safetensors and array files without
    objects; everything else is a plain file.
    """
    with path.open("rb") as file:
        form = sniff.sniff(file.read(sniff.HEAD), path.stat().st_size)
        if form == "pickle" or (form in sniff.COMPRESSED and _is_packed_pickle(path, form)):
            return _pickled(path, form)
        file.seek(0)
        report = TracingScanner().scan(file, size=path.stat().st_size)
    name = _BY_FORMAT.get(report.format, "file")
    if form in sniff.COMPRESSED or (name == "numpy" and report.globals):
        name = "file"
    if name == "pickle":
        return _pickled(path, "pickle")
    if form in _SELF_DESCRIBED and report.verdict == "clean":
        return _SELF_DESCRIBED[form](path)
    framework = _FRAMEWORKS.get(name, "")
    return FlavorRecord(name=name, entry=path.name, framework=framework, globals=report.globals)


def flavor_of_directory(path: Path) -> FlavorRecord:
    """A directory is kept as it is, unless it is one of those we know."""
    mlflow: Any = by_name("mlflow")
    return mlflow.recognise(path) or _known_directory(path) or FlavorRecord(name="directory", entry=".")


def _known_directory(path: Path) -> FlavorRecord | None:
    """The record of a directory that says itself what it is."""
    for recognise in (TransformersFlavor().recognise, SpacyFlavor().recognise, onnx.recognise):
        if (found := recognise(path)) is not None:
            return found
    return None


def _pickled(path: Path, form: str) -> FlavorRecord:
    findings, root = guard.traced(path, arrays=True)
    is_joblib = WRAPPER in findings.names or form not in ("pickle", "gzip")
    module, _, algorithm = root.rpartition(".")
    package = capture.DISTRIBUTIONS.get(module.partition(".")[0], module.partition(".")[0])
    return FlavorRecord(
        name="joblib" if is_joblib else "pickle",
        entry=path.name,
        options={} if form == "pickle" else {"compress": form},
        framework="" if package in ("builtins", "collections") else package,
        algorithm=algorithm,
        globals=tuple(sorted(findings.names)),
    )


def _is_packed_pickle(path: Path, method: str) -> bool:
    try:
        with path.open("rb") as file:
            head = inflated(file, method, size=path.stat().st_size).peek(2)
    except Unreadable:
        return False
    return len(head) > 1 and head[0] == 0x80 and head[1] <= 5
