"""A client that uploads buffers with metadata, and asks for them by id.

=============================================  ========================================================================
their call                                     our call (``r`` is a ``ModelRegistry``)
=============================================  ========================================================================
``ModelRegistryClient("http://host:8000")``    ``r = ModelRegistry("http://host:8000")``
``upload_model(buffer, metadata)``             ``r.register_model(buffer, metadata.name, metadata.version, ...)``
``response.metadata_id``                       what ``register_model`` returns: the version's ``model_id``
``get_metadata(metadata_id)``                  ``r.get_model(metadata_id)``
``get_model(file_path=, metadata_id=,          ``r.download(metadata_id, folder)`` for the bytes, or
bucket_name=)``                                ``r.load_model(metadata_id)`` for the model itself
``list_models(name=...)``                      ``r.list_models(name=...)``
``tag_model(metadata_id, tags)``               ``r.annotate(metadata_id, tags=...)``
``delete_model(metadata_id)``                  ``r.delete_model(metadata_id)``
=============================================  ========================================================================
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Final

from modelyard.compat import Facade, registered
from modelyard.domain.errors import AlreadyExists as AlreadyExists
from modelyard.domain.errors import InvalidInput, NotFound
from modelyard.domain.errors import ModelyardError as ModelyardError
from modelyard.domain.errors import NotAuthenticated as NotAuthenticated
from modelyard.domain.errors import PermissionDenied as PermissionDenied
from modelyard.domain.errors import Unreachable as Unreachable
from modelyard.domain.records import ModelVersion

IN_MEMORY: Final = 64 * 1024 * 1024
"""Bytes of a model that are kept in memory; a larger one is a temporary file, which is the caller's to close."""

OWN: Final = ("id", "file_extension", "storage_group", "framework")
"""Fields that the registry keeps as attributes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetadata:
    """What is said of a model when it is uploaded.

    Attributes:
        id: The caller's own name for it; it need not be unique.
        file_extension: Of the file, without a dot: ``pkl``.
        storage_group: A word to sort by; it decides nothing about where bytes are kept.
    """

    id: str
    name: str
    version: str
    file_extension: str = "bin"
    storage_group: str = "models"
    description: str = ""
    framework: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadResponse:
    """Where an upload went: the id to ask by, and the handle of its bytes."""

    metadata_id: str
    storage_path: str
    storage_group: str


class ModelRegistryClient(Facade):
    """A registry behind a server.

    Args:
        base_url: Address of the server; a folder works too.
        token: Credential; ``MODELYARD_TOKEN`` if not given.

    Raises:
        ModelyardError: From every call: ``Unreachable`` (a ``ConnectionError``) where no server answers, ``NotFound``
            (a ``LookupError``), ``AlreadyExists``, ``NotAuthenticated``, ``PermissionDenied`` ...
    """

    def __init__(self, base_url: str = "http://localhost:8000", token: str | None = None) -> None:
        super().__init__(base_url, token=token)

    def upload_model(self, model_buffer: IO[bytes], metadata: ModelMetadata) -> UploadResponse:
        """Store what is left to read of a buffer as a new version.

        Raises:
            AlreadyExists: The version exists with other bytes. With the same ones this is a harmless repetition.
            InvalidInput: ``model_buffer`` is no file opened for reading, or ``metadata`` no ``ModelMetadata``.
        """
        file = _Named(model_buffer, f"model.{_extension(metadata)}")
        model_id = self.registry.register_model(
            file,
            metadata.name,
            metadata.version,
            description=metadata.description,
            performance_metrics=metadata.metrics,
            hyperparams=metadata.parameters,
            tags=metadata.tags,
            attributes={name: getattr(metadata, name) for name in OWN},
        )
        found = _described(registered(self.registry, model_id))
        return UploadResponse(
            metadata_id=model_id, storage_path=found["storage_path"], storage_group=found["storage_group"]
        )

    def get_metadata(self, metadata_id: str) -> dict[str, Any]:
        """What is known of a version; ``_id`` and ``storage_path`` are what :meth:`get_model` takes.

        Raises:
            NotFound: There is none.
        """
        return _described(self.registry.get_model(metadata_id))

    def get_model(
        self, file_path: str | None = None, metadata_id: str | None = None, bucket_name: str | None = None
    ) -> tuple[IO[bytes], dict[str, Any]]:
        """The bytes of a model, verified, as a file to read from its start; and its metadata.

        Args:
            file_path: ``storage_path`` from the metadata. It is a handle: no server path can be given.
            metadata_id: ``_id`` from the metadata, or any ref; without it ``file_path`` alone says which.
            bucket_name: ``storage_group`` from the metadata.

        Raises:
            NotFound: There is none, or ``file_path`` or ``bucket_name`` is of another one.
        """
        version = self.registry.get_model(_ref(metadata_id, file_path))
        metadata = _described(version)
        _check_same("file_path", file_path, metadata["storage_path"])
        _check_same("bucket_name", bucket_name, metadata["storage_group"])
        return self._fetched(version), metadata

    def list_models(self, name: str | None = None) -> list[dict[str, Any]]:
        """Metadata of every version, newest first."""
        return [_described(version) for version in self.registry.list_models(name=name)]

    def tag_model(self, metadata_id: str, tags: Mapping[str, str | None]) -> dict[str, Any]:
        """Set tags, ``None`` removes one; the metadata as it is then."""
        return _described(self.registry.annotate(metadata_id, tags=tags))

    def delete_model(self, metadata_id: str) -> None:
        """Delete a version; until it is collected, ``registry.undelete_model`` brings it back."""
        self.registry.delete_model(metadata_id)

    def _fetched(self, version: ModelVersion) -> IO[bytes]:
        """One file: in memory or, if large, on disk until it is closed."""
        with TemporaryDirectory(prefix="modelyard-") as folder:
            path = self.registry.download(version.model_id, Path(folder, "files")) / _file(version)
            if path.stat().st_size <= IN_MEMORY:
                return io.BytesIO(path.read_bytes())
            return path.open("rb")  # its name goes with the folder; the bytes stay as long as it is open


class _Named:
    """A buffer under the name of the file that it is to be."""

    def __init__(self, buffer: IO[bytes], name: str) -> None:
        if not callable(getattr(buffer, "read", None)):
            raise InvalidInput(
                f"model_buffer: expected a file opened for reading, such as io.BytesIO(data), found "
                f"{type(buffer).__name__}"
            )
        self.read = buffer.read
        self.name = name


def _extension(metadata: ModelMetadata) -> str:
    if not isinstance(metadata, ModelMetadata):
        raise InvalidInput(f"metadata: expected a ModelMetadata, found {type(metadata).__name__}")
    return str(metadata.file_extension).removeprefix(".")


def _file(version: ModelVersion) -> str:
    """Path of the file that a version is loaded from, or its first."""
    entry = version.flavor.entry if version.flavor else ""
    return (
        entry
        if entry in {each.path for each in version.files} or not version.files
        else version.files[0].path
    )


def _ref(metadata_id: str | None, file_path: str | None) -> str:
    if ref := metadata_id or (file_path or "").partition("/")[0]:
        return ref
    raise InvalidInput(
        "get_model: expected metadata_id, or file_path as the metadata gives it; found neither"
    )


def _check_same(what: str, given: str | None, expected: str) -> None:
    if given not in (None, expected):
        raise NotFound(f"{what}: expected {expected!r}, which is this model's, found {given!r}")


def _described(version: ModelVersion) -> dict[str, Any]:
    said = {name: version.attributes.get(name, "") for name in OWN}
    known = {
        name: getattr(version, name)
        for name in ("name", "version", "number", "description", "size", "digest")
    }
    return {
        "_id": version.model_id,
        **said,
        **known,
        "framework": said["framework"] or version.framework,
        "storage_group": said["storage_group"] or "models",
        "storage_path": f"{version.digest}/{_file(version)}",
        "stage": version.stage.value,
        "metrics": version.performance_metrics,
        "parameters": dict(version.hyperparams),
        "tags": dict(version.tags),
        "created_at": version.created_at.isoformat(),
    }


__all__ = [
    "AlreadyExists",
    "InvalidInput",
    "ModelMetadata",
    "ModelRegistryClient",
    "ModelyardError",
    "NotAuthenticated",
    "NotFound",
    "PermissionDenied",
    "Unreachable",
    "UploadResponse",
]
