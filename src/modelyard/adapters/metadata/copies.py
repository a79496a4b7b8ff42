"""Records of every kind as a database would give them back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast

from modelyard.adapters.metadata import rows, rows_experiments, rows_sessions, rows_tokens
from modelyard.adapters.metadata.rows import Row, dump
from modelyard.domain.experiments import Experiment, Exposure, Outcome
from modelyard.domain.records import Blob, Event, Model, ModelVersion, Receipt, Registry, Source
from modelyard.domain.sessions import Session
from modelyard.domain.tokens import Token

T = TypeVar("T")

CODECS: Final[Mapping[type, tuple[Callable[[Any], Row], Callable[[Row], Any]]]] = {
    Registry: (rows.encode_registry, rows.decode_registry),
    Model: (rows.encode_model, rows.decode_model),
    ModelVersion: (rows.encode_version, rows.decode_version),
    Blob: (rows.encode_blob, rows.decode_blob),
    Source: (rows.encode_source, rows.decode_source),
    Receipt: (rows.encode_receipt, rows.decode_receipt),
    Event: (rows.encode_event, rows.decode_event),
    Experiment: (rows_experiments.encode_experiment, rows_experiments.decode_experiment),
    Outcome: (rows_experiments.encode_outcome, rows_experiments.decode_outcome),
    Exposure: (rows_experiments.encode_exposure, rows_experiments.decode_exposure),
    Token: (rows_tokens.encode_token, rows_tokens.decode_token),
    Session: (rows_sessions.encode_session, rows_sessions.decode_session),
}


def copied(record: T) -> T:
    """The record as it would come back from a database: nothing in it is shared with the caller's."""
    encode, decode = CODECS[type(record)]
    return cast(T, decode(json.loads(dump(encode(record)))))
