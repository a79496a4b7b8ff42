"""Requirements, the rules behind them, and the verdict."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import GateRefused, InvalidInput, InvalidPolicy
from modelyard.domain.gates import (
    KINDS,
    PromotionCase,
    RuleResult,
    Verdict,
    judge,
    parse_requirements,
    refusal,
)
from modelyard.domain.records import (
    Check,
    FileEntry,
    Metric,
    ModelStage,
    ModelVersion,
    ScanReport,
    Withdrawal,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SIGNATURE = {"inputs": [{"name": "x", "type": "int64"}], "outputs": [{"name": "y", "type": "string"}]}
WIDER = {**SIGNATURE, "inputs": [{"name": "x", "type": "float64"}]}


def version(**facts: Any) -> ModelVersion:
    return ModelVersion(
        **{
            "model_id": "new",
            "name": "fraud",
            "number": 2,
            "version": "0.2.0",
            "created_at": NOW - timedelta(days=10),
            "created_by": "ann",
            **facts,
        }
    )


def measured(*metrics: Metric, **facts: Any) -> ModelVersion:
    return version(metrics=metrics, **facts)


def metric(name: str, value: float, **facts: Any) -> Metric:
    return Metric(**{"name": name, "value": value, "at": NOW, "by": "ci", **facts})


def case(candidate: ModelVersion, requirements: Any = None, **facts: Any) -> PromotionCase:
    return PromotionCase(
        **{
            "at": NOW,
            "version": candidate,
            "incumbent": None,
            "target": ModelStage.PRODUCTION,
            "requirements": parse_requirements(requirements, "caller"),
            **facts,
        }
    )


def result(candidate: ModelVersion, requirements: Any, **facts: Any) -> RuleResult:
    """The one result of the one requirement; the registry's own rule stands before it."""
    own, asked = judge(case(candidate, requirements, **facts)).rules
    assert own.source == "registry"
    return asked


# --- metrics ---


@pytest.mark.parametrize(
    ("requirement", "passed"),
    [
        ({"min_accuracy": 0.9}, True),
        ({"min_accuracy": 0.91}, False),
        ({"max_accuracy": 0.9}, True),
        ({"max_accuracy": 0.89}, False),
        ({"min_accuracy": 0}, True),
        ({"min_accuracy": np.float32(0.5)}, True),
    ],
)
def test_a_threshold_includes_its_own_value(requirement: dict[str, Any], passed: bool) -> None:
    assert result(measured(metric("accuracy", 0.9)), requirement).passed is passed


def test_a_result_says_what_was_expected_what_was_seen_and_where_it_came_from() -> None:
    assert result(measured(metric("f1_score", 0.7, split="test")), {"min_f1": 0.75}) == RuleResult(
        rule="min_f1",
        source="caller",
        expected=0.75,
        observed=0.7,
        origin="metric f1_score[test], recorded 2026-03-01T12:00:00+00:00 by ci",
        passed=False,
        reason="f1_score[test] is 0.7, below 0.75",
    )
    above = result(measured(metric("latency_ms", 50.0)), {"max_latency_ms": 40})
    assert above.reason == "latency_ms is 50, above 40"


def test_the_short_name_resolves_and_the_verdict_says_to_what() -> None:
    found = result(measured(metric("f1_score", 0.8)), {"min_f1": 0.75})
    assert found.passed
    assert "f1_score" in found.origin


@pytest.mark.parametrize("kind", ["min_", "max_", "improves_", "no_worse_"])
def test_a_missing_metric_fails(kind: str) -> None:
    found = result(version(), {f"{kind}accuracy": 0.5})
    assert not found.passed
    assert "missing" in found.reason


@pytest.mark.parametrize("kind", ["min_", "max_", "improves_", "no_worse_"])
def test_nan_fails_every_gate(kind: str) -> None:
    found = result(measured(metric("accuracy", math.nan)), {f"{kind}accuracy": 0.5})
    assert (found.passed, found.observed) == (False, "NaN")
    assert "NaN, which passes no gate" in found.reason


def test_an_ambiguous_metric_fails_and_names_the_choices() -> None:
    two = measured(metric("accuracy", 0.9, split="test"), metric("accuracy", 0.95, split="train"))
    assert "accuracy[test], accuracy[train]" in result(two, {"min_accuracy": 0.5}).reason
    assert result(two, {"min_accuracy[test]": 0.9}).passed
    assert not result(two, {"min_accuracy[test]": 0.91}).passed


# --- against the incumbent ---


def rival(*metrics: Metric, **facts: Any) -> ModelVersion:
    return measured(*metrics, **{"model_id": "old", "number": 1, **facts})


@pytest.mark.parametrize(
    ("requirement", "name", "ours", "theirs", "passed"),
    [
        ({"improves_accuracy": 0.01}, "accuracy", 0.57, 0.56, True),
        ({"improves_accuracy": 0.01}, "accuracy", 0.569, 0.56, False),
        ({"improves_accuracy": 0}, "accuracy", 0.56, 0.56, True),
        ({"improves_loss": 0.1}, "loss", 0.4, 0.5, True),
        ({"improves_loss": 0.1}, "loss", 0.6, 0.5, False),
        ({"no_worse_accuracy": 0.01}, "accuracy", 0.56, 0.57, True),
        ({"no_worse_accuracy": 0.01}, "accuracy", 0.55, 0.57, False),
        ({"no_worse_accuracy": 0}, "accuracy", 0.57, 0.57, True),
        ({"no_worse_loss": 0.1}, "loss", 0.6, 0.5, True),
        ({"no_worse_loss": 0.1}, "loss", 0.61, 0.5, False),
    ],
)
def test_gains_are_reckoned_in_decimals_and_in_the_metrics_direction(
    requirement: dict[str, float], name: str, ours: float, theirs: float, passed: bool
) -> None:
    found = result(measured(metric(name, ours)), requirement, incumbent=rival(metric(name, theirs)))
    assert found.passed is passed
    assert str(theirs) in found.reason


def test_without_an_incumbent_there_is_nothing_to_beat() -> None:
    found = result(measured(metric("accuracy", 0.1)), {"improves_accuracy": 0.5})
    assert found.passed
    assert found.reason == "there is no incumbent to compare with"


def test_an_unknown_direction_fails_until_it_is_recorded() -> None:
    unknown = measured(metric("fairness", 0.9))
    incumbent = rival(metric("fairness", 0.8))
    found = result(unknown, {"improves_fairness": 0.05}, incumbent=incumbent)
    assert not found.passed
    assert "higher_is_better" in found.reason
    told = measured(metric("fairness", 0.9, higher_is_better=True))
    assert result(told, {"improves_fairness": 0.05}, incumbent=incumbent).passed


@pytest.mark.parametrize(
    ("theirs", "reason"),
    [
        ((), "the incumbent has no accuracy[test]"),
        ((metric("accuracy", 0.1, split="train"),), "the incumbent has no accuracy[test]"),
        ((metric("accuracy", math.nan, split="test"),), "the incumbent has NaN as accuracy[test]"),
    ],
)
def test_unlike_values_are_not_compared(theirs: tuple[Metric, ...], reason: str) -> None:
    ours = measured(metric("accuracy", 0.9, split="test"))
    found = result(ours, {"improves_accuracy": 0.1}, incumbent=rival(*theirs))
    assert (found.passed, found.reason) == (False, reason)


# --- other facts ---


@pytest.mark.parametrize(
    ("requirement", "check"),
    [
        ({"tests_passed": True}, "tests_passed"),
        ({"validation_required": True}, "validation"),
        ({"bias": True}, "bias"),
    ],
)
def test_a_check_has_to_be_recorded_and_to_have_passed(requirement: dict[str, bool], check: str) -> None:
    assert result(version(), requirement).reason == f"no check '{check}' is recorded"
    for passed in (True, False):
        recorded = version(checks={check: Check(name=check, passed=passed, at=NOW, by="ci")})
        found = result(recorded, requirement)
        assert (found.passed, found.observed) == (passed, passed)
        assert found.origin == f"check {check}, recorded 2026-03-01T12:00:00+00:00 by ci"
        assert bool(found.reason) is not passed


def test_who_recorded_a_fact_is_left_out_where_nobody_knows() -> None:
    anonymous = version(checks={"bias": Check(name="bias", passed=True, at=NOW)})
    assert result(anonymous, {"bias": True}).origin.endswith("+00:00")


def test_incomplete_documentation_names_the_missing_fields() -> None:
    requirement = {"documentation_complete": True}
    found = result(version(description="a"), requirement)
    assert found.reason == "the model card lacks intended_use, training_data, metrics, owner"
    assert found.observed == {"missing": ["intended_use", "training_data", "metrics", "owner"]}
    complete = version(card={"license": "MIT"}, card_version=3)
    found = result(complete, requirement, card_fields=("license",))
    assert (found.passed, found.observed, found.origin) == (True, True, "model card, version 3")


def test_age_counts_from_registration_to_the_moment_of_the_case() -> None:
    assert result(version(), {"max_age_days": 10}).passed
    found = result(version(), {"max_age_days": 9.5})
    assert (found.passed, found.observed) == (False, 10.0)
    assert found.reason == "it is 10.0 days old, more than 9.5"


@pytest.mark.parametrize(
    ("ours", "theirs", "passed", "reason"),
    [
        (None, None, False, "no signature is recorded"),
        (SIGNATURE, None, True, "there is no incumbent to compare with"),
        (SIGNATURE, rival(), False, "the incumbent has no signature"),
        (SIGNATURE, rival(signature=SIGNATURE), True, ""),
        (WIDER, rival(signature=SIGNATURE), True, ""),
        (SIGNATURE, rival(signature=WIDER), False, "input 'x': type narrowed from float64 to int64"),
        (
            {"inputs": SIGNATURE["inputs"]},
            rival(signature=SIGNATURE),
            False,
            "outputs are not described, as the incumbent's are",
        ),
        (
            {"outputs": []},
            rival(signature=SIGNATURE),
            False,
            "output 'y': removed; inputs are not described, as the incumbent's are",
        ),
    ],
)
def test_signatures_are_compared_and_a_missing_one_fails(
    ours: Any, theirs: ModelVersion | None, passed: bool, reason: str
) -> None:
    found = result(version(signature=ours), {"signature_compatible": True}, incumbent=theirs)
    assert (found.passed, found.reason) == (passed, reason)


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (SIGNATURE, ""),
        (None, "the signature lacks inputs and outputs"),
        ({"inputs": SIGNATURE["inputs"]}, "the signature lacks outputs"),
        ({**SIGNATURE, "outputs": []}, "the signature lacks outputs"),
        ({"columns": ["x"]}, "the signature lacks inputs and outputs"),
        (
            {"inputs": [{"type": "any"}], "outputs": [{"name": "y", "type": "any"}]},
            "nobody stated the type of '', 'y'",
        ),
    ],
)
def test_a_documented_schema_has_inputs_and_outputs(signature: Any, reason: str) -> None:
    found = result(version(signature=signature), {"schema_documented": True})
    assert (found.passed, found.reason) == (not reason, reason)


def test_approvals_count_people_and_none_is_said_to_be_none() -> None:
    assert result(version(), {"approvals": 2}).reason == "no approval is recorded, needed are 2"
    assert not result(version(), {"approvals": 2}, approvals=("bob", "bob")).passed
    found = result(version(), {"approvals": 2}, approvals=("eve", "bob"))
    assert (found.passed, found.observed, found.origin) == (True, 2, "approved by bob, eve")


def test_one_signature_of_a_listed_identity_is_enough() -> None:
    requirement = {"signed_by": ["ann", "bob"]}
    assert result(version(), requirement).reason == "no signature is verified, needed is one by ann or bob"
    assert (
        result(version(), requirement, signers=("eve",)).reason
        == "signed by eve, needed is one by ann or bob"
    )
    assert result(version(), {"signed_by": "bob"}, signers=("eve", "bob")).passed


# --- scans ---

FILE = FileEntry(path="model.joblib", size=1, digest="sha256:ab")


def scanned(verdict: str, key: str = "model.joblib", **facts: Any) -> ModelVersion:
    report = ScanReport(verdict=verdict, reasons=("posix.system",))
    return version(files=(FILE,), scans={key: report}, **facts)


@pytest.mark.parametrize("level", ["clean", "unknown"])
@pytest.mark.parametrize("verdict", ["clean", "unknown", "error", "unsafe"])
def test_no_file_may_be_judged_worse_than_asked(verdict: str, level: str) -> None:
    found = result(scanned(verdict), {"scan": level})
    assert found.passed is (verdict in {"clean", level})
    assert found.observed == verdict
    assert ("posix.system" in found.reason) is not found.passed


def test_a_file_that_nobody_judged_is_unknown() -> None:
    assert result(version(files=(FILE,)), {"scan": "clean"}).reason == "the scan's verdict is unknown"
    assert result(version(), {"scan": "clean"}).passed
    assert result(scanned("clean", key="sha256:ab"), {"scan": "clean"}).passed


@pytest.mark.parametrize("verdict", ["unsafe", "error"])
@pytest.mark.parametrize("target", [ModelStage.TESTING, ModelStage.STAGING, ModelStage.PRODUCTION])
def test_what_is_judged_unsafe_cannot_leave_development(verdict: str, target: ModelStage) -> None:
    found = judge(case(scanned(verdict), target=target))
    assert not found.passed
    assert found.rules[0].rule == "not_unsafe"
    assert f"the scan's verdict is {verdict} (posix.system)" in found.reasons[0]
    assert found.reasons[0].startswith("not_unsafe (registry): ")


@pytest.mark.parametrize(
    ("current", "target", "passed"),
    [
        (ModelStage.DEVELOPMENT, ModelStage.ARCHIVED, True),
        (ModelStage.STAGING, ModelStage.DEVELOPMENT, True),
        (ModelStage.PRODUCTION, ModelStage.STAGING, True),
        (ModelStage.PRODUCTION, ModelStage.DEPRECATED, True),
        (ModelStage.STAGING, ModelStage.PRODUCTION, False),
        (ModelStage.DEPRECATED, ModelStage.PRODUCTION, False),
        (ModelStage.ARCHIVED, ModelStage.PRODUCTION, False),
    ],
)
def test_what_is_judged_unsafe_later_cannot_rise_but_may_come_down(
    current: ModelStage, target: ModelStage, passed: bool
) -> None:
    assert judge(case(scanned("unsafe", stage=current), target=target)).passed is passed


def test_an_unknown_scan_passes_with_a_warning() -> None:
    found = judge(case(scanned("unknown")))
    assert found.passed
    assert found.warnings == ("Some files could not be judged safe: the scan's verdict is unknown.",)
    assert judge(case(scanned("clean"))).warnings == ()
    assert judge(case(scanned("unknown"), target=ModelStage.ARCHIVED)).warnings == ()


# --- withdrawn ---

GONE = Withdrawal(reason="it leaks", at=NOW, by="ann")


def test_what_was_withdrawn_does_not_go_live_and_may_go_anywhere_else() -> None:
    found = judge(case(version(withdrawn=GONE)))
    assert [(r.rule, r.passed) for r in found.rules] == [("not_unsafe", True), ("not_withdrawn", False)]
    assert "it was withdrawn: it leaks" in found.reasons[0]
    assert found.warnings == ("The version was withdrawn: it leaks",)
    for target in (ModelStage.STAGING, ModelStage.DEPRECATED, ModelStage.ARCHIVED):
        assert judge(case(version(withdrawn=GONE), target=target)).passed


def test_who_insists_may_let_a_withdrawn_version_go_live_with_a_warning() -> None:
    found = judge(case(version(withdrawn=GONE), forced=True))
    assert (found.passed, len(found.warnings)) == (True, 1)
    assert judge(case(version(), forced=True)).warnings == ()


def test_insisting_opens_nothing_else() -> None:
    assert not judge(case(scanned("unsafe"), forced=True)).passed
    assert not judge(case(version(), {"tests_passed": True}, forced=True)).passed


# --- the verdict ---


def test_one_failure_fails_the_whole_and_the_refusal_lists_every_one() -> None:
    candidate = measured(metric("accuracy", 0.9))
    policy = parse_requirements({"min_accuracy": 0.95, "tests_passed": True})
    caller = parse_requirements({"min_accuracy": 0.5}, "caller")
    found = judge(replace(case(candidate), requirements=policy + caller))
    assert [(r.rule, r.source, r.passed) for r in found.rules] == [
        ("not_unsafe", "registry", True),
        ("min_accuracy", "policy", False),
        ("tests_passed", "policy", False),
        ("min_accuracy", "caller", True),
    ]
    error = refusal(found, "fraud:0.2.0")
    assert isinstance(error, GateRefused)
    assert error.reasons == found.reasons
    assert error.detail == "fraud:0.2.0 may not go to production: 2 gates failed"
    assert str(error).splitlines()[1:] == [f"  - {reason}" for reason in found.reasons]
    assert error.data["verdict"] == found.to_mapping()
    assert "1 gate failed" in refusal(judge(case(candidate, {"bias": True})), "x").detail


requirements = st.fixed_dictionaries(
    {},
    optional={
        "min_a": st.floats(-2, 2),
        "max_a": st.floats(-2, 2),
        "improves_a": st.floats(0, 2),
        "no_worse_a": st.floats(0, 2),
        "max_age_days": st.floats(0, 20),
        "signature_compatible": st.booleans(),
        "approvals": st.integers(0, 2),
        "signed_by": st.just(["ann"]),
        "scan": st.sampled_from(["clean", "unknown"]),
        "documentation_complete": st.booleans(),
        "anything": st.booleans(),
    },
)
candidates = st.builds(
    lambda value, verdict: replace(scanned(verdict), metrics=(metric("a", value, higher_is_better=True),)),
    st.floats(-2, 2) | st.just(math.nan),
    st.sampled_from(["clean", "unknown", "error", "unsafe"]),
)


@given(candidates, requirements, st.none() | candidates, st.sampled_from(ModelStage))
def test_a_verdict_survives_json_and_is_the_same_every_time(
    candidate: ModelVersion, asked: dict[str, Any], incumbent: ModelVersion | None, target: ModelStage
) -> None:
    """Same case, same verdict; written as strict JSON and read back, it is equal."""
    judged = case(candidate, asked, incumbent=incumbent, target=target)
    verdict = judge(judged)
    assert judge(judged) == verdict
    assert Verdict.from_mapping(json.loads(json.dumps(verdict.to_mapping(), allow_nan=False))) == verdict
    assert verdict.passed == (not verdict.reasons)
    assert pickle.loads(pickle.dumps(verdict)) == verdict


@given(candidates, requirements, requirements)
def test_more_requirements_never_let_more_pass(
    candidate: ModelVersion, asked: dict[str, Any], added: dict[str, Any]
) -> None:
    """What a caller adds can refuse a promotion, and never permits one."""
    few = judge(case(candidate, asked))
    many = replace(case(candidate, asked), requirements=parse_requirements(asked) + parse_requirements(added))
    assert few.passed or not judge(many).passed


# --- reading ---


def test_what_asks_for_nothing_is_left_out() -> None:
    assert parse_requirements(None) == ()
    assert parse_requirements({"tests_passed": False, "approvals": 0, "bias": False}) == ()
    assert [r.key for r in parse_requirements({"min_accuracy": 0, "max_age_days": 0})] == [
        "min_accuracy",
        "max_age_days",
    ]


@pytest.mark.parametrize(
    ("given_requirements", "message"),
    [
        ({"accuracy": 0.9}, "Did you mean 'min_accuracy' or 'max_accuracy'"),
        ({"aproval": 2}, "Did you mean 'approvals'"),
        ({"tests_passd": True}, "Did you mean 'tests_passed'"),
        ({"min_": 0.9}, "is not known"),
        ({"quality": "good"}, "'quality' with 'good' is not known: expected min_<metric>"),
        ({"min_accuracy": "0.9"}, "'min_accuracy': expected a number, found '0.9'"),
        ({"min_accuracy": True}, "'min_accuracy': expected a number, found True"),
        ({"min_accuracy": math.nan}, "'min_accuracy': expected a number, found NaN"),
        ({"min_accuracy": math.inf}, "'min_accuracy': expected a finite number"),
        ({"improves_accuracy": -0.1}, "'improves_accuracy': expected a number of at least 0"),
        ({"approvals": 1.5}, "'approvals': expected a whole number"),
        ({"approvals": -1}, "'approvals': expected a number of at least 0"),
        ({"tests_passed": "yes"}, "'tests_passed': expected true or false, found 'yes'"),
        ({"signed_by": []}, "'signed_by': expected a list of names"),
        ({"signed_by": [7]}, "'signed_by': expected a list of names"),
        ({"signed_by": 7}, "'signed_by': expected a list of names"),
        ({"scan": "unsafe"}, "'scan': expected 'clean' or 'unknown', found 'unsafe'"),
        ({"not_unsafe": 0.5}, "is not known"),
        ({"not_withdrawn": 0.5}, "is not known"),
        ({7: True}, "Requirement 7: expected a name"),
        ({" ": True}, "expected a name"),
        ({"a\nb": True}, "expected a name"),
        ([("min_accuracy", 1)], "expected a mapping"),
    ],
)
def test_a_requirement_that_cannot_be_understood_is_refused_by_name(
    given_requirements: Any, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        parse_requirements(given_requirements, "caller")
    assert not isinstance(caught.value, InvalidPolicy)
    with pytest.raises(InvalidPolicy, match=message):
        parse_requirements(given_requirements, "policy")


def test_every_kind_tells_people_what_it_means() -> None:
    assert all(kind.meaning.endswith(".") for kind in KINDS.values())


def test_a_near_miss_is_told_with_as_many_digits_as_it_takes():
    near = result(measured(metric("accuracy", 0.8499999)), {"min_accuracy": 0.85})
    assert near.reason == "accuracy is 0.8499999, below 0.85"
    nearest = result(measured(metric("accuracy", 0.8499999999999)), {"min_accuracy": 0.85})
    assert nearest.reason == "accuracy is 0.8499999999999, below 0.85"
