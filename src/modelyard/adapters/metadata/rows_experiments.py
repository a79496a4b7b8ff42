"""Experiments and what is recorded of them as rows; see ``rows`` for the form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from modelyard.adapters.metadata.rows import Row, digest, dump, kept, kept_times, micros, moment, read_times
from modelyard.domain.errors import IntegrityError
from modelyard.domain.experiments import Experiment, ExperimentVariant, Exposure, Outcome, OutcomeTally
from modelyard.domain.names import fold

_FIXED = (
    "experiment_id",
    "model",
    "identity",
    "metric",
    "kind",
    "higher_is_better",
    "minimum_sample",
    "alpha",
    "created_by",
    "revision",
)
_OPTIONAL = ("name", "guardrails", "stopped_by", "reason", "winner")
_SHARED = ("model", "by", "guardrails")


# --- documents -------------------------------------------------------------------------------------------------------


def encode_experiment(experiment: Experiment) -> Row:
    row: Row = {name: getattr(experiment, name) for name in _FIXED}
    row["variants"] = [
        {name: getattr(variant, name) for name in ExperimentVariant.__slots__}
        for variant in experiment.variants
    ]
    return kept_times(experiment, ("created_at", "stopped_at"), kept(experiment, _OPTIONAL, row))


def decode_experiment(row: Row) -> Experiment:
    read_times(row, ("created_at", "stopped_at"))
    row["variants"] = tuple([ExperimentVariant(**variant) for variant in row["variants"]])
    return Experiment(**{"name": "", "guardrails": {}, **row})


def encode_outcome(outcome: Outcome) -> Row:
    row: Row = {
        name: getattr(outcome, name) for name in ("experiment_id", "unit", "draw", "variant", "value")
    }
    row |= {"late": outcome.late, "at": micros(outcome.at), "revision": outcome.revision}
    return kept(outcome, _SHARED, row)


def decode_outcome(row: Row) -> Outcome:
    row["at"] = moment(row["at"])
    row["late"] = bool(row["late"])
    return Outcome(**row)


def encode_exposure(exposure: Exposure) -> Row:
    return {name: getattr(exposure, name) for name in Exposure.__slots__}


def decode_exposure(row: Row) -> Exposure:
    return Exposure(**row)


# --- rows of tables --------------------------------------------------------------------------------------------------


def experiment_row(record: Experiment) -> Row:
    doc = dump(encode_experiment(record))
    row: Row = {
        "experiment_id": record.experiment_id,
        "the_experiment_id": record.experiment_id,
        "model_key": fold(record.model),
        "identity": record.identity,
        "revision": record.revision,
        "doc": doc,
    }
    return row | {"row_digest": _of_experiment(row)}


def outcome_row(record: Outcome) -> Row:
    """What the columns hold is left out of the document: there may be millions.

    The value is hashed as the float that the column gives back, whichever number it came as.
    """
    row: Row = {
        "experiment_id": record.experiment_id,
        "unit": record.unit,
        "draw": record.draw,
        "variant": record.variant,
        "value": float(record.value),
        "late": int(record.late),
        "revision": record.revision,
        "doc": dump(kept(record, _SHARED, {"at": micros(record.at)})),
    }
    return row | {"row_digest": _of_outcome(row)}


def value_rows(record: Outcome) -> list[Row]:
    """One row per value of a guardrail's metric."""
    shared = {name: getattr(record, name) for name in ("experiment_id", "unit", "draw", "variant")}
    return [
        {**shared, "late": int(record.late), "metric": metric, "value": float(value)}
        for metric, value in sorted(record.guardrails.items())
    ]


def exposure_row(record: Exposure) -> Row:
    row: Row = {
        "experiment_id": record.experiment_id,
        "writer": record.writer,
        "revision": record.revision,
        "doc": dump(encode_exposure(record)),
    }
    return row | {"row_digest": _of_exposure(row)}


def _of_experiment(row: Row) -> bytes:
    keys = (row[name] for name in ("experiment_id", "model_key", "identity", "revision"))
    return digest(row["doc"], "experiment", *keys)


def _of_outcome(row: Row) -> bytes:
    names = ("experiment_id", "unit", "draw", "variant", "value", "late", "revision")
    return digest(row["doc"], "outcome", *(row[name] for name in names))


def _of_exposure(row: Row) -> bytes:
    return digest(row["doc"], "exposure", *(row[name] for name in ("experiment_id", "writer", "revision")))


# --- and back --------------------------------------------------------------------------------------------------------

EXPERIMENT = ("experiment_id", "model_key", "identity", "revision", "doc", "row_digest")
OUTCOME = ("experiment_id", "unit", "draw", "variant", "value", "late", "revision", "doc", "row_digest")
EXPOSURE = ("experiment_id", "writer", "revision", "doc", "row_digest")


def read_experiment(found: Sequence[Any]) -> Experiment:
    """The experiment of a table's row.

    Raises:
        IntegrityError: The row does not match its digest; likewise from the other two.
    """
    row = dict(zip(EXPERIMENT, found, strict=True))
    _check(row, _of_experiment(row), f"experiment {row['experiment_id']}")
    return decode_experiment(json.loads(row["doc"]))


def read_outcome(found: Sequence[Any]) -> Outcome:
    row = dict(zip(OUTCOME, found, strict=True))
    _check(row, _of_outcome(row), f"outcome {row['unit']} {row['draw']} of experiment {row['experiment_id']}")
    doc, _ = row.pop("doc"), row.pop("row_digest")
    return decode_outcome({**json.loads(doc), **row})


def read_exposure(found: Sequence[Any]) -> Exposure:
    row = dict(zip(EXPOSURE, found, strict=True))
    _check(row, _of_exposure(row), f"exposure {row['writer']} of experiment {row['experiment_id']}")
    return decode_exposure(json.loads(row["doc"]))


def read_tally(row: Sequence[Any]) -> OutcomeTally:
    variant, outcomes, units, mean, squares = row
    return OutcomeTally(variant=variant, outcomes=outcomes, units=units, mean=mean, squares=squares)


def _check(row: Row, computed: bytes, what: str) -> None:
    if row["row_digest"] != computed:
        raise IntegrityError(
            f"the stored row of {what} does not match its own digest: it was changed or damaged on disk; "
            "run `modelyard fsck` and restore it from a backup"
        )
