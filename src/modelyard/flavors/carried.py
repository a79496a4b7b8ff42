"""The signature that a model carries with it, where it does: feature names, a graph's ends, MLflow's ``MLmodel``.

Estimators know how many features they take, and their names if they were fitted on a table; they know neither the
types nor what they give, and nothing is guessed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from modelyard.domain.records import FlavorRecord
from modelyard.domain.signature import FREE, Field, Signature
from modelyard.domain.signature_given import parse
from modelyard.flavors import onnx_schema

LOG = logging.getLogger("modelyard")

MOST_NAMES: Final = 10_000
"""Names that are taken over unasked; of more only their number."""


def read(flavor: FlavorRecord | None, live: object | None, entry: Path | None) -> Signature | None:
    """What the model says of itself; ``None`` if nothing. Never fails: a model that cannot say is still a model.

    Args:
        flavor: How the model is written; what was found out about it is in its facts.
        live: The object, where it is one.
        entry: The file that the flavor opens, where it is there.
    """
    if flavor is None:
        return None
    try:
        return _mlflow(flavor, live) or _onnx(flavor, live, entry) or _features(flavor, live)
    except Exception as error:  # frameworks raise what they like from a mere attribute
        LOG.debug("no signature could be read from the %s model: %s", flavor.name, error)
        return None


def _mlflow(flavor: FlavorRecord, live: Any) -> Signature | None:
    """From an MLflow directory, or from what ``mlflow.pyfunc.load_model`` gave."""
    if type(live).__module__.partition(".")[0] == "mlflow":
        signature = getattr(getattr(live, "metadata", None), "signature", None)
        return None if signature is None else parse(signature)
    found = flavor.facts.get("mlflow")
    given = found.get("signature") if isinstance(found, dict) else None
    return parse(given) if given else None


def _onnx(flavor: FlavorRecord, live: Any, entry: Path | None) -> Signature | None:
    if flavor.name != "onnx":
        return None
    if live is not None:
        return onnx_schema.read_live(live)
    return onnx_schema.read_file(entry) if entry is not None else None


# --- features -----------------------------------------------------------------------------------------------


def _features(flavor: FlavorRecord, live: Any) -> Signature | None:
    names, count = _counted(flavor, live)
    if names and len(names) <= MOST_NAMES and not _made_up(names):
        return Signature(inputs=tuple(Field(name=name, type="any") for name in names))
    return Signature(inputs=(Field(type="any", shape=(FREE, count)),)) if count else None


def _counted(flavor: FlavorRecord, live: Any) -> tuple[list[str], int]:
    """Names of the features, if there are any, and their number."""
    libraries = {cls.__module__.partition(".")[0] for cls in type(live).__mro__}
    if "xgboost" in libraries:
        booster = live.get_booster() if hasattr(live, "get_booster") else live
        return list(booster.feature_names or ()), int(booster.num_features())
    if "lightgbm" in libraries:
        booster = live if hasattr(live, "feature_name") else live.booster_
        return booster.feature_name(), int(booster.num_feature())
    names: Any = getattr(live, "feature_names_in_", None)
    if names is None:
        names = flavor.facts.get("feature_names_in")
    listed = [str(name) for name in names] if isinstance(names, list) or hasattr(names, "tolist") else []
    count = getattr(live, "n_features_in_", None) or flavor.facts.get("n_features_in") or len(listed)
    # a fact that was cut off is no list of names
    return (listed if len(listed) == count else []), int(count)


def _made_up(names: Sequence[str]) -> bool:
    """Whether a library named the columns of a bare array: ``Column_0``, ``f0``, ``0``."""
    return any(
        all(name == f"{start}{index}" for index, name in enumerate(names)) for start in ("Column_", "f", "")
    )
