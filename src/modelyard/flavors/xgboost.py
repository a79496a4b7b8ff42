"""xgboost: the library's own UBJSON file. Data alone, which nobody has to trust.

Saved is what xgboost itself saves (its documentation, "Introduction to Model IO"): trees, objective, feature names and
attributes. What only matters for training again, the history of evaluations and callbacks, is not; who needs these
asks for ``serialization_format="joblib"``.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from modelyard.domain.errors import InvalidInput, LoadRefused, MissingDependency
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import capture, files, plain, xgboost_file
from modelyard.ports.flavors import SaveOptions, Trust
from modelyard.scanning.boosters import scan_ubjson
from modelyard.scanning.findings import Unreadable
from modelyard.scanning.source import over

ENTRY: Final = "model.ubj"
BOOSTER: Final = "Booster"
ESTIMATORS: Final = (
    "XGBClassifier",
    "XGBRegressor",
    "XGBRanker",
    "XGBRFClassifier",
    "XGBRFRegressor",
    "XGBModel",
)
BY_KIND: Final = {"classifier": "XGBClassifier", "regressor": "XGBRegressor", "ranker": "XGBRanker"}
"""What an estimator's file says of itself, and the class that reads it."""


class XgboostFlavor:
    """Boosters, and fitted estimators of the scikit-learn interface."""

    name = "xgboost"
    forms = ("booster",)

    def accepts(self, model: object) -> bool:
        """True for xgboost's own classes with plain parameters; subclasses and functions in them go to joblib."""
        cls = type(model)
        if cls.__module__ == "xgboost.core":
            return cls.__name__ == BOOSTER
        if cls.__module__ != "xgboost.sklearn" or cls.__name__ not in ESTIMATORS:
            return False
        return getattr(model, "_Booster", None) is not None and plain.is_plain(_params(model))

    def save(self, model: object, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Write ``model.ubj``. ``compress`` has no meaning here: the format is compact.

        Raises:
            InvalidInput: It is no fitted model of xgboost, or its parameters hold functions.
        """
        if not self.accepts(model):
            raise InvalidInput(
                f"serialization_format='xgboost' takes a Booster or a fitted estimator of xgboost with plain "
                f"parameters, found {type(model).__name__}; use serialization_format='joblib'"
            )
        fitted: Any = model
        fitted.save_model(str(directory / ENTRY))
        made: dict[str, Any] = {"class": type(model).__name__}
        if made["class"] != BOOSTER:
            made["params"] = plain.encode(_params(model))
        record = capture.describe(model, name=self.name, entry=ENTRY, options=made)
        booster = fitted if made["class"] == BOOSTER else fitted.get_booster()
        config = json.loads(booster.save_config())
        return replace(
            record,
            framework="xgboost",
            framework_version=capture.module_version("xgboost"),
            hyperparams=record.hyperparams or _training(config),
            facts={**record.facts, **_facts(model, booster, config)},
        )

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """Nothing: trees are data."""
        return ()

    def load(self, directory: Path, record: FlavorRecord, trust: Trust, *, form: str = "") -> Any:
        """The estimator that was saved; ``form="booster"`` gives the ``Booster`` inside.

        A file that xgboost wrote itself becomes the estimator that it names, otherwise a ``Booster``.

        Raises:
            LoadRefused: The file is not what xgboost writes.
            MissingDependency: xgboost is not installed.
        """
        path = files.entry_of(directory, record)
        summary = _checked(path)
        try:
            import xgboost
        except ImportError as error:
            raise MissingDependency("this model needs xgboost: pip install 'modelyard[xgboost]'") from error
        made = BOOSTER if form == "booster" else str(record.options.get("class") or _class_of(summary))
        if made != BOOSTER and made not in ESTIMATORS:
            raise LoadRefused(f"{record.entry}: {made!r} is no class of xgboost; nothing was loaded")
        params = plain.decode(record.options.get("params", {})) if made != BOOSTER else {}
        content = path.read_bytes()
        xgboost_file.check(content, path.name)
        try:
            model = getattr(xgboost, made)(**params)
            model.load_model(bytearray(content))
        except (xgboost.core.XGBoostError, ValueError, TypeError) as error:
            raise LoadRefused(f"{record.entry} is not loaded: xgboost says {str(error)[:300]}") from error
        vars(model).update(params)  # loading overwrites some with what training made of them
        return model


def file_record(path: Path) -> FlavorRecord:
    """What a file says of itself that somebody else wrote with ``save_model``; xgboost is not needed for it."""
    try:
        summary = _checked(path)
    except LoadRefused:
        return FlavorRecord(name="file", entry=path.name)
    names = summary.get("learner.feature_names")
    facts: dict[str, Any] = {"feature_names_in": names} if isinstance(names, list) and names else {}
    if str(count := summary.get("learner.learner_model_param.num_feature", "")).isdigit():
        facts["n_features_in"] = int(count)
    version = summary.get("version")
    return FlavorRecord(
        name="xgboost",
        entry=path.name,
        framework="xgboost",
        framework_version=".".join(str(part) for part in version) if isinstance(version, list) else "",
        algorithm=_class_of(summary),
        facts=facts,
    )


def _checked(path: Path) -> dict[str, Any]:
    """The small values of the file by their path, after it was read to its end.

    Raises:
        LoadRefused: It is not well formed, so xgboost's parser does not get to see it.
    """
    with path.open("rb") as file:
        if file.read(2)[:2] == b'{"':
            return _json_summary(path)
        try:
            return scan_ubjson(over(file, path.stat().st_size))
        except Unreadable as error:
            raise LoadRefused(f"{path.name} is not loaded: {error}") from error


def _json_summary(path: Path) -> dict[str, Any]:
    """The same of xgboost's JSON form.

    Raises:
        LoadRefused: It is not JSON, or not xgboost's.
    """
    try:
        root = json.loads(path.read_bytes())
        learner = root["learner"]
        return {
            "version": root["version"],
            "learner.feature_names": learner["feature_names"],
            "learner.learner_model_param.num_feature": learner["learner_model_param"]["num_feature"],
            "learner.attributes.scikit_learn": learner["attributes"].get("scikit_learn", ""),
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LoadRefused(f"{path.name} is not loaded: it is not a model that xgboost wrote") from error


def _class_of(summary: dict[str, Any]) -> str:
    try:
        kind = json.loads(summary.get("learner.attributes.scikit_learn") or "{}")["_estimator_type"]
    except (ValueError, KeyError, TypeError):
        return BOOSTER
    return BY_KIND.get(kind, BOOSTER) if isinstance(kind, str) else BOOSTER


def _params(model: Any) -> dict[str, Any]:
    return dict(model.get_params(deep=False))


def _training(config: dict[str, Any]) -> dict[str, Any]:
    """A booster's own account of how it grows trees."""
    learner = config.get("learner", {})
    grower = learner.get("gradient_booster", {})
    parts = [learner.get("learner_train_param"), *map(grower.get, ("gbtree_train_param", "tree_train_param"))]
    return {key: value for part in parts for key, value in (part or {}).items()}


def _facts(model: Any, booster: Any, config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "n_features_in": int(booster.num_features()),
        "num_rounds": int(booster.num_boosted_rounds()),
        "objective": str(config.get("learner", {}).get("objective", {}).get("name", "")),
    }
    if booster.feature_names:
        found["feature_names_in"] = capture.jsonable(list(booster.feature_names))
    if type(count := getattr(model, "n_classes_", None)) is int:
        found["classes"] = list(range(count))
    if (trees := _trees(config.get("learner", {}).get("gradient_booster"))) is not None:
        found["num_trees"] = trees
    return found


def _trees(grower: Any) -> int | None:
    """``num_trees`` wherever this kind of booster keeps it (dart has its trees one level deeper)."""
    if not isinstance(grower, dict):
        return None
    inside = grower.get("gbtree_model_param", {}).get("num_trees")
    return int(inside) if inside is not None else _trees(grower.get("gbtree"))
