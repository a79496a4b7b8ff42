"""What a stage is to those who ask for it, believe something of it, stand in it or have to leave it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from modelyard.domain.errors import (
    AliasNotFound,
    InvalidInput,
    InvalidRef,
    NotAllowed,
    Protected,
    TransitionNotAllowed,
)
from modelyard.ports import service as ask
from modelyard.ports.service import RegistryService
from modelyard.testing.service_room import ARCHIVED, PRODUCTION, STAGING, ServiceRoom

CALLS: dict[str, Callable[[RegistryService, Any], object]] = {
    "promote": lambda s, why: s.promote(ask.Promote(ref="fraud#3", target=STAGING, reason=why)),
    "roll back": lambda s, why: s.roll_back(ask.RollBack(ref="fraud", reason=why)),
    "set alias": lambda s, why: s.set_alias(ask.SetAlias(model="fraud", alias="blue", ref="#1", reason=why)),
    "delete alias": lambda s, why: s.delete_alias(ask.DeleteAlias(model="fraud", alias="old", reason=why)),
    "protect": lambda s, why: s.protect_alias(ask.ProtectAlias(model="fraud", alias="old", reason=why)),
    "set policy": lambda s, why: s.set_policy(ask.SetPolicy(model="fraud", policy={}, reason=why)),
    "delete": lambda s, why: s.delete(ask.Delete(ref="fraud#3", reason=why)),
}


class Holding(ServiceRoom):
    """Stages as pointers, and the reasons that moves leave behind."""

    def busy(self, service: RegistryService) -> None:
        """Two versions that were live, one that was not, and an alias."""
        self.live(service, data=b"one")
        self.live(service, data=b"two")
        self.make(service)
        self.alias(service, "#1", "old")

    @pytest.mark.parametrize("call", CALLS)
    def test_no_reason_is_an_empty_one(self, service: RegistryService, call: str) -> None:
        self.busy(service)
        CALLS[call](service, None)
        assert self.log(service)[-1].reason == ""
        assert service.verify_audit().ok

    @pytest.mark.parametrize("call", CALLS)
    @pytest.mark.parametrize("reason", [5, b"because", ["a"], "x" * 10_001, "nul\x00"])
    def test_a_reason_is_a_text(self, service: RegistryService, call: str, reason: Any) -> None:
        self.busy(service)
        with self.refused(service, InvalidInput, "reason"):
            CALLS[call](service, reason)

    def test_what_is_expected_is_a_version_of_the_same_model(self, service: RegistryService) -> None:
        self.live(service)
        self.make(service)
        self.make(service, "other")
        with self.refused(service, NotAllowed, "not of 'fraud'"):
            self.move(service, "fraud#2", PRODUCTION, expected="other#1")
        self.alias(service, "#1")
        with self.refused(service, NotAllowed, "not of 'fraud'"):
            service.set_alias(ask.SetAlias(model="fraud", alias="champion", ref="#2", expected="other#1"))

    def test_nothing_can_be_expected_of_a_stage_of_many(self, service: RegistryService) -> None:
        self.live(service)
        self.make(service)
        with self.refused(service, InvalidInput, "archived is not a pointer"):
            self.move(service, "fraud#2", ARCHIVED, expected="fraud#1")

    def test_a_stage_of_many_names_the_newest_that_stands_in_it(self, service: RegistryService) -> None:
        for _ in range(3):
            self.make(service)
        assert self.holder(service, "fraud@development") == 3
        self.move(service, "fraud#3", ARCHIVED)
        assert (self.holder(service, "fraud@development"), self.holder(service, "fraud@Archived")) == (2, 3)
        with pytest.raises(AliasNotFound, match="deprecated"):
            service.get_version("fraud@deprecated")
        with pytest.raises(InvalidRef, match="no history"):
            service.get_version("fraud@development~1")

    def test_a_stage_that_the_policy_protects_keeps_its_versions(self, service: RegistryService) -> None:
        self.make(service)
        self.move(service, "fraud#1", STAGING)
        self.policy(service, protected_stages=["staging"])
        with self.refused(service, Protected, "deleted") as caught:
            service.delete(ask.Delete(ref="fraud"))
        assert caught.value.reasons == ("stage 'staging', which the policy protects",)
        service.delete(ask.Delete(ref="fraud", force=True, reason="a mistake"))

    def test_nothing_goes_live_whose_bytes_are_damaged(self, service: RegistryService) -> None:
        made = self.make(service, data=b"one")
        self.damage(service, made.files[0].digest, b"?")
        with self.refused(service, NotAllowed, "not intact"):
            self.move(service, "fraud", PRODUCTION)
        self.move(service, "fraud", STAGING)

    def test_a_holder_leaves_a_stage_only_as_the_table_lets_it(self, service: RegistryService) -> None:
        self.make(service)
        self.make(service)
        self.move(service, "fraud#1", STAGING)
        self.policy(
            service,
            holders={"staging": 1},
            transitions={"development": ["staging"], "staging": ["production"], "production": ["deprecated"]},
        )
        with self.refused(service, TransitionNotAllowed, "the present holder fraud:0.1.0"):
            self.move(service, "fraud#2", STAGING)

    def test_an_alias_that_never_was_has_no_past(self, service: RegistryService) -> None:
        self.live(service)
        now = self.log(service)[-1].at
        with pytest.raises(AliasNotFound, match="never had"):
            service.as_of(ask.AsOf(model="fraud", at=now, pointer="champoin"))
        with pytest.raises(InvalidInput, match="latest is computed"):
            service.as_of(ask.AsOf(model="fraud", at=now, pointer="latest"))

    @pytest.mark.parametrize("days", [-1, float("nan")])
    def test_retention_looks_back_not_ahead(self, service: RegistryService, days: Any) -> None:
        self.make(service)
        self.move(service, "fraud", ARCHIVED)
        with self.refused(service, InvalidInput, "older_than_days"):
            service.retire(ask.Retire(older_than_days=days))
