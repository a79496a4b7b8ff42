"""Records to rows and back."""

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.adapters.metadata.copies import copied
from modelyard.adapters.metadata.rows import (
    decode_version,
    digest,
    dump,
    encode_version,
    micros,
    moment,
)
from modelyard.domain.errors import InvalidInput
from modelyard.domain.records import Metric, ModelVersion
from modelyard.testing.metadata import NAN, T0, a_full_version, a_model, a_version


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_survive_to_the_microsecond(at: datetime) -> None:
    assert moment(micros(at)) == at


def test_no_field_of_a_version_is_forgotten() -> None:
    """The example sets every stored field, so that comparing it proves something."""
    full, plain = (
        a_full_version(),
        ModelVersion(model_id="", name="", number=0, version="", created_at=T0, created_by=""),
    )
    never = {"artifact_path", "deleted_at", "collected_at", "created_at"}
    same = {f.name for f in fields(full) if getattr(full, f.name) == getattr(plain, f.name)}
    assert same <= never
    assert decode_version(json.loads(dump(encode_version(full)))) == full


def test_a_deleted_and_collected_version_survives() -> None:
    version = a_version(deleted_at=T0, collected_at=T0 + timedelta(days=1))
    assert copied(version) == version


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_metrics_survive_to_the_last_bit(value: float) -> None:
    found = copied(a_version(metrics=(Metric(name="m", value=value, at=T0, sd=value),))).metrics[0]
    assert (repr(found.value), repr(found.sd)) == (repr(value), repr(value))


def test_a_copy_shares_nothing_with_the_original() -> None:
    tags = {"a": "b"}
    version = a_version(tags=MappingProxyType(tags))
    kept = copied(version)
    tags["a"] = "changed"
    assert dict(kept.tags) == {"a": "b"}


@pytest.mark.parametrize("value", [float("inf"), {1, 2}, b"bytes", object()])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="JSON"):
        copied(a_version(attributes={"a": value}))


def test_equal_policies_are_read_once() -> None:
    assert copied(a_model()).policy is copied(a_model("other")).policy


@given(st.text(), st.text(), st.integers(), st.integers())
def test_a_row_digest_tells_documents_and_keys_apart(one: str, other: str, key: int, second: int) -> None:
    assert (digest(one, "version", key) == digest(other, "version", second)) is (
        (one, key) == (other, second)
    )


def test_not_a_number_is_kept_apart_from_no_number() -> None:
    metrics = copied(
        a_version(metrics=(Metric(name="m", value=NAN, at=T0), Metric(name="n", value=0, at=T0)))
    ).metrics
    assert [repr(metric.value) for metric in metrics] == ["nan", "0"]
