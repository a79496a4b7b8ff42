"""Interfaces that other programs grew up with, over ``ModelRegistry``: for code that should not have to change.

``persistence``, ``managers`` and ``rest_client`` are facades: they keep nothing themselves, so that whatever is done
through one of them is seen by the others, by the command line and by everybody else. Each begins with a table of its
calls and what they become.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from numbers import Real
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from modelyard.domain.errors import NotFound
from modelyard.domain.records import ModelVersion
from modelyard.domain.request_types import check_json, check_mapping
from modelyard.domain.standing import standing
from modelyard.registry import ModelRegistry

MOVE: Final = "transition"
"""Attribute that holds what was said about the latest transition."""


class Facade:
    """An open registry under other names.

    Args:
        location: Folder or address of the registry; the configured one if not given.
        token: Credential for a server.
        config: Configuration file.

    Attributes:
        registry: The registry itself, for whatever the facade has no call for.
    """

    def __init__(
        self,
        location: str | Path | None = None,
        *,
        token: str | None = None,
        config: str | Path | None = None,
    ) -> None:
        self.registry = ModelRegistry(location, token=token, config=config)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.registry.location!r})"

    def close(self) -> None:
        """Release the registry. Optional: a program that ends does it too."""
        self.registry.close()


def find(registry: ModelRegistry, name: str, label: str) -> ModelVersion | None:
    """The version of a model under a label, or ``None``."""
    try:
        return registry.get_model(f"{name}:{label}")
    except NotFound:
        return None


def registered(registry: ModelRegistry, model_id: str) -> ModelVersion:
    """A version that was registered just now.

    Raises:
        ModelyardError: It cannot be read; the error says that it is registered.
    """
    with standing(f"the version is registered, with the model_id {model_id},"):
        return registry.get_model(model_id)


def facts(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as arguments of ``register_model``: a number is something measured, anything else is said.

    Raises:
        InvalidInput: It is no mapping.
    """
    check_mapping("metadata", metadata)
    metrics = {k: v for k, v in metadata.items() if isinstance(v, Real) and not _is_flag(v)}
    said = texts({k: v for k, v in metadata.items() if k not in metrics})
    return {"performance_metrics": metrics, "attributes": said}


def texts(said: Mapping[str, Any]) -> dict[str, Any]:
    """Facts with their moments as ISO 8601 texts, which is how JSON can hold them."""
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in said.items()}


def storable(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be said of a change, checked before the change is made.

    Raises:
        InvalidInput: It is no mapping, holds what JSON cannot, or is too large.
    """
    check_mapping("metadata", metadata)
    said = texts(metadata)
    check_json(moved_at(datetime.max.replace(tzinfo=UTC), said), "metadata")  # no instant is longer
    return said


def moved_at(at: datetime | None, said: Mapping[str, Any]) -> dict[str, Any]:
    """The attribute in which it is said of a change."""
    return {MOVE: {"at": str(at), "metadata": said}}


def joined(version: ModelVersion) -> dict[str, Any]:
    """What ``facts`` took apart, with the metrics' latest values."""
    return {**version.attributes, **version.performance_metrics}


def _is_flag(value: object) -> bool:
    """Python counts ``True`` among the numbers."""
    return isinstance(value, bool)
