"""Saving and loading estimators by name and version, with metadata as keywords.

=============================================  ========================================================================
their call                                     our call (``r`` is a ``ModelRegistry``)
=============================================  ========================================================================
``ModelPersistence(models_dir="models")``      ``r = ModelRegistry("models")``
``ModelPersistenceManager(config_path=path)``  ``r = ModelRegistry(config=path)``
``save(model, name, version, **metadata)``     ``r.register_model(model, name, version, performance_metrics=numbers,
                                               attributes=the_rest)``; gives the path of the stored file
``load(name, version)``                        ``r.load_model("name:version")``
``load(name)``                                 ``r.load_model("name")``: the highest release by SemVer, not by spelling
``load(..., return_metadata=True)``            ``r.load_model(..., return_metadata=True)``
``list_models()``                              ``r.list_names()``
``list_versions(name)``                        ``r.list_models(name=name, where="order by label")``
``get_metadata(name, version)``                ``r.get_model("name:version")``, ``None`` if there is none
``compare_versions(name)``                     ``r.compare_versions(name)`` and a column for each attribute
``save_model``, ``load_model``,                the manager's names for ``save``, ``load`` and ``get_metadata``
``get_model_metadata``
=============================================  ========================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelyard.compat import Facade, facts, find, joined, registered
from modelyard.domain.errors import InvalidInput, NotFound
from modelyard.domain.records import ModelVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetadata:
    """What is known of a saved model.

    Attributes:
        model_type: Class of the model, such as ``LinearRegression``.
        version: The label.
        created_at, updated_at: ISO 8601, UTC.
        metadata: What was given when it was saved, later metrics included, and ``model_params``: what
            ``get_params()`` said. Numbers are metrics, and so ``float``.
    """

    model_name: str
    model_type: str
    version: str
    created_at: str
    updated_at: str
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """One flat mapping."""
        own = ("model_name", "model_type", "version", "created_at", "updated_at")
        return {**self.metadata, **{name: getattr(self, name) for name in own}}


class ModelPersistence(Facade):
    """Estimators in a folder.

    Args:
        models_dir: Folder of the registry.
        registry_path: The same; goes first.
        serialization_format: ``joblib`` or ``pickle``.
        compress: Whether files are compressed, or a level from 0 to 9.
    """

    def __init__(
        self,
        models_dir: str | Path = "models",
        registry_path: str | Path | None = None,
        serialization_format: str | None = "joblib",
        compress: bool | int | None = True,
    ) -> None:
        super().__init__(registry_path or models_dir)
        self.serialization_format = serialization_format
        self.compress = compress

    def save(self, model: Any, model_name: str, version: str, **metadata: Any) -> Path:
        """Store an estimator and return the path of its file, which must not be changed.

        Raises:
            ValueError: The model is no estimator, or a name, label or value breaks the rules.
            FileExistsError: The version exists with other content; versions never change.
        """
        _check_estimator(model)
        form: dict[str, Any] = {"serialization_format": self.serialization_format, "compress": self.compress}
        model_id = self.registry.register_model(model, model_name, version, **facts(metadata), **form)
        return Path(registered(self.registry, model_id).artifact_path)

    def load(self, model_name: str, version: str | None = None, return_metadata: bool = False) -> Any:
        """The model, or ``(model, ModelMetadata)``; without a version the latest one.

        Raises:
            FileNotFoundError: There is no such version.
            ValueError: There is no version at all.
        """
        ref = model_name if version is None else f"{model_name}:{version}"
        try:
            model, found = self.registry.load_model(ref, return_metadata=True)
        except NotFound as error:
            raise (ValueError if version is None else FileNotFoundError)(str(error)) from error
        return (model, _described(found)) if return_metadata else model

    def list_models(self) -> list[str]:
        """Names of all models, sorted."""
        return self.registry.list_names()

    def list_versions(self, model_name: str) -> list[str]:
        """Labels of a model's versions, lowest first by SemVer; none if there is no such model."""
        return [each.version for each in self.registry.list_models(name=model_name, where="order by label")]

    def get_metadata(self, model_name: str, version: str) -> ModelMetadata | None:
        """What is known of a version, or ``None``."""
        found = find(self.registry, model_name, version)
        return _described(found) if found else None

    def compare_versions(self, model_name: str) -> Any:
        """A pandas ``DataFrame``: a row for each version, highest first, a column for each fact.

        Raises:
            ValueError: There is no such model.
        """
        try:
            frame = self.registry.compare_versions(model_name)
        except NotFound as error:
            raise ValueError(str(error)) from error
        attributes = {v.model_id: v.attributes for v in self.registry.list_models(name=model_name)}
        said = [attributes.get(model_id, {}) for model_id in frame["model_id"]]
        keys = dict.fromkeys(key for each in said for key in each if key not in frame)
        return frame.assign(**{key: [each.get(key) for each in said] for key in keys})


class ModelPersistenceManager(ModelPersistence):
    """The same, with place, format and compression from a configuration file.

    Args:
        config_path: With a section ``persistence``; without it the file that is found in the usual places.
    """

    def __init__(self, config_path: str | Path | None = None) -> None:
        Facade.__init__(self, config=config_path)
        self.serialization_format = None
        self.compress = None

    def save_model(self, model: Any, model_name: str, version: str, **metadata: Any) -> Path:
        """As :meth:`ModelPersistence.save`."""
        return self.save(model, model_name, version, **metadata)

    def load_model(self, model_name: str, version: str | None = None, return_metadata: bool = False) -> Any:
        """As :meth:`ModelPersistence.load`."""
        return self.load(model_name, version, return_metadata)

    def get_model_metadata(self, model_name: str, version: str) -> ModelMetadata | None:
        """As :meth:`ModelPersistence.get_metadata`."""
        return self.get_metadata(model_name, version)


def _check_estimator(model: object) -> None:
    if not (hasattr(model, "fit") and hasattr(model, "get_params")):
        raise InvalidInput(
            f"model: expected an estimator with fit() and get_params(), found {type(model).__name__}; "
            "ModelRegistry.register_model takes any object or file"
        )


def _described(version: ModelVersion) -> ModelMetadata:
    return ModelMetadata(
        model_name=version.name,
        model_type=version.algorithm,
        version=version.version,
        created_at=version.created_at.isoformat(),
        updated_at=(version.updated_at or version.created_at).isoformat(),
        metadata={**joined(version), "model_params": dict(version.hyperparams)},
    )


__all__ = ["ModelMetadata", "ModelPersistence", "ModelPersistenceManager"]
