"""lightgbm: the library's own text file. Data alone, which nobody has to trust.

The text holds all trees, feature names and parameters. An estimator of the scikit-learn interface is built again around
it from a handful of plain facts; lightgbm offers no way of its own, so an estimator with any other state goes to
joblib, which keeps everything. The history of evaluations is not kept here.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from modelyard.domain.errors import InvalidInput, LoadRefused, MissingDependency
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import capture, files, lightgbm_file, plain
from modelyard.ports.flavors import SaveOptions, Trust

ENTRY: Final = "model.txt"
BOOSTER: Final = "Booster"
ESTIMATORS: Final = ("LGBMClassifier", "LGBMRegressor", "LGBMRanker", "LGBMModel")
_FACTS: Final = (
    "_best_iteration", "_best_score", "_class_map", "_class_weight", "_eval_at", "_fitted_with_feature_names",
    "_n_classes", "_n_features", "_n_features_in", "_objective", "_other_params", "fitted_",
)  # fmt: skip
_REST: Final = frozenset({"_Booster", "_classes", "_evals_result", "_le"})
"""What else a fitted estimator has: rebuilt from the text and the classes, or left out."""


class LightgbmFlavor:
    """Boosters, and fitted estimators of the scikit-learn interface."""

    name = "lightgbm"
    forms = ("booster",)

    def accepts(self, model: object) -> bool:
        """True for lightgbm's own classes with plain state; subclasses and functions in them go to joblib."""
        cls = type(model)
        if cls.__module__ == "lightgbm.basic":
            return cls.__name__ == BOOSTER
        if cls.__module__ != "lightgbm.sklearn" or cls.__name__ not in ESTIMATORS:
            return False
        state = vars(model)
        if not state.get("fitted_") or state.get("_Booster") is None:
            return False
        params = _params(model)
        known = {*_FACTS, *_REST, *params}
        return known.issuperset(state) and plain.is_plain(params) and plain.is_plain(_state(model))

    def save(self, model: object, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Write ``model.txt`` with every iteration. ``compress`` has no meaning here.

        Raises:
            InvalidInput: It is no fitted model of lightgbm, or its parameters hold functions.
        """
        if not self.accepts(model):
            raise InvalidInput(
                f"serialization_format='lightgbm' takes a Booster or a fitted estimator of lightgbm with plain "
                f"parameters, found {type(model).__name__}; use serialization_format='joblib'"
            )
        made: dict[str, Any] = {"class": type(model).__name__}
        if made["class"] == BOOSTER:
            booster: Any = model
        else:
            booster = model.booster_  # type: ignore[attr-defined]
            made |= {"params": plain.encode(_params(model)), "state": plain.encode(_state(model))}
        made["best_iteration"] = int(booster.best_iteration)
        text = booster.model_to_string(num_iteration=-1)
        (directory / ENTRY).write_text(text, encoding="utf-8", newline="\n")
        record = capture.describe(model, name=self.name, entry=ENTRY, options=made)
        return replace(
            record,
            framework="lightgbm",
            framework_version=capture.module_version("lightgbm"),
            hyperparams=record.hyperparams or capture.jsonable(dict(booster.params)),
            facts={**record.facts, **_facts(model, booster)},
        )

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """Nothing: trees are data."""
        return ()

    def load(self, directory: Path, record: FlavorRecord, trust: Trust, *, form: str = "") -> Any:
        """The estimator that was saved; ``form="booster"`` gives the ``Booster`` inside.

        A file that lightgbm wrote itself becomes a ``Booster``.

        Raises:
            LoadRefused: The file is not what lightgbm writes.
            MissingDependency: lightgbm is not installed.
        """
        path = files.entry_of(directory, record)
        booster = _booster(path)
        booster.best_iteration = int(record.options.get("best_iteration", booster.best_iteration))
        made = str(record.options.get("class", BOOSTER))
        if made == BOOSTER or form == "booster":
            return booster
        if made not in ESTIMATORS:
            raise LoadRefused(f"{record.entry}: {made!r} is no class of lightgbm; nothing was loaded")
        return _estimator(made, booster, record)


def file_record(path: Path) -> FlavorRecord:
    """What a file says of itself that somebody else wrote with ``save_model``; lightgbm is not needed for it."""
    with path.open("rb") as file:
        lines = file.read(1 << 20).decode("utf-8", "replace").splitlines()
    head = dict(line.split("=", 1) for line in lines[: _ends(lines)] if "=" in line)
    facts: dict[str, Any] = {}
    if names := head.get("feature_names", "").split():
        facts = {"n_features_in": len(names), "feature_names_in": capture.jsonable(names)}
    if trees := head.get("tree_sizes", "").split():
        facts["num_trees"] = len(trees)
    return FlavorRecord(
        name="lightgbm", entry=path.name, framework="lightgbm", algorithm=BOOSTER, facts=facts
    )


def _ends(lines: list[str]) -> int:
    """Where the head of the text ends: at its first tree."""
    return next((at for at, line in enumerate(lines) if line.startswith("Tree=")), len(lines))


def _booster(path: Path) -> Any:
    content = path.read_bytes()
    try:
        import lightgbm
    except ImportError as error:
        raise MissingDependency("this model needs lightgbm: pip install 'modelyard[lightgbm]'") from error
    lightgbm_file.check(content, path.name)
    try:
        return lightgbm.Booster(model_str=content.decode("utf-8"))
    except (lightgbm.basic.LightGBMError, ValueError, TypeError) as error:
        raise LoadRefused(f"{path.name} is not loaded: lightgbm says {str(error)[:300]}") from error


def _estimator(made: str, booster: Any, record: FlavorRecord) -> Any:
    """An estimator around a booster, in the state that fitting leaves it in."""
    import lightgbm

    params = plain.decode(record.options.get("params", {}))
    state = plain.decode(record.options.get("state", {}))
    try:
        model = getattr(lightgbm, made)(**params)
        classes = state.pop("classes")
        vars(model).update({key: state[key] for key in _FACTS if key in state})
        vars(model).update({"_Booster": booster, "_evals_result": {}, "_classes": None})
        if classes is not None:
            _set_classes(model, *classes)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise LoadRefused(f"{record.entry} is not loaded: the recorded {made} is damaged: {error}") from error
    return model


def _set_classes(model: Any, labels: list[Any], dtype: str) -> None:
    import numpy as np
    from lightgbm.compat import _LGBMLabelEncoder

    encoder = _LGBMLabelEncoder()
    encoder.classes_ = model._classes = np.asarray(labels, dtype=np.dtype(dtype))
    model._le = encoder
    model._class_map = dict(zip(encoder.classes_, range(len(labels)), strict=True))


def _params(model: Any) -> dict[str, Any]:
    return dict(model.get_params(deep=False))


def _state(model: Any) -> dict[str, Any]:
    """What fitting left in an estimator beside the booster."""
    state = vars(model)
    found = {key: state[key] for key in _FACTS if key in state and key != "_class_map"}
    if (score := found.get("_best_score")) is not None:
        found["_best_score"] = {name: dict(values) for name, values in score.items()}
    classes = state.get("_classes")
    found["classes"] = None if classes is None else [classes.tolist(), classes.dtype.str]
    return found


def _facts(model: Any, booster: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "n_features_in": int(booster.num_feature()),
        "feature_names_in": capture.jsonable(booster.feature_name()),
        "num_trees": int(booster.num_trees()),
    }
    classes = getattr(model, "_classes", None)
    if classes is not None:
        found["classes"] = capture.jsonable(classes)
    return found
