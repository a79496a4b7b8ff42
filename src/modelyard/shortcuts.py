"""Two calls for scripts that open a registry, do one thing and close it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelyard.domain.errors import InvalidInput
from modelyard.registry import ModelRegistry


def register_sklearn_model(
    model: Any, name: str, registry_path: str | Path | None = None, **facts: Any
) -> str:
    """Register a scikit-learn estimator and return its ``model_id``.

    Args:
        model: Anything that follows scikit-learn's estimator interface (has ``fit`` and ``get_params``).
        name: Model name.
        registry_path: Folder of the registry; default as for ``ModelRegistry``.
        **facts: As for ``ModelRegistry.register_model``.

    Raises:
        InvalidInput: The object is not an estimator.
    """
    if not (hasattr(model, "fit") and hasattr(model, "get_params")):
        raise InvalidInput(
            f"{type(model).__name__} is not a scikit-learn estimator (it has no fit() and get_params()); "
            "use ModelRegistry.register_model, which takes any object or file"
        )
    with ModelRegistry(registry_path) as registry:
        return registry.register_model(model, name, **facts)


def get_best_model(
    name: str, metric: str, registry_path: str | Path | None = None, **choice: Any
) -> str | None:
    """``model_id`` of the version of ``name`` with the best ``metric``; ``None`` if none has it.

    ``choice`` may hold ``higher_is_better`` and ``stage``.
    """
    with ModelRegistry(registry_path) as registry:
        return registry.get_best_model(name, metric, **choice)
