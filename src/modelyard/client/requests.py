"""What registers a packed model: a package and what its caller says of it, as one question to the service."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Final

from modelyard.client import arguments, signatures
from modelyard.client import lineage as links
from modelyard.client.pack import Package
from modelyard.domain.lifecycle import parse_stage
from modelyard.domain.records import ModelStage
from modelyard.ports.service import CreateVersion
from modelyard.settings import Settings


def build(
    package: Package,
    settings: Settings,
    name: str,
    version: str | None = None,
    *,
    stage: ModelStage | str | None = None,
    description: str = "",
    performance_metrics: Any = None,
    hyperparams: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    data_lineage: Mapping[str, Any] | None = None,
    lineage: Sequence[Any] | None = None,
    parent: str | None = None,
    signature: Any = None,
    input_example: Any = None,
    output_example: Any = None,
    card: Mapping[str, Any] | None = None,
    bump: str | None = None,
    alias: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    override_reason: str | None = None,
    idempotency_key: str | None = None,
) -> CreateVersion:
    """The arguments of ``register_model`` over a package; files and environment are added after the upload."""
    return CreateVersion(
        name=name,
        version=version,
        flavor=package.flavor,
        stage=parse_stage(stage or settings.registry.default_stage),
        description=description,
        metrics=performance_metrics or {},
        hyperparams={**package.hyperparams, **arguments.scalars(hyperparams or {})},
        tags=tags or {},
        attributes=arguments.scalars(attributes or {}),
        data_lineage=data_lineage or {},
        lineage=links.edges(lineage or ()),
        parent=parent,
        signature=signatures.describe(package, signature, input_example, output_example),
        framework=package.framework,
        algorithm=package.algorithm,
        card=card or {},
        bump=bump,
        alias=alias,
        override_reason=override_reason or "",
        idempotency_key=idempotency_key,
    )


ARGUMENTS: Final = frozenset(inspect.signature(build).parameters) - {"package", "settings"}
"""What may be said of a version beside its model."""
