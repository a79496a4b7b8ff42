"""catboost: the library's own ``.cbm`` file. Data alone, which nobody has to trust.

It holds trees, parameters, feature names and class labels, and says which class wrote it no more; that is recorded.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from modelyard.domain.errors import InvalidInput, LoadRefused, MissingDependency
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import capture, files
from modelyard.ports.flavors import SaveOptions, Trust

ENTRY: Final = "model.cbm"
START: Final = b"CBM1"
CLASSES: Final = ("CatBoost", "CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker")


class CatboostFlavor:
    """Fitted models of catboost."""

    name = "catboost"

    def accepts(self, model: object) -> bool:
        """True for fitted models of catboost's own classes."""
        cls = type(model)
        known = cls.__module__ == "catboost.core" and cls.__name__ in CLASSES
        return known and bool(model.is_fitted())  # type: ignore[attr-defined]

    def save(self, model: object, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Write ``model.cbm``. ``compress`` has no meaning here.

        Raises:
            InvalidInput: It is no fitted model of catboost.
        """
        if not self.accepts(model):
            raise InvalidInput(
                f"serialization_format='catboost' takes a fitted model of catboost, found {type(model).__name__}"
            )
        path = directory / ENTRY
        model.save_model(str(path), format="cbm")  # type: ignore[attr-defined]
        record = capture.describe(model, name=self.name, entry=ENTRY, options={"class": type(model).__name__})
        return replace(
            record,
            framework="catboost",
            framework_version=capture.module_version("catboost"),
            facts={**record.facts, **_facts(model)},
        )

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """Nothing: trees are data."""
        return ()

    def load(self, directory: Path, record: FlavorRecord, trust: Trust) -> Any:
        """The model that was saved; a file that catboost wrote itself becomes a ``CatBoost``.

        Raises:
            LoadRefused: The file is not what catboost writes.
            MissingDependency: catboost is not installed.
        """
        path = files.entry_of(directory, record)
        made = str(record.options.get("class", CLASSES[0]))
        with path.open("rb") as file:
            if file.read(4) != START or made not in CLASSES:
                raise LoadRefused(f"{record.entry} is not loaded: it is not a {made} that catboost wrote")
        try:
            import catboost
        except ImportError as error:
            raise MissingDependency("this model needs catboost: pip install 'modelyard[catboost]'") from error
        try:
            return getattr(catboost, made)().load_model(str(path), format="cbm")
        except catboost.CatBoostError as error:
            raise LoadRefused(f"{record.entry} is not loaded: catboost says {str(error)[:300]}") from error


def _facts(model: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "n_features_in": len(model.feature_names_),
        "feature_names_in": capture.jsonable(list(model.feature_names_)),
        "num_trees": int(model.tree_count_),
    }
    classes = getattr(model, "classes_", None)
    if classes is not None and len(classes):
        found["classes"] = capture.jsonable(classes)
    return found
