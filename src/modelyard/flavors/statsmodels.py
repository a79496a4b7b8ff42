"""statsmodels: results objects, as a pickle under the guard.

Results made from a formula hold its text, and statsmodels evaluates that text as Python when they are loaded and when
they predict. So they need trust in the formula beside their classes; see ``modelyard.flavors.shields``.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from modelyard.domain.errors import InvalidInput
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import capture, files, guard
from modelyard.ports.flavors import SaveOptions, Trust

ENTRY: Final = "model.pkl"
_RESULTS: Final = ("statsmodels.base.model.Results", "statsmodels.base.wrapper.ResultsWrapper")
_ALONE: Final = ("HoltWintersResults", "VARResults", "VECMResults")


class StatsmodelsFlavor:
    """Fitted results of statsmodels, wrapped or not."""

    name = "statsmodels"

    def accepts(self, model: object) -> bool:
        """True for results; a model that is not fitted is left to pickle."""
        cls = type(model)
        if cls.__module__.partition(".")[0] != "statsmodels":
            return False
        bases = {f"{base.__module__}.{base.__name__}" for base in cls.__mro__}
        return not bases.isdisjoint(_RESULTS) or cls.__name__ in _ALONE

    def save(self, model: object, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Write ``model.pkl``, what ``results.save`` writes. ``compress`` has no meaning here.

        Raises:
            InvalidInput: It is no results object, or cannot be pickled.
        """
        if not self.accepts(model):
            raise InvalidInput(
                f"serialization_format='statsmodels' takes fitted results, found {type(model).__name__}; "
                "call fit() first, or use serialization_format='pickle'"
            )
        path = directory / ENTRY
        record = _described(model)  # before writing: results remember what they are asked
        try:
            with path.open("wb") as file:
                pickle.dump(model, file, protocol=5)
        except (pickle.PicklingError, AttributeError, TypeError, RecursionError) as error:
            raise files.cannot_pickle(model, error) from error
        return replace(record, globals=files.names_in(path))

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """Every global in the file, and the formula engine where there is a formula."""
        return files.audited(directory, record, arrays=False)

    def load(self, directory: Path, record: FlavorRecord, trust: Trust) -> Any:
        """The results, unpickled under the guard."""
        return guard.load_pickle(files.entry_of(directory, record), trust)


def _described(model: object) -> FlavorRecord:
    record = capture.describe(model, name=StatsmodelsFlavor.name, entry=ENTRY, options={})
    return replace(
        record,
        framework="statsmodels",
        framework_version=capture.module_version("statsmodels"),
        algorithm=_algorithm(model),
        hyperparams=_hyperparams(model),
        facts={**record.facts, **_facts(model)},
    )


def _algorithm(model: Any) -> str:
    """The class of the model that was fitted: ``OLS``, ``Logit``, ``ARIMA`` ..."""
    fitted = getattr(model, "model", None)
    return type(fitted if fitted is not None else model).__name__


def _hyperparams(model: Any) -> dict[str, Any]:
    """What the model was set up with: formula, family, orders, trend."""
    fitted = getattr(model, "model", None)
    found: dict[str, Any] = {}
    for name in ("formula", "order", "seasonal_order", "trend", "lags", "k_ar"):
        value = getattr(fitted, name, None)
        if value is not None and not callable(value):
            found[name] = capture.jsonable(value)
    family = getattr(fitted, "family", None)
    if family is not None:
        found |= {"family": type(family).__name__, "link": type(family.link).__name__}
    return found


def _facts(model: Any) -> dict[str, Any]:
    fitted = getattr(model, "model", None)
    found: dict[str, Any] = {}
    for name, attribute in (("feature_names_in", "exog_names"), ("target_names", "endog_names")):
        value = getattr(fitted, attribute, None)
        if isinstance(value, str | list):
            found[name] = capture.jsonable([value] if isinstance(value, str) else value)
    shape: tuple[int, ...] = getattr(getattr(fitted, "exog", None), "shape", ())
    if len(shape) == 2 and (names := found.get("feature_names_in")):
        width = int(shape[1])  # names of ancillary parameters may follow
        found |= {"n_features_in": width, "feature_names_in": names[:width]}
    size = getattr(getattr(model, "params", None), "size", None)
    if isinstance(size, int):
        found["num_parameters"] = size
    if isinstance(nobs := getattr(model, "nobs", None), int | float):
        found["num_observations"] = int(nobs)
    return found
