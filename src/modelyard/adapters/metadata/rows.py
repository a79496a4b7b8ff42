"""Records as rows: one JSON text per record, and a digest over it and its key columns.

Written by hand because it is hot: a version is read in under 60 µs. Fields at their default are left out, times are
integers (microseconds since 1970, UTC), a metric that is not a number is the text ``"nan"``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, TypeVar

from modelyard.domain.errors import InvalidInput
from modelyard.domain.policy import Policy, from_mapping, to_mapping
from modelyard.domain.records import (
    Alias,
    Blob,
    Check,
    Event,
    FileEntry,
    FlavorRecord,
    LineageEdge,
    Metric,
    Model,
    ModelStage,
    ModelVersion,
    Receipt,
    Registry,
    ScanReport,
    Source,
    Withdrawal,
)

Row = dict[str, Any]
T = TypeVar("T")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_STAGES: Final = {stage.value: stage for stage in ModelStage}


# --- atoms -----------------------------------------------------------------------------------------------------------


def micros(moment: datetime) -> int:
    """Microseconds since 1970 (UTC), exact."""
    return (moment - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=1024)
def moment(value: int) -> datetime:
    """The inverse of :func:`micros`; kept, since most times of one record are one and the same."""
    return _EPOCH + timedelta(microseconds=value)


def dump(row: Mapping[str, Any]) -> str:
    """JSON text of a row.

    Raises:
        InvalidInput: It holds an infinite number, or something that is not JSON.
    """
    try:
        return _JSON.encode(row)
    except (ValueError, TypeError) as error:
        raise InvalidInput(
            f"a record holds what JSON cannot: {error}; expected finite numbers, texts, lists"
        ) from error


def _mapping(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} {value!r:.80}")


_JSON: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_mapping)


def digest(doc: str, *keys: object) -> bytes:
    """32 bytes: sha256 over the key columns and the document of one row."""
    text = "\x1f".join([*map(str, keys), doc])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def kept(record: Any, names: tuple[str, ...], row: Row) -> Row:
    """``row`` with those of the record's plain fields that are not empty."""
    for name in names:
        value = getattr(record, name)
        if value or value is False:
            row[name] = value
    return row


def kept_times(record: Any, names: tuple[str, ...], row: Row) -> Row:
    for name in names:
        value = getattr(record, name)
        if value is not None:
            row[name] = micros(value)
    return row


def read_times(row: Row, names: tuple[str, ...]) -> None:
    for name in names:
        if name in row:
            row[name] = moment(row[name])


def _read_tuples(row: Row, names: tuple[str, ...]) -> None:
    for name in names:
        if name in row:
            row[name] = tuple(row[name])


# --- parts of a version ----------------------------------------------------------------------------------------------


def _number(value: float) -> float | str:
    return value if value == value else "nan"


def _encode_metric(metric: Metric) -> Row:
    row: Row = {"name": metric.name, "value": _number(metric.value), "at": micros(metric.at)}
    if metric.n is not None:
        row["n"] = metric.n
    if metric.sd is not None:
        row["sd"] = _number(metric.sd)
    if metric.higher_is_better is not None:
        row["higher_is_better"] = metric.higher_is_better
    return kept(metric, ("by", "dataset", "dataset_digest", "split"), row)


def _decode_metric(row: Row) -> Metric:
    row["at"] = moment(row["at"])
    if row["value"] == "nan":
        row["value"] = float("nan")
    if row.get("sd") == "nan":
        row["sd"] = float("nan")
    return Metric(**row)


def _encode_file(file: FileEntry) -> Row:
    return {
        "path": file.path,
        "size": file.size,
        "digest": file.digest,
        "media_type": file.media_type,
        "role": file.role,
    }


def _encode_flavor(flavor: FlavorRecord) -> Row:
    names = ("options", "framework", "framework_version", "algorithm", "hyperparams", "facts", "globals")
    return kept(flavor, names, {"name": flavor.name, "entry": flavor.entry})


def _decode_flavor(row: Row) -> FlavorRecord:
    _read_tuples(row, ("globals",))
    return FlavorRecord(**row)


def _encode_scan(scan: ScanReport) -> Row:
    return kept(scan, ("format", "kind", "globals", "reasons", "ruleset"), {"verdict": scan.verdict})


def _decode_scan(row: Row) -> ScanReport:
    row.setdefault("format", "")
    row.setdefault("kind", "")
    _read_tuples(row, ("globals", "reasons"))
    return ScanReport(**row)


def _encode_check(check: Check) -> Row:
    row: Row = {"name": check.name, "passed": check.passed, "at": micros(check.at)}
    return kept(check, ("by", "evidence"), row)


def _decode_check(row: Row) -> Check:
    row["at"] = moment(row["at"])
    return Check(**row)


def _encode_edge(edge: LineageEdge) -> Row:
    return kept(edge, ("details",), {"kind": edge.kind, "target": edge.target})


def _encode_withdrawal(withdrawal: Withdrawal) -> Row:
    return kept(withdrawal, ("by",), {"reason": withdrawal.reason, "at": micros(withdrawal.at)})


def _decode_withdrawal(row: Row) -> Withdrawal:
    row["at"] = moment(row["at"])
    return Withdrawal(**row)


# --- versions --------------------------------------------------------------------------------------------------------

_VERSION_TEXTS: Final = (
    "framework",
    "algorithm",
    "hyperparams",
    "environment",
    "data_lineage",
    "override_reason",
    "warnings",
    "digest",
    "content_digest",
    "description",
    "tags",
    "attributes",
    "card",
    "card_version",
    "aliases",
    "legal_hold",
)
_VERSION_TIMES: Final = (
    "rolled_back_at",
    "staged_at",
    "deleted_at",
    "collected_at",
    "updated_at",
)
_VERSION_OPTIONAL: Final = ("signature", "parent", "successor", "load_check")


def encode_version(version: ModelVersion) -> Row:
    """A version as a row; ``artifact_path`` is the client's and is left out."""
    row: Row = {
        "model_id": version.model_id,
        "name": version.name,
        "number": version.number,
        "version": version.version,
        "created_at": micros(version.created_at),
        "created_by": version.created_by,
        "stage": version.stage.value,
        "revision": version.revision,
    }
    kept(version, _VERSION_TEXTS, row)
    kept_times(version, _VERSION_TIMES, row)
    for name in _VERSION_OPTIONAL:
        value = getattr(version, name)
        if value is not None:
            row[name] = value
    if version.flavor is not None:
        row["flavor"] = _encode_flavor(version.flavor)
    if version.files:
        row["files"] = [_encode_file(file) for file in version.files]
    if version.lineage:
        row["lineage"] = [_encode_edge(edge) for edge in version.lineage]
    if version.links:
        row["links"] = [_encode_edge(edge) for edge in version.links]
    if version.withdrawn is not None:
        row["withdrawn"] = _encode_withdrawal(version.withdrawn)
    if version.metrics:
        row["metrics"] = [_encode_metric(metric) for metric in version.metrics]
    if version.checks:
        row["checks"] = {name: _encode_check(check) for name, check in version.checks.items()}
    if version.scans:
        row["scans"] = {name: _encode_scan(scan) for name, scan in version.scans.items()}
    return row


def decode_version(row: Row) -> ModelVersion:
    """The inverse of :func:`encode_version`; takes ``row`` apart."""
    row["created_at"] = moment(row["created_at"])
    row["stage"] = _STAGES[row["stage"]]
    read_times(row, _VERSION_TIMES)
    _read_tuples(row, ("warnings", "aliases"))
    if "flavor" in row:
        row["flavor"] = _decode_flavor(row["flavor"])
    if "files" in row:
        row["files"] = tuple([FileEntry(**file) for file in row["files"]])
    if "lineage" in row:
        row["lineage"] = tuple([LineageEdge(**edge) for edge in row["lineage"]])
    if "links" in row:
        row["links"] = tuple([LineageEdge(**edge) for edge in row["links"]])
    if "withdrawn" in row:
        row["withdrawn"] = _decode_withdrawal(row["withdrawn"])
    if "metrics" in row:
        row["metrics"] = tuple([_decode_metric(metric) for metric in row["metrics"]])
    if "checks" in row:
        row["checks"] = {name: _decode_check(check) for name, check in row["checks"].items()}
    if "scans" in row:
        row["scans"] = {name: _decode_scan(scan) for name, scan in row["scans"].items()}
    return ModelVersion(**row)


# --- models ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _policy_text(policy: str) -> Policy:
    """Policies are few and never change once made: read each text once (saves 50 µs a model)."""
    return from_mapping(json.loads(policy))


def _encode_alias(alias: Alias) -> Row:
    row: Row = {"name": alias.name, "number": alias.number, "model_id": alias.model_id}
    row["at"] = micros(alias.at)
    return kept(alias, ("protected", "by"), row)


def _decode_alias(row: Row) -> Alias:
    row["at"] = moment(row["at"])
    return Alias(**row)


def encode_model(model: Model) -> Row:
    """A model as a row; the policy is a text inside, so that equal policies are read once."""
    row: Row = {
        "name": model.name,
        "key": model.key,
        "slug": model.slug,
        "created_at": micros(model.created_at),
        "created_by": model.created_by,
        "policy": dump(to_mapping(model.policy)),
        "last_number": model.last_number,
        "revision": model.revision,
    }
    kept(model, ("description", "tags", "sequence", "head", "latest_rank", "highest"), row)
    kept_times(model, ("head_at", "updated_at"), row)
    if model.latest is not None:
        row["latest"] = model.latest
    if model.aliases:
        row["aliases"] = {name: _encode_alias(alias) for name, alias in model.aliases.items()}
    if model.experiments:
        row["experiments"] = {name: list(numbers) for name, numbers in model.experiments.items()}
    if model.holders:
        row["holders"] = {str(stage): list(numbers) for stage, numbers in model.holders.items()}
    return row


def decode_model(row: Row) -> Model:
    """The inverse of :func:`encode_model`."""
    row["created_at"] = moment(row["created_at"])
    row["policy"] = _policy_text(row["policy"])
    read_times(row, ("head_at", "updated_at"))
    if "aliases" in row:
        row["aliases"] = {name: _decode_alias(alias) for name, alias in row["aliases"].items()}
    if "experiments" in row:
        row["experiments"] = {name: tuple(numbers) for name, numbers in row["experiments"].items()}
    if "holders" in row:
        row["holders"] = {stage: tuple(numbers) for stage, numbers in row["holders"].items()}
    return Model(**row)


# --- the rest --------------------------------------------------------------------------------------------------------


def encode_registry(registry: Registry) -> Row:
    row: Row = {
        "registry_id": registry.registry_id,
        "format": registry.format,
        "created_at": micros(registry.created_at),
        "revision": registry.revision,
    }
    return kept_times(registry, ("head_at",), kept(registry, ("sequence", "head"), row))


def decode_registry(row: Row) -> Registry:
    read_times(row, ("created_at", "head_at"))
    return Registry(**row)


def encode_blob(blob: Blob) -> Row:
    row: Row = {
        "digest": blob.digest,
        "size": blob.size,
        "state": blob.state,
        "touched_at": micros(blob.touched_at),
        "encoding": blob.encoding,
        "revision": blob.revision,
    }
    if blob.scan is not None:
        row["scan"] = _encode_scan(blob.scan)
    return row


def decode_blob(row: Row) -> Blob:
    row["touched_at"] = moment(row["touched_at"])
    if "scan" in row:
        row["scan"] = _decode_scan(row["scan"])
    return Blob(**row)


def encode_source(source: Source) -> Row:
    row: Row = {"kind": source.kind, "target": source.target, "revision": source.revision}
    if source.withdrawn is not None:
        row["withdrawn"] = _encode_withdrawal(source.withdrawn)
    return row


def decode_source(row: Row) -> Source:
    if "withdrawn" in row:
        row["withdrawn"] = _decode_withdrawal(row["withdrawn"])
    return Source(**row)


def encode_receipt(receipt: Receipt) -> Row:
    return {
        "key": receipt.key,
        "request": receipt.request,
        "result": receipt.result,
        "at": micros(receipt.at),
        "revision": receipt.revision,
    }


def decode_receipt(row: Row) -> Receipt:
    row["at"] = moment(row["at"])
    return Receipt(**row)


def encode_event(event: Event) -> Row:
    row: Row = {
        "model": event.model,
        "sequence": event.sequence,
        "at": micros(event.at),
        "actor": event.actor,
        "action": event.action,
        "subject": event.subject,
    }
    return kept(event, ("before", "after", "reason", "request_id", "previous_hash", "hash"), row)


def decode_event(row: Row) -> Event:
    row["at"] = moment(row["at"])
    return Event(**row)
