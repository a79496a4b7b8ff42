"""A model's own rules."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import InvalidPolicy
from modelyard.domain.lifecycle import STANDARD, STRICT, Condition
from modelyard.domain.policy import DEFAULT, Policy, from_mapping, parse_policy, to_mapping
from modelyard.domain.records import ModelStage
from modelyard.domain.retention import Retention

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FULL: dict[str, Any] = {
    "version": 3,
    "lifecycle": "custom",
    "transitions": {"development": ["staging"], "staging": {"production": "ungated"}},
    "gates": {"Production": {"min_accuracy": 0.9, "approvals": 2, "bias": True, "signed_by": "ann"}},
    "holders": {"production": 0, "staging": 1},
    "incumbent": "archived",
    "card_fields": ["owner", "Intended use", "owner"],
    "retention": {"archived_days": 90, "keep_last": 5},
    "trust": ["my_pkg.*", "other.models.Net"],
    "protected_stages": ["Staging"],
    "clean_git": True,
    "environment": "refuse",
    "at": "2026-03-01T12:00:00+00:00",
    "by": "ann",
}


def test_every_part_is_read() -> None:
    policy = from_mapping(FULL)
    assert policy.gates == {
        "production": {"min_accuracy": 0.9, "approvals": 2, "bias": True, "signed_by": ["ann"]}
    }
    assert policy.holders == {"production": 0, "staging": 1}
    assert policy.card_fields == ("owner", "intended_use")
    assert policy.retention == Retention(archived_days=90, keep_last=5)
    assert policy.trust == ("my_pkg.*", "other.models.Net")
    assert policy.protected_stages == ("staging",)
    assert (policy.clean_git, policy.environment) == (True, "refuse")
    assert (policy.version, policy.at, policy.by, policy.incumbent) == (3, NOW, "ann", "archived")
    assert policy.table.name == "custom"
    assert policy.table.moves[ModelStage.STAGING] == {ModelStage.PRODUCTION: Condition.UNGATED}


def test_the_default_asks_for_nothing_and_lets_one_hold_production() -> None:
    assert from_mapping({}) == DEFAULT == Policy()
    assert DEFAULT.table is STANDARD
    assert not DEFAULT.gated
    assert DEFAULT.requirements(ModelStage.PRODUCTION) == ()
    assert [DEFAULT.holder_limit(stage) for stage in ModelStage] == [0, 0, 0, 1, 0, 0]


def test_what_is_left_out_keeps_its_default() -> None:
    policy = from_mapping({"holders": {"staging": 1}, "retention": {"archived_days": None}})
    assert policy.holder_limit(ModelStage.PRODUCTION) == 1
    assert policy.retention == Retention(archived_days=None, keep_last=0)
    assert from_mapping({"lifecycle": "strict", "transitions": None, "at": None}).table is STRICT
    assert from_mapping({"transitions": {"development": ["archived"]}}).lifecycle == "custom"


def test_a_gate_that_asks_for_nothing_gates_nothing() -> None:
    assert not from_mapping({"gates": {"production": {"tests_passed": False}}}).gated
    assert from_mapping({"gates": {"production": {"tests_passed": True}}}).gated


def test_requirements_of_a_stage_name_the_policy_as_their_source() -> None:
    found = from_mapping(FULL).requirements(ModelStage.PRODUCTION)
    assert [(r.key, r.source) for r in found] == [
        ("min_accuracy", "policy"),
        ("approvals", "policy"),
        ("bias", "policy"),
        ("signed_by", "policy"),
    ]


# --- metric names ---


def gate(key: str) -> dict[str, Any]:
    return {"gates": {"production": {key: 0.5}}}


@pytest.mark.parametrize("key", ["min_f1", "min_f1_score", "min_f1[test]", "improves_f1", "max_age_days"])
def test_a_metric_that_is_known_or_short_for_one_is_accepted(key: str) -> None:
    policy, warnings = parse_policy(gate(key), known_metrics={"f1_score", "accuracy"})
    assert warnings == ()
    assert policy.gates == {"production": {key: 0.5}}


@pytest.mark.parametrize(
    ("key", "known", "message"),
    [
        (
            "min_acuracy",
            {"accuracy"},
            "gates.production.min_acuracy: no version has a metric 'acuracy'.*'accuracy'",
        ),
        ("min_f1", {"f1_micro", "f1_macro"}, "'f1' may mean"),
        ("min_accuracy", set(), "recorded are: none"),
    ],
)
def test_a_slip_in_a_metrics_name_is_found_when_the_policy_is_saved(
    key: str, known: set[str], message: str
) -> None:
    with pytest.raises(InvalidPolicy, match=message):
        parse_policy(gate(key), known_metrics=known)


def test_without_versions_an_unchecked_name_is_a_warning() -> None:
    policy, warnings = parse_policy(gate("min_acuracy"), known_metrics=None)
    assert policy.gated
    assert warnings == ("gates.production.min_acuracy: not checked, because the model has no versions yet.",)


# --- what is refused ---


@pytest.mark.parametrize(
    ("given_policy", "message"),
    [
        ([], "Policy: expected a mapping"),
        ({"gate": {}}, "unknown key 'gate'.*Did you mean 'gates'"),
        ({7: {}}, "unknown key 7"),
        (
            {"lifecycle": "strikt"},
            "lifecycle: expected one of standard, strict, custom.*Did you mean 'strict'",
        ),
        ({"lifecycle": 7}, "lifecycle: expected one of"),
        ({"lifecycle": "custom"}, "expected transitions beside 'custom'"),
        ({"lifecycle": "strict", "transitions": {"staging": []}}, "expected 'custom', because transitions"),
        ({"transitions": {"stagin": []}}, "transitions: Unknown stage"),
        ({"gates": []}, "gates: expected a mapping"),
        ({"gates": {"prod": {}}}, "gates: Unknown stage 'prod'.*Did you mean 'production'"),
        ({"gates": {"production": 7}}, "gates.production: expected a mapping"),
        ({"gates": {"production": {"approvls": 2}}}, "gates.production: .*Did you mean 'approvals'"),
        ({"gates": {"production": {}, "Production": {}}}, "gates: stage production is given twice"),
        ({"holders": {"staging": 1, "STAGING": 2}}, "holders: stage staging is given twice"),
        ({"holders": {"staging": -1}}, "holders.staging: expected a whole number"),
        ({"holders": {"staging": True}}, "holders.staging: expected a whole number"),
        ({"holders": {"staging": 1.0}}, "holders.staging: expected a whole number"),
        ({"incumbent": "production"}, "incumbent: expected one of deprecated, archived"),
        ({"card_fields": "owner"}, "card_fields: expected a list of words"),
        ({"card_fields": {"owner": 1}}, "card_fields: expected a list of words"),
        ({"card_fields": [7]}, "card_fields: expected words, found 7"),
        ({"card_fields": [" "]}, "card_fields: expected words"),
        ({"card_fields": ["a\nb"]}, "card_fields: expected words"),
        ({"card_fields": ["7up"]}, "card_fields: Card field '7up'"),
        (
            {"retention": {"archived": 3}},
            "retention: expected one of archived_days.*Did you mean 'archived_days'",
        ),
        ({"retention": {"archived_days": 10**9}}, "retention.archived_days: expected a whole number"),
        ({"retention": {"keep_last": None}}, "retention.keep_last: expected a whole number"),
        ({"trust": ["*"]}, "trust: expected a pattern"),
        ({"trust": ["my-pkg.*"]}, "trust: expected a pattern"),
        ({"trust": ["my.*.Net"]}, "trust: expected a pattern"),
        ({"protected_stages": ["prod"]}, "protected_stages: Unknown stage"),
        ({"clean_git": 1}, "clean_git: expected true or false, found 1"),
        ({"clean_git": "true"}, "clean_git: expected true or false, found 'true'"),
        ({"environment": "warm"}, "environment: expected one of warn, refuse, ignore, found 'warm'.*'warn'"),
        ({"environment": True}, "environment: expected one of"),
        ({"at": "yesterday"}, "at: expected an ISO 8601 time"),
        ({"at": 7}, "at: expected an ISO 8601 time"),
        ({"at": "2026-03-01T12:00:00"}, "at: expected a time with its zone"),
        ({"by": 7}, "by: expected a name"),
        ({"version": -1}, "version: expected a whole number"),
    ],
)
def test_what_is_no_policy_is_refused_by_key(given_policy: Any, message: str) -> None:
    with pytest.raises(InvalidPolicy, match=message):
        from_mapping(given_policy)


# --- the law ---

stages = st.sampled_from([stage.value for stage in ModelStage])
rules = st.fixed_dictionaries(
    {},
    optional={
        "min_accuracy": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9),
        "approvals": st.integers(0, 3),
        "tests_passed": st.booleans(),
        "signed_by": st.lists(st.sampled_from(["ann", "bob"]), min_size=1),
        "scan": st.sampled_from(["clean", "unknown"]),
    },
)
tables = st.dictionaries(
    stages,
    st.lists(stages) | st.dictionaries(stages, st.sampled_from([c.value for c in Condition])),
    min_size=1,
)
policies = st.fixed_dictionaries(
    {},
    optional={
        "version": st.integers(0, 99),
        "transitions": st.none() | tables,
        "gates": st.dictionaries(stages, rules),
        "holders": st.dictionaries(stages, st.integers(0, 5)),
        "incumbent": st.sampled_from(["deprecated", "archived"]),
        "card_fields": st.lists(st.sampled_from(["owner", "license", "my_field"])),
        "retention": st.fixed_dictionaries(
            {}, optional={"archived_days": st.none() | st.integers(0, 400), "keep_last": st.integers(0, 9)}
        ),
        "trust": st.lists(st.sampled_from(["a.*", "a.b.C"])),
        "protected_stages": st.lists(stages),
        "clean_git": st.booleans(),
        "environment": st.sampled_from(["warn", "refuse", "ignore"]),
        "at": st.none() | st.datetimes(timezones=st.just(UTC)),
        "by": st.text(),
    },
)


@given(policies)
def test_a_policy_survives_being_written_as_json_and_read(given_policy: dict[str, Any]) -> None:
    """``from_mapping(to_mapping(p)) == p``, through JSON, for every policy."""
    policy, _ = parse_policy(given_policy, known_metrics=None)
    written = json.loads(json.dumps(to_mapping(policy), allow_nan=False))
    assert from_mapping(written) == policy
    assert parse_policy(written, known_metrics=["accuracy"]) == (policy, ())
