"""Facts that may change after registration, and those that never do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from modelyard.domain.errors import (
    Conflict,
    InvalidInput,
)
from modelyard.domain.records import Model
from modelyard.ports import service as ask
from modelyard.ports.service import RegistryService
from modelyard.testing.clock import SettableClock
from modelyard.testing.service_room import (
    HARMLESS,
    STAGING,
    ServiceRoom,
)


class Facts(ServiceRoom):
    """What may be changed after registration, and what never is."""

    def test_metrics_append_and_the_latest_is_the_value(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        self.make(service, metrics={"accuracy": 0.8})
        clock.advance(seconds=1)
        now = service.record_metrics(ask.RecordMetrics(ref="fraud", metrics={"accuracy": 0.9}))
        assert [m.value for m in now.metrics] == [0.8, 0.9]
        assert now.performance_metrics == {"accuracy": 0.9}
        assert (now.metrics[-1].at, now.metrics[-1].by) == (clock.now(), "ann")
        last = self.log(service)[-1]
        key = "version:1.metrics.accuracy"
        assert (last.action, last.before[key], last.after[key]) == ("version.measured", 0.8, 0.9)

    def test_checks_are_recorded_with_author_and_evidence(self, service: RegistryService) -> None:
        self.make(service)
        for passed in (False, True):
            request = ask.RecordCheck(ref="fraud", check="tests_passed", passed=passed, evidence={"run": 7})
            service.record_check(request)
        check = service.get_version("fraud").checks["tests_passed"]
        assert (check.passed, check.by, check.evidence) == (True, "ann", {"run": 7})
        assert self.log(service)[-1].before == {"version:1.checks.tests_passed": False}

    def test_a_check_is_yes_or_no(self, service: RegistryService) -> None:
        self.make(service)
        maybe: Any = "yes"
        with self.refused(service, InvalidInput, "true or false"):
            service.record_check(ask.RecordCheck(ref="fraud", check="tests_passed", passed=maybe))

    def test_descriptive_facts_change_in_one_step_and_one_event(self, service: RegistryService) -> None:
        self.make(service, tags={"team": "risk", "old": "x"}, card={"owner": "ann"})
        sequence = self.log(service)[-1].sequence
        service.annotate(
            ask.Annotate(
                ref="fraud",
                tags={"team": "fraud", "old": None},
                attributes={"a": {"b": 1}},
                description="better",
                card={"intended_use": "cards"},
                legal_hold="case 7",
            )
        )
        now = service.get_version("fraud")
        assert (now.tags, now.attributes, now.description) == ({"team": "fraud"}, {"a": {"b": 1}}, "better")
        assert (now.card, now.card_version, now.legal_hold) == (
            {"owner": "ann", "intended_use": "cards"},
            2,
            "case 7",
        )
        assert [e.sequence for e in self.log(service)] == list(range(1, sequence + 2))

    def test_saying_what_is_so_already_writes_nothing(self, service: RegistryService) -> None:
        self.make(service, tags={"team": "risk"}, card={"owner": "ann"}, description="x")
        before = self.snapshot(service)
        same = ask.Annotate(ref="fraud", tags={"team": "risk"}, card={"owner": "ann"}, description="x")
        service.annotate(same)
        service.annotate(ask.Annotate(ref="fraud", whole_model=True, description=""))
        service.record_metrics(ask.RecordMetrics(ref="fraud", metrics={}))
        assert self.snapshot(service) == before

    def test_a_model_as_a_whole_has_description_and_tags(self, service: RegistryService) -> None:
        self.make(service)
        request = ask.Annotate(
            ref="fraud", whole_model=True, description="all of them", tags={"team": "risk"}
        )
        model = service.annotate(request)
        assert isinstance(model, Model)
        assert service.get_model("fraud") == model
        assert (model.description, model.tags) == ("all of them", {"team": "risk"})
        assert self.log(service)[-1].subject == "model"

    @pytest.mark.parametrize("change", ["metrics", "annotate", "model"])
    def test_a_stale_revision_is_a_conflict(self, service: RegistryService, change: str) -> None:
        made = self.make(service)
        calls: dict[str, Callable[[], object]] = {
            "metrics": lambda: service.record_metrics(
                ask.RecordMetrics(ref="fraud", metrics={"a": 1}, revision=made.revision)
            ),
            "annotate": lambda: service.annotate(
                ask.Annotate(ref="fraud", description="late", revision=made.revision)
            ),
            "model": lambda: service.annotate(
                ask.Annotate(ref="fraud", description="late", revision=1, whole_model=True)
            ),
        }
        service.annotate(ask.Annotate(ref="fraud", tags={"a": "b"}, revision=made.revision))
        with self.refused(service, Conflict, "read it again"):
            calls[change]()

    @pytest.mark.parametrize(
        "change",
        [
            {"tags": {"a": 1}},
            {"attributes": {"": 1}},
            {"attributes": {"a": object()}},
            {"description": "x" * 100_001},
            {"card": {"owner": object()}},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_a_malformed_change_is_refused(self, service: RegistryService, change: dict[str, Any]) -> None:
        self.make(service)
        with self.refused(service, InvalidInput):
            service.annotate(ask.Annotate(ref="fraud", **change))

    @pytest.mark.parametrize(
        ("fact", "value"),
        [
            ("description", "x" * 100_001),
            ("override_reason", "x" * 10_001),
            ("legal_hold", "x" * 10_001),
            ("tags", {"team": "x" * 5_001}),
            ("attributes", {"a": "x" * 1_000_000}),
            ("hyperparams", {"a": ["x" * 1_000] * 1_000}),
            ("data_lineage", {"dataset": "x" * 1_000_000}),
            ("evidence", {"log": "x" * 1_000_000}),
        ],
        ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
    )
    def test_what_is_too_large_is_refused_by_name(
        self, service: RegistryService, fact: str, value: Any
    ) -> None:
        self.make(service)
        named = "tag 'team'" if fact == "tags" else fact
        if fact not in ("legal_hold", "evidence"):
            with self.refused(service, InvalidInput, f"^{named}: expected at most [0-9]+ (characters|bytes)"):
                self.make(service, **{fact: value})
        if fact in ("legal_hold", "description", "attributes", "tags"):
            with self.refused(service, InvalidInput, f"^{named}: expected at most"):
                service.annotate(ask.Annotate(ref="fraud", **{fact: value}))
        if fact == "evidence":
            with self.refused(service, InvalidInput, f"^{named}: expected at most"):
                service.record_check(ask.RecordCheck(ref="fraud", check="ok", passed=True, evidence=value))

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), {"value": float("nan"), "n": 5}, "NaN"])
    def test_a_metric_that_is_not_finite_is_refused_with_name_and_value(
        self, service: RegistryService, value: Any
    ) -> None:
        self.make(service)
        metrics = {"accuracy": 0.5, "loss": value}
        said = "Metric 'loss': expected a (finite )?number, found (NaN|inf|'Infinity')"
        with self.refused(service, InvalidInput, said):
            self.make(service, metrics=metrics)
        with self.refused(service, InvalidInput, said):
            service.record_metrics(ask.RecordMetrics(ref="fraud", metrics=metrics))

    def test_nothing_changes_what_a_version_is(self, service: RegistryService) -> None:
        made = self.make(service, data=HARMLESS, version="1.0.0", hyperparams={"c": 1})
        service.record_metrics(ask.RecordMetrics(ref="fraud", metrics={"a": 1}))
        service.record_check(ask.RecordCheck(ref="fraud", check="ok", passed=True))
        service.annotate(ask.Annotate(ref="fraud", tags={"a": "b"}, description="y", card={"owner": "bob"}))
        self.move(service, "fraud", STAGING)
        self.alias(service, "1.0.0")
        now = service.get_version("fraud")
        frozen = (
            "model_id",
            "number",
            "version",
            "created_at",
            "files",
            "hyperparams",
            "digest",
            "content_digest",
        )
        assert {f: getattr(now, f) for f in frozen} == {f: getattr(made, f) for f in frozen}
