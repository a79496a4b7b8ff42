"""Aliases: named pointers that always name a version that exists."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard.domain.errors import (
    AliasNotFound,
    Conflict,
    InvalidName,
    NotAllowed,
    Protected,
)
from modelyard.ports import service as ask
from modelyard.ports.service import RegistryService
from modelyard.testing.service_room import ServiceRoom


class Aliasing(ServiceRoom):
    """``set_alias``, ``delete_alias``, ``protect_alias``."""

    def test_an_alias_names_one_version_and_the_version_knows(self, service: RegistryService) -> None:
        self.make(service)
        self.make(service)
        assert self.alias(service, "#1").aliases == ("champion",)
        assert self.alias(service, "#2").aliases == ("champion",)
        assert service.get_version("fraud#1").aliases == ()
        assert self.holder(service, "fraud@champion") == 2
        assert [e.after["alias:champion"] for e in self.log(service)[2:]] == [1, 2]

    def test_an_alias_may_come_with_the_registration(self, service: RegistryService) -> None:
        self.make(service, alias="champion")
        made = self.make(service, alias="champion")
        assert (made.aliases, service.get_version("fraud#1").aliases) == (("champion",), ())
        assert len(self.log(service)) == 2

    def test_pointing_where_it_points_writes_nothing(self, service: RegistryService) -> None:
        self.make(service, alias="champion")
        before = self.snapshot(service)
        self.alias(service, "#1")
        assert self.snapshot(service) == before

    @pytest.mark.parametrize(
        "name", ["latest", "main", "staging", "v7", "deadbeef", "sha256-x", "9a", "a b", ""]
    )
    def test_words_that_mean_something_else_are_no_aliases(self, service: RegistryService, name: str) -> None:
        self.make(service)
        with self.refused(service, InvalidName):
            self.alias(service, "#1", name)

    def test_an_alias_stays_within_its_model(self, service: RegistryService) -> None:
        self.make(service)
        stranger = self.make(service, "other")
        with self.refused(service, NotAllowed, "not of 'fraud'"):
            self.alias(service, stranger.model_id)

    def test_expected_makes_it_a_compare_and_set(self, service: RegistryService) -> None:
        self.make(service)
        self.make(service)
        self.alias(service, "#1", expected="")
        with self.refused(service, Conflict, "held by"):
            self.alias(service, "#2", expected="")
        with self.refused(service, Conflict):
            self.alias(service, "#2", expected="#2")
        assert self.alias(service, "#2", expected="#1").number == 2

    def test_a_protected_alias_moves_only_with_force_and_a_reason(self, service: RegistryService) -> None:
        self.make(service, alias="champion")
        self.make(service)
        service.protect_alias(ask.ProtectAlias(model="fraud", alias="champion"))
        for options in ({}, {"force": True}, {"reason": "x"}, {"force": True, "reason": "  "}):
            with self.refused(service, Protected):
                self.alias(service, "#2", **options)
            with self.refused(service, Protected):
                service.delete_alias(ask.DeleteAlias(model="fraud", alias="champion", **options))
        with self.refused(service, Protected):
            self.make(service, alias="champion")
        self.alias(service, "#2", force=True, reason="it is better")
        assert service.get_model("fraud").aliases["champion"].protected
        service.protect_alias(ask.ProtectAlias(model="fraud", alias="champion", protected=False))
        self.alias(service, "#1")

    def test_protecting_twice_writes_one_event(self, service: RegistryService) -> None:
        self.make(service, alias="champion")
        service.protect_alias(ask.ProtectAlias(model="fraud", alias="champion"))
        before = self.snapshot(service)
        service.protect_alias(ask.ProtectAlias(model="fraud", alias="champion"))
        assert self.snapshot(service) == before

    def test_a_deleted_alias_is_gone_and_its_version_is_not(self, service: RegistryService) -> None:
        self.make(service, alias="champion")
        service.delete_alias(ask.DeleteAlias(model="fraud", alias="champion", reason="no more"))
        assert service.get_version("fraud").aliases == ()
        assert self.log(service)[-1].after == {"alias:champion": None}
        for call in (service.delete_alias, service.protect_alias):
            kind: Any = ask.DeleteAlias if call == service.delete_alias else ask.ProtectAlias
            with self.refused(service, AliasNotFound, "it has: none"):
                call(kind(model="fraud", alias="champion"))
