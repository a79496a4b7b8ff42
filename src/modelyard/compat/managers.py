"""Four managers, for versions, artifacts, metadata and lifecycle, that share one registry.

=============================================  ========================================================================
their call                                     our call (``r`` is a ``ModelRegistry``; their ``model_id`` is our name)
=============================================  ========================================================================
``ModelVersionManager()``                      ``r = ModelRegistry()``
``create_version(id, stage, metadata)``        ``r.register_model(None, id, "1.0.0-staging", stage=stage, ...)``
``promote_version(id, version, stage)``        ``r.copy_version("id:version", label, stage=stage)``, linked
                                               ``promoted_from``; in the main API promotion moves, it copies nothing
``get_latest_version(id, stage)``              ``r.list_models(name=id, stage=stage)``, the highest number
``get_version_history(id)``                    ``r.list_models(name=id)``
``ModelArtifactManager(base_path)``            ``r = ModelRegistry(base_path)``
``store_model(id, version, model, metadata)``  ``r.register_model(model, id, version, ...)``; gives the file's path
``load_model(id, version)``                    ``r.load_model("id:version", return_metadata=True)``, verified first
``list_models()``                              ``r.list_names()`` and ``r.list_models(name=...)``
``delete_model(id, version)``                  ``r.delete_model("id:version")``, which can be taken back
``MetadataManager(storage_path)``              ``r = ModelRegistry(storage_path)``
``store_metadata(metadata)``                   ``r.register_model(None, id, version, ...)``, or ``r.annotate`` and
                                               ``r.update_model_metrics`` where the version is there
``load_metadata``, ``update_metadata``         ``r.get_model``, ``r.annotate``
``search_models(criteria)``                    ``r.search_models("attributes.team = 'ML'")``, which asks the index
``ModelLifecycleManager()``                    ``r = ModelRegistry()``
``create_model(id, version)``                  ``r.register_model(None, id, version)``, with the lifecycle ``strict``
``transition_model(id, version, state)``       ``r.update_model_stage("id:version", state)``
``get_model_state``, ``get_model_history``     ``r.get_model("id:version").stage``, ``r.history("id:version")``
``get_models_by_state(state)``                 ``r.list_models(stage=state)``
``cleanup_archived_models(days)``              ``r.cleanup(days)``
=============================================  ========================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from inspect import isawaitable
from pathlib import Path
from typing import Any, Final

from modelyard.compat import MOVE, Facade, facts, find, joined, moved_at, registered, storable, texts
from modelyard.domain import records
from modelyard.domain.errors import AlreadyExists, Conflict, IntegrityError, LoadRefused, NotFound
from modelyard.domain.lifecycle import parse_stage
from modelyard.domain.records import ModelStage
from modelyard.domain.standing import standing
from modelyard.tracker import VersionTracker

ModelLifecycleState = ModelStage
"""The stages are the states."""


@contextmanager
def _as_value_error() -> Iterator[None]:
    """Their only error: what is missing, taken, damaged or refused is a ``ValueError`` too."""
    try:
        yield
    except (NotFound, AlreadyExists, Conflict, IntegrityError, LoadRefused) as error:
        raise ValueError(str(error)) from error


# --- versions --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A numbered version that was made for a stage.

    Attributes:
        stage: Where it stands now.
        label: What it is called, ``1.0.0-staging``: the stage in it is the one it was made for.
    """

    major: int
    minor: int
    patch: int
    stage: ModelStage
    created_at: datetime
    model_id: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""

    def __str__(self) -> str:
        return self.label or f"{self.major}.{self.minor}.{self.patch}-{self.stage.value}"

    @property
    def order(self) -> tuple[int, int, int]:
        """What versions are sorted by."""
        return self.major, self.minor, self.patch

    def to_dict(self) -> dict[str, Any]:
        """JSON values only."""
        own = {name: getattr(self, name) for name in ("major", "minor", "patch", "model_id")}
        said = {"stage": self.stage.value, "created_at": self.created_at.isoformat()}
        return {"version": str(self), **own, **said, "metadata": dict(self.metadata)}


class ModelVersionManager(Facade):
    """Versions that are counted for each stage by itself."""

    @_as_value_error()
    def create_version(self, model_id: str, stage: ModelStage, metadata: Mapping[str, Any]) -> ModelVersion:
        """A new version for a stage, without files: ``1.0.0`` first, then a step that depends on the stage.

        Raises:
            ValueError: The gates of the stage refuse it, or a name or value breaks the rules.
        """
        wanted = parse_stage(stage)
        label = self._next(model_id, wanted)
        made = self.registry.register_model(None, model_id, label, stage=wanted, **facts(metadata))
        return _numbered(registered(self.registry, made))

    def get_latest_version(self, model_id: str, stage: ModelStage | None = None) -> ModelVersion | None:
        """The highest version, or the highest that stands in ``stage``; ``None`` if there is none."""
        wanted = None if stage is None else parse_stage(stage)
        found = [each for each in self.get_version_history(model_id) if wanted in (None, each.stage)]
        return max(found, key=lambda each: each.order, default=None)

    @_as_value_error()
    def promote_version(self, model_id: str, version: str, target_stage: ModelStage) -> ModelVersion:
        """A new version for the stage over the same files, with where it came from in its metadata.

        Raises:
            ValueError: There is no such version, or the gates of the stage refuse it.
        """
        source, stage = self.registry.get_model(f"{model_id}:{version}"), parse_stage(target_stage)
        told = {"promoted_from": source.version, "promoted_at": datetime.now(UTC).isoformat()}
        label = self._next(model_id, stage)
        copied = self.registry.copy_version(source.model_id, label, stage=stage, attributes=told)
        return _numbered(registered(self.registry, copied))

    def get_version_history(self, model_id: str) -> list[ModelVersion]:
        """Every version with a semantic label, newest first; none if there is no such model."""
        return [_numbered(each) for each in self.registry.list_models(name=model_id) if _number(each)]

    def _next(self, model_id: str, stage: ModelStage) -> str:
        """The label after the highest that was made for a stage, wherever that stands today or whether it does."""
        found = self.registry.list_models(name=model_id, include_deleted=True)
        numbers = [number for each in found if (number := _number(each)) and number.prerelease == stage.value]
        highest = max(((n.major, n.minor, n.patch) for n in numbers), default=None)
        return "{}.{}.{}-{}".format(*_step(highest, stage), stage.value)


def _step(present: tuple[int, int, int] | None, stage: ModelStage) -> tuple[int, int, int]:
    """The first number, or the one after the present: by a patch, for staging a minor, for production a major step."""
    if present is None:
        return 1, 0, 0
    major, minor, patch = present
    steps = {ModelStage.STAGING: (major, minor + 1, 0), ModelStage.PRODUCTION: (major + 1, 0, 0)}
    return steps.get(stage, (major, minor, patch + 1))


def _number(version: records.ModelVersion) -> Any:
    """The label as a semantic version; ``None`` for a free label."""
    try:
        return VersionTracker().parse_version(version.version)
    except ValueError:
        return None


def _numbered(version: records.ModelVersion) -> ModelVersion:
    number = _number(version)
    return ModelVersion(
        major=number.major,
        minor=number.minor,
        patch=number.patch,
        stage=version.stage,
        created_at=version.created_at,
        model_id=version.name,
        metadata=joined(version),
        label=version.version,
    )


# --- artifacts -------------------------------------------------------------------------------------------------------


class ModelArtifactManager(Facade):
    """Models as files, with a mapping of metadata each."""

    def __init__(self, base_path: str | Path = "./model_registry") -> None:
        super().__init__(base_path)

    @_as_value_error()
    def store_model(self, model_id: str, version: str, model: Any, metadata: Mapping[str, Any]) -> str:
        """Store a model and return the path of its file, which must not be changed.

        Raises:
            ValueError: The version exists with other content, or something breaks the rules.
        """
        made = self.registry.register_model(model, model_id, version, **facts(metadata))
        return registered(self.registry, made).artifact_path

    @_as_value_error()
    def load_model(self, model_id: str, version: str) -> tuple[Any, dict[str, Any]]:
        """The model and its metadata; the bytes are verified before anything is made of them.

        Raises:
            ValueError: There is no such version, its bytes are damaged, or loading it is not trusted.
        """
        model, found = self.registry.load_model(f"{model_id}:{version}", return_metadata=True)
        return model, joined(found)

    def list_models(self) -> list[dict[str, Any]]:
        """``{"model_id": ..., "versions": [{"version": ..., "metadata": ...}]}`` for each model."""
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in self.registry.list_names()}
        for each in self.registry.list_models(where="order by label"):
            found.setdefault(each.name, []).append({"version": each.version, "metadata": joined(each)})
        return [{"model_id": name, "versions": versions} for name, versions in found.items() if versions]

    def delete_model(self, model_id: str, version: str | None = None) -> None:
        """Delete a version, or all of a model; what is not there is no error.

        Raises:
            ValueError: Something points at it, such as production or an alias.
        """
        found = self.registry.list_models(name=model_id)
        for each in found if version is None else filter(None, [find(self.registry, model_id, version)]):
            self.registry.delete_model(each.model_id)


# --- metadata --------------------------------------------------------------------------------------------------------

MEASURED: Final = ("accuracy", "precision", "recall", "f1_score", "auc")
MOMENTS: Final = ("training_start_time", "training_end_time", "deployment_time")


@dataclass(slots=True)
class ModelMetadata:
    """Everything one may want to say about a version.

    Attributes:
        training_duration: Seconds.
        model_size: Megabytes (10^6 bytes).
    """

    model_id: str
    version: str
    name: str
    description: str
    algorithm: str
    framework: str
    language: str
    dependencies: list[str] = field(default_factory=list)
    accuracy: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1_score: float | None = None
    auc: float | None = None
    training_dataset: str | None = None
    validation_dataset: str | None = None
    test_dataset: str | None = None
    dataset_size: int | None = None
    training_start_time: datetime | None = None
    training_end_time: datetime | None = None
    training_duration: float | None = None
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    model_size: float | None = None
    input_shape: list[int] | None = None
    output_shape: list[int] | None = None
    num_parameters: int | None = None
    deployment_target: str | None = None
    deployment_time: datetime | None = None
    deployment_status: str | None = None
    custom_metadata: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """By field, moments as ISO 8601 texts."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelMetadata:
        """The inverse of ``to_dict``; ``data`` stays as it is."""
        moments = {k: datetime.fromisoformat(data[k]) for k in MOMENTS if isinstance(data.get(k), str)}
        return cls(**{**data, **moments})


class MetadataManager(Facade):
    """Facts about versions, with or without files."""

    def __init__(self, storage_path: str | Path = "./metadata_storage") -> None:
        super().__init__(storage_path)

    @_as_value_error()
    def store_metadata(self, metadata: ModelMetadata) -> None:
        """Say all this of the version that is there, or of a new one without files.

        Metrics are appended: earlier values stay in the history, and ``None`` takes none back.
        """
        known = find(self.registry, metadata.model_id, metadata.version)
        if known is None:
            self._register(metadata)
            return
        measured, said = _taken_apart(metadata, known.performance_metrics)
        changed = {k: v for k, v in measured.items() if known.performance_metrics.get(k) != v}
        if changed:
            self.registry.update_model_metrics(known.model_id, changed)
        self.registry.annotate(known.model_id, description=metadata.description, attributes=said)

    def load_metadata(self, model_id: str, version: str) -> ModelMetadata | None:
        """What is known of a version, or ``None``. What nobody said is taken from the registry where it knows."""
        return _metadata(found) if (found := find(self.registry, model_id, version)) else None

    @_as_value_error()
    def update_metadata(self, model_id: str, version: str, updates: Mapping[str, Any]) -> None:
        """Change fields; what is no field goes to ``custom_metadata``.

        Raises:
            ValueError: There is no such version.
        """
        found = _metadata(self.registry.get_model(f"{model_id}:{version}"))
        changed = replace(found, **{key: value for key, value in updates.items() if key in FIELDS})
        other = {key: value for key, value in updates.items() if key not in FIELDS}
        self.store_metadata(replace(changed, custom_metadata={**changed.custom_metadata, **other}))

    def search_models(self, criteria: Mapping[str, Any]) -> list[ModelMetadata]:
        """Versions of which all of ``criteria`` hold, custom metadata first. Reads every version there is."""
        found = [_metadata(version) for version in self.registry.list_models()]
        return [each for each in found if all(_holds(each, k, v) for k, v in criteria.items())]

    def _register(self, metadata: ModelMetadata) -> None:
        measured, said = _taken_apart(metadata, ())
        self.registry.register_model(
            None,
            metadata.model_id,
            metadata.version,
            description=metadata.description,
            performance_metrics=measured,
            hyperparams=metadata.hyperparameters,
            attributes={key: value for key, value in said.items() if value is not None},
        )


FIELDS: Final = frozenset(each.name for each in fields(ModelMetadata))
IDENTITY: Final = ("model_id", "version", "description")


def _taken_apart(metadata: ModelMetadata, recorded: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """``(metrics, attributes)``. Custom metadata stands beside the fields, except where it is called like one."""
    given = metadata.to_dict()
    custom = given.pop("custom_metadata")
    alike = {key: value for key, value in custom.items() if key in FIELDS}
    given |= {key: value for key, value in custom.items() if key not in FIELDS}
    given["custom_metadata"] = alike or None
    measured = {k: v for k, v in given.items() if (k in MEASURED or k in recorded) and v is not None}
    apart = {*measured, *MEASURED, *IDENTITY}
    return measured, texts({k: v for k, v in given.items() if k not in apart})


def _holds(metadata: ModelMetadata, key: str, value: Any) -> bool:
    if key in metadata.custom_metadata:
        return bool(metadata.custom_metadata[key] == value)
    return key in FIELDS and bool(getattr(metadata, key) == value)


def _metadata(version: records.ModelVersion) -> ModelMetadata:
    """What was said of a version; where nothing was, what the registry found out by itself."""
    said = joined(version)
    captured = {
        "name": version.name,
        "algorithm": version.algorithm,
        "framework": version.framework,
        "language": "Python",
        "hyperparameters": dict(version.hyperparams),
        "model_size": version.size / 1e6 if version.files else None,
    }
    own = {key: value for key, value in said.items() if key in FIELDS}
    other = {key: value for key, value in said.items() if key not in FIELDS}
    identity = {"model_id": version.name, "version": version.version, "description": version.description}
    custom = {"custom_metadata": {**other, **said.get("custom_metadata", {})}}
    return ModelMetadata.from_dict({**captured, **own, **identity, **custom})


# --- lifecycle -------------------------------------------------------------------------------------------------------


class ModelLifecycleManager(Facade):
    """States of versions, and the moves between them."""

    @_as_value_error()
    def create_model(
        self, model_id: str, version: str, initial_state: ModelStage = ModelStage.DEVELOPMENT
    ) -> dict[str, Any]:
        """Begin the life of a version: of the one that is there in that state, or of a new one without files.

        A model that is made by this gets the lifecycle ``strict``; one that was there keeps its own.

        Raises:
            ValueError: The version is there in another state, or the state cannot be a beginning.
        """
        known = find(self.registry, model_id, version)
        if known is None:
            known = self._begin(model_id, version, initial_state)
        if known.stage is not initial_state:
            raise ValueError(
                f"{model_id}:{version} is there, in {known.stage}; expected it in {initial_state}"
            )
        return self._told(known)

    @_as_value_error()
    def transition_model(
        self,
        model_id: str,
        version: str,
        new_state: ModelStage,
        reason: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> bool:
        """Move a version on; ``True``, as everything else is an error.

        Raises:
            ValueError: There is no such version, the lifecycle has no such move, or a gate refuses it.
        """
        said = storable(metadata or {})
        moved = self.registry.update_model_stage(f"{model_id}:{version}", new_state, reason=reason)
        if said:
            with standing(f"{model_id}:{version} is in {moved.stage}"):
                self.registry.annotate(moved.model_id, attributes=moved_at(moved.staged_at, said))
        return True

    def get_model_state(self, model_id: str, version: str) -> ModelStage | None:
        """Where a version stands; ``None`` if there is none."""
        return found.stage if (found := find(self.registry, model_id, version)) else None

    def get_model_history(self, model_id: str, version: str) -> list[dict[str, Any]]:
        """Its moves, oldest first; none if there is no such version."""
        return self._moves(found) if (found := find(self.registry, model_id, version)) else []

    def get_models_by_state(self, state: ModelStage) -> list[dict[str, Any]]:
        """Every version that stands there, newest first."""
        return [self._told(version) for version in self.registry.list_models(stage=state)]

    async def auto_transition(
        self,
        model_id: str,
        version: str,
        current_state: ModelStage,
        new_state: ModelStage,
        condition_func: Callable[[], Any],
    ) -> bool:
        """Move it on if it stands in ``current_state`` and the condition, also a coroutine, holds; tells whether."""
        holds = self.get_model_state(model_id, version) == current_state and condition_func()
        if not (await holds if isawaitable(holds) else holds):
            return False
        return self.transition_model(model_id, version, new_state, "auto_transition")

    def cleanup_archived_models(self, older_than_days: int = 30) -> int:
        """Delete what has been archived for longer; how many versions that were."""
        return len(self.registry.cleanup(older_than_days).versions)

    def _begin(self, name: str, label: str, stage: ModelStage) -> records.ModelVersion:
        is_new = not self.registry.list_models(name=name, limit=1, include_deleted=True)
        made = self.registry.register_model(None, name, label, stage=stage)
        if is_new:
            with standing(f"{name}:{label} is registered, under the lifecycle of every model,"):
                self.registry.set_policy(name, {"lifecycle": "strict"})
        return registered(self.registry, made)

    def _told(self, version: records.ModelVersion) -> dict[str, Any]:
        return {
            "model_id": version.name,
            "version": version.version,
            "state": version.stage,
            "created_at": version.created_at,
            "updated_at": version.updated_at or version.created_at,
            "history": self._moves(version),
        }

    def _moves(self, version: records.ModelVersion) -> list[dict[str, Any]]:
        """The events of a version in which it came to a stage, each with what was said about it right after."""
        subject, moves = f"version:{version.number}", list[dict[str, Any]]()
        for event in self.registry.history(version.model_id, newest_first=False):
            if f"{subject}.stage" in event.after:
                moves.append(_move(event, f"{subject}.stage", "transitioned" if moves else "created"))
            elif told := event.after.get(f"{subject}.attributes.{MOVE}"):
                moves[-1]["metadata"] = told["metadata"]
        return moves


def _move(event: records.Event, path: str, action: str) -> dict[str, Any]:
    state = ModelStage(event.after[path])
    said = {"reason": event.reason, "metadata": {}}
    return {"state": state, "timestamp": event.at, "action": action, **said}


__all__ = [
    "MetadataManager",
    "ModelArtifactManager",
    "ModelLifecycleManager",
    "ModelLifecycleState",
    "ModelMetadata",
    "ModelStage",
    "ModelVersion",
    "ModelVersionManager",
]
