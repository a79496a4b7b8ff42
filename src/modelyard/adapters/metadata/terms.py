"""What a record is found by: its columns, its searchable values and its pointer movements, all derived from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from modelyard.adapters.metadata.rows import micros
from modelyard.domain.events import subjects
from modelyard.domain.names import fold
from modelyard.domain.records import Event, Model, ModelVersion
from modelyard.domain.versioning import label_key, rank

Term: TypeAlias = tuple[str, "float | None", "str | None"]
"""``(type, number, text)``; see ``schema.version_terms`` for the types."""

PATH: Final = "\x1f"
"""Stands between the steps of an attribute's path, where a dot could be part of a name."""

TERM_ROOTS: Final = frozenset(
    ("metrics", "params", "tags", "attributes", "checks", "alias", "dataset", "parent", "withdrawn")
)
"""Fields of queries whose values a version may lack, and which are therefore looked for among its terms."""

_INT64: Final = 2**63
OTHER: Final[Term] = ("o", None, None)


def field(root: str, *path: str) -> str:
    """How a searchable value is called in the database: ``metrics.accuracy``, ``alias``."""
    return f"{root}.{PATH.join(path)}" if path else root


def event_subjects(event: Event) -> str:
    """What an event is about, each between spaces, so that one can be looked for in an index alone."""
    return f" {' '.join(subjects(event))} "


def number(value: float) -> float:
    """A number that a database takes: integers beyond 64 bits become floats (and lose their last digits)."""
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        return _float(value)
    return value


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _number_term(value: float, type_: str = "n") -> Term:
    return (type_, number(value) if value == value else None, None)


def _value_term(value: Any) -> Term:
    if isinstance(value, bool):
        return ("b", int(value), None)
    if isinstance(value, int | float):
        return _number_term(value)
    if isinstance(value, str):
        return ("t", None, value)
    return OTHER


def _attributes(
    value: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, int], Term]]:
    """Every step of a tree of attributes, objects included, without recursion into lists."""
    for name, item in value.items():
        here = (*path, name)
        if item is not None:
            yield (field("attributes", *here), 0), _value_term(item)
        if isinstance(item, Mapping):
            yield from _attributes(item, here)


def version_terms(version: ModelVersion) -> dict[tuple[str, int], Term]:
    """Searchable values of a version by ``(field, ordinal)``."""
    terms: dict[tuple[str, int], Term] = {}
    for name, value in version.performance_metrics.items():
        terms[f"metrics.{name}", 0] = _number_term(value)
    for name, value in version.hyperparams.items():
        if value is not None:
            terms[f"params.{name}", 0] = _value_term(value)
    for name, text in version.tags.items():
        terms[f"tags.{name}", 0] = ("t", None, text)
    for name, check in version.checks.items():
        terms[f"checks.{name}", 0] = ("b", int(check.passed), None)
    terms.update(_attributes(version.attributes))
    for ordinal, alias in enumerate(version.aliases):
        terms["alias", ordinal] = ("t", None, alias)
    if version.withdrawn is not None:
        terms["withdrawn", 0] = ("t", None, version.withdrawn.reason)
    for root, targets in _edges(version).items():
        for ordinal, target in enumerate(targets):
            terms[root, ordinal] = ("t", None, target)
    return terms


def _edges(version: ModelVersion) -> dict[str, list[str]]:
    parents = [version.parent] if version.parent else []
    return {
        "parent": parents + [edge.target for edge in version.edges if edge.kind == "parent"],
        "dataset": [edge.target for edge in version.edges if edge.kind == "dataset"],
    }


def version_files(version: ModelVersion) -> frozenset[str]:
    """Digests a version keeps alive; a collected one keeps none."""
    return frozenset() if version.collected_at is not None else frozenset(f.digest for f in version.files)


def version_edges(version: ModelVersion) -> frozenset[tuple[str, str]]:
    """Kind and target of everything a version names, deleted or not."""
    return frozenset((edge.kind, edge.target) for edge in version.edges)


def version_columns(version: ModelVersion) -> dict[str, Any]:
    """Columns of ``schema.versions`` but ``id`` and ``holder_key``."""
    return {
        "model_id": version.model_id,
        "model_key": fold(version.name),
        "name": version.name,
        "number": version.number,
        "label": version.version,
        "label_key": label_key(version.version),
        "label_rank": rank(version.version, version.number),
        "stage": version.stage.value,
        "framework": version.framework,
        "algorithm": version.algorithm,
        "created_by": version.created_by,
        "created": micros(version.created_at),
        "updated": micros(version.updated_at or version.created_at),
        "size": version.size,
        "digest": version.digest,
        "scan": version.scan,
        "deleted": int(version.deleted_at is not None or version.collected_at is not None),
        "revision": version.revision,
    }


def single_stages(model: Model) -> str:
    """Stages that only one version of the model may hold, between commas."""
    return ",".join(sorted(str(stage) for stage, limit in model.policy.holders.items() if limit == 1))


def holder_key(version: ModelVersion, model_key: str, single: str) -> str | None:
    """``<model>/<stage>`` if the version holds a stage that only one may hold, else ``None``."""
    hidden = version.deleted_at is not None or version.collected_at is not None
    if hidden or version.stage.value not in single.split(","):
        return None
    return f"{model_key}/{version.stage.value}"


def model_search(model: Model) -> str:
    """Folded name, description and tags of a model, in the form :func:`search_text` gives a version's."""
    tags = (f"{name}={value}" for name, value in sorted(model.tags.items()))
    return fold("\n".join((model.name, model.description, *tags)))
