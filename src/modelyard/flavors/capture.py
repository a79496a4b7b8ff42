"""What a live model says about itself: framework, parameters, facts. Never fails a registration."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from modelyard.domain.records import FlavorRecord

DISTRIBUTIONS: Final = {
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "yaml": "pyyaml",
    "cv2": "opencv-python",
    "skimage": "scikit-image",
}
"""Top-level modules whose package has another name; the rest is looked up under its own."""

_FEW: Final = 64  # names, classes and items above this are counted instead of listed
_LONG: Final = 1000
_COUNTED: Final = ("coef_", "intercept_", "coefs_", "intercepts_", "cluster_centers_", "components_")


def describe(model: object, *, name: str, entry: str, options: Mapping[str, Any]) -> FlavorRecord:
    """A flavor's record with everything but the globals filled in."""
    package = framework_of(model)
    return FlavorRecord(
        name=name,
        entry=entry,
        options=dict(options),
        framework=package,
        framework_version=version_of(package),
        algorithm=type(model).__name__,
        hyperparams=hyperparams(model),
        facts=facts(model),
    )


def framework_of(model: object) -> str:
    """Distribution that the model's class, or the first known base of it, comes from; empty for builtins."""
    modules = [cls.__module__.partition(".")[0] for cls in type(model).__mro__]
    known = [module for module in modules if module not in sys.stdlib_module_names and module != "__main__"]
    return DISTRIBUTIONS.get(known[0], known[0]) if known else ""


def version_of(distribution: str) -> str:
    """Installed version, or an empty string."""
    return installed(distribution)[0]


@cache
def installed(distribution: str) -> tuple[str, tuple[str, ...]]:
    """Version of an installed distribution and its ``Requires-Dist`` lines; empty if it is not installed.

    Only the headers of its metadata are read ("Core metadata specifications"): ``importlib.metadata`` parses the long
    description too, which takes up to 2 ms for each question.
    """
    if not distribution:
        return "", ()
    import importlib.metadata

    try:
        found = importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "", ()
    text = found.read_text("METADATA")
    if text is None:  # an egg keeps them elsewhere
        return found.version, tuple(found.requires or ())
    headers = [line.partition(":") for line in text.partition("\n\n")[0].splitlines()]
    version = next((value.strip() for name, _, value in headers if name == "Version"), "")
    return version, tuple(value.strip() for name, _, value in headers if name == "Requires-Dist")


def module_version(module: str) -> str:
    """``__version__`` of an imported module, whatever its distribution is called (``xgboost-cpu`` ...)."""
    return str(getattr(sys.modules.get(module), "__version__", ""))


def hyperparams(model: object) -> dict[str, Any]:
    """``get_params()`` as JSON; nested estimators become their class name, their own parameters follow them."""
    getter = getattr(model, "get_params", None)
    if getter is None or isinstance(model, type):
        return {}
    try:
        params = getter()
    except Exception:  # a model that cannot name its parameters is still a model
        return {}
    return {str(key): jsonable(value) for key, value in params.items()} if isinstance(params, dict) else {}


def facts(model: object) -> dict[str, Any]:
    """Shapes and sizes that are cheap to read from a fitted model; of a pipeline, what its steps say together."""
    steps = getattr(model, "__dict__", {}).get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, tuple) and len(step) == 2 for step in steps):
        return _facts(model)
    parts = [(str(name), part, _facts(part)) for name, part in steps]
    found: dict[str, Any] = {
        "steps": [{"name": name, "class": _words(type(part))} for name, part, _ in parts]
    }
    for name in ("n_features_in", "feature_names_in"):  # of the first that knows: what comes in
        found |= next(({name: said[name]} for _, _, said in parts if name in said), {})
    for name in ("classes", "num_trees"):  # of the last that knows: what comes out
        found |= next(({name: said[name]} for _, _, said in reversed(parts) if name in said), {})
    count = sum(said.get("num_parameters", 0) for _, _, said in parts)
    return {**found, "num_parameters": count} if count else found


def _facts(model: object) -> dict[str, Any]:
    found: dict[str, Any] = {}
    state = getattr(model, "__dict__", {})
    if type(width := _attribute(model, "n_features_in_")) is int:
        found["n_features_in"] = width
    for attribute in ("feature_names_in_", "classes_"):
        value = state.get(attribute)
        if hasattr(value, "tolist") and getattr(value, "size", _FEW) <= _FEW:
            found[attribute.rstrip("_")] = jsonable(value)
    count = sum(_numbers(state.get(attribute)) for attribute in _COUNTED)
    if count:
        found["num_parameters"] = count
    if trees := _trees(state):
        found["num_trees"] = trees
    if hasattr(model, "shape") and hasattr(model, "dtype"):
        found |= {"shape": jsonable(tuple(model.shape)), "dtype": str(model.dtype)}
    return found


def _attribute(model: object, name: str) -> Any:
    """An attribute, or ``None``: some are computed, and what is not fitted may refuse with any error."""
    try:
        return getattr(model, name, None)
    except Exception:  # whatever it objects to, it does not say
        return None


def _trees(state: dict[str, Any]) -> int:
    """Trees of scikit-learn's forests and boosters, which keep them in one of two attributes."""
    grown = state.get("estimators_")
    flat = getattr(grown, "flat", grown)
    if flat is not None and type(next(iter(flat), None)).__module__.startswith("sklearn.tree"):
        return int(getattr(grown, "size", 0)) or len(grown)  # type: ignore[arg-type]
    rounds = state.get("_predictors")
    return sum(map(len, rounds)) if isinstance(rounds, list) else 0


def _numbers(value: Any) -> int:
    if isinstance(value, list):
        return sum(_numbers(item) for item in value)
    size = getattr(value, "size", 0)
    return size if isinstance(size, int) else 0


def jsonable(value: Any, depth: int = 0) -> Any:
    """The value as JSON: what JSON has no word for becomes text, what is too long is cut."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return str(value)[:_LONG]
    if hasattr(value, "tolist") and getattr(value, "size", _FEW + 1) <= _FEW:
        return jsonable(value.tolist(), depth + 1)
    if isinstance(value, list | tuple | set | frozenset) and depth < 4:
        return [jsonable(item, depth + 1) for item in list(value)[:_FEW]]
    if isinstance(value, dict) and depth < 4:
        return {str(key)[:_LONG]: jsonable(item, depth + 1) for key, item in list(value.items())[:_FEW]}
    return _words(value)


def _words(value: Any) -> str:
    if isinstance(value, type) or callable(value):
        return str(getattr(value, "__name__", type(value).__name__))
    if hasattr(value, "get_params"):
        return type(value).__name__
    try:
        text = repr(value)
    except Exception:  # a repr that fails says nothing
        return type(value).__name__
    return type(value).__name__ if " at 0x" in text else text[:_LONG]
