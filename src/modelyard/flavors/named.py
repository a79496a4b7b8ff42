"""Flavors by the name that a version's record has: each is imported when it is asked for, since a load needs one."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from modelyard.domain.errors import InvalidInput, NotSupported
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import plugins
from modelyard.ports.flavors import Flavor, Trust

_HOMES: Final = {
    "file": "raw:FileFlavor",
    "directory": "raw:DirectoryFlavor",
    "xgboost": "xgboost:XgboostFlavor",
    "lightgbm": "lightgbm:LightgbmFlavor",
    "catboost": "catboost:CatboostFlavor",
    "onnx": "onnx:OnnxFlavor",
    "statsmodels": "statsmodels:StatsmodelsFlavor",
    "keras": "keras:KerasFlavor",  # before torch, on which a Keras model may be built, as one of transformers always is
    "transformers": "transformers:TransformersFlavor",
    "spacy": "spacy:SpacyFlavor",
    "torchscript": "torch_programs:TorchScriptFlavor",
    "torch_export": "torch_programs:TorchExportFlavor",
    "torch": "torch:TorchFlavor",
    "torch_pickle": "torch_programs:TorchPickleFlavor",
    "mlflow": "detect:mlflow_flavor",
    "joblib": "joblib:JoblibFlavor",
    "safetensors": "safetensors:SafetensorsFlavor",
    "numpy": "numpy:NumpyFlavor",
    "skops": "skops:SkopsFlavor",
    "pickle": "pickle:PickleFlavor",
}
"""Module and class, in the order in which they are asked for an object; pickle takes everything and so comes last."""

BUILT_IN: Final = tuple(_HOMES)


def by_name(name: str) -> Flavor:
    """The flavor that reads what was written under this name.

    Raises:
        NotSupported: Neither built in nor installed.
    """
    if name in _HOMES:
        return built_in(name)
    if (installed := plugins.named(name, taken=BUILT_IN)) is not None:
        return installed
    raise NotSupported(
        f"flavor {name!r} is not known here; built in are {', '.join(sorted(BUILT_IN))}; "
        f"installed beside them: {', '.join(plugins.names(taken=BUILT_IN)) or 'none'}"
    )


@cache
def built_in(name: str) -> Flavor:
    """The flavor of one of the names in ``BUILT_IN``; stateless, so one is enough."""
    module, _, made = _HOMES[name].partition(":")
    flavor: Flavor = getattr(import_module(f"modelyard.flavors.{module}"), made)()
    return flavor


def load(directory: Path, record: FlavorRecord, trust: Trust, form: str = "") -> Any:
    """Build a model from verified files by the flavor that wrote them.

    Args:
        directory: The version's files.
        record: How they were written.
        trust: What may be looked up.
        form: One of the flavor's ``forms``, for example ``session``; empty for what was saved.

    Raises:
        InvalidInput: The flavor has no such form.
        LoadRefused: Something is not trusted, or not what the record says.
        NotSupported: The flavor is not known here.
    """
    flavor: Any = by_name(record.name)
    if not form:
        return flavor.load(directory, record, trust)
    known = getattr(flavor, "forms", ())
    if form not in known:
        others = f"as {' or '.join(map(repr, known))}" if known else "in no other form"
        raise InvalidInput(
            f"form={form!r}: a model of flavor {record.name!r} can be had {others}; leave form out for what was saved"
        )
    return flavor.load(directory, record, trust, form=form)
