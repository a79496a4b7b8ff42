"""Models whose histories differ: their versions come over one by one, under numbers of their own."""

from __future__ import annotations

from modelyard.domain.canonical import canonical
from modelyard.ports import service as ask
from modelyard.ports.service import RegistryService
from modelyard.testing.service_transfer import Carrying


class Renumbering(Carrying):
    """``import_`` into a model with another history; and what counts as new."""

    def test_another_history_gets_new_numbers_and_the_report_says_so(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.furnish(service)
        mine = self.make(other, data=b"mine", version="0.1.0")
        done = self.carry(service, other)
        assert (done.models, done.versions) == ({"fraud": "renumbered"}, 2)
        assert done.notes == (
            "fraud:0.1.0 (#1) is 0.1.1 (#2) here; it starts in development (deprecated there)",
            "fraud:0.1.1 (#2) is 0.1.2 (#3) here; it starts in development (production there)",
            "fraud:0.1.2 (#3) is deleted there and was not taken",
        )
        assert other.get_version("fraud#1") == mine
        assert (
            other.get_version("fraud#2").attributes["imported_from"]
            == service.get_version("fraud#1").model_id
        )
        assert self.carry(service, other).models == {"fraud": "unchanged"}
        assert other.verify_audit().ok

    def test_a_history_counts_as_taken_in_when_its_last_version_is(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        for label in ("1.0.0", "1.1.0"):
            self.make(service, version=label)
        self.make(other, version="9.0.0")
        self.carry(service, other)
        heads = [event.after.get("heads") for event in self.log(other, "")]
        assert heads == [None, {"fraud": service.get_model("fraud").head}]

    def test_a_withdrawal_arrives_although_the_histories_differ(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.make(service, version="1.0.0")
        self.carry(service, other)
        self.make(other, version="9.0.0")
        self.make(service, version="1.1.0")
        self.carry(service, other)
        for ref in ("fraud#1", "fraud#2"):
            service.withdraw(ask.Withdraw(target=ref, reason="leaks"))
        done = self.carry(service, other)
        assert done.models == {"fraud": "renumbered"}
        assert done.versions == 0
        assert done.notes == (
            "fraud:1.0.0 (#1) was withdrawn there and is withdrawn here now",
            "fraud:1.1.0 (#2) was withdrawn there and is withdrawn here now, as 1.1.0 (#3)",
        )
        for there, here in (("fraud#1", "fraud#1"), ("fraud#2", "fraud#3")):
            assert other.get_version(here).withdrawn == service.get_version(there).withdrawn
        assert other.verify_audit().ok
        assert other.check(ask.Check()).findings == ()
        assert self.carry(service, other).models == {"fraud": "unchanged"}

    def test_a_withdrawal_that_was_taken_back_here_is_not_brought_again(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.make(service, version="1.0.0")
        self.carry(service, other)
        self.make(other, version="9.0.0")
        service.withdraw(ask.Withdraw(target="fraud#1", reason="leaks"))
        self.carry(service, other)
        other.reinstate(ask.Reinstate(target="fraud#1", reason="a mistake"))
        assert self.carry(service, other).models == {"fraud": "unchanged"}
        assert other.get_version("fraud#1").withdrawn is None

    def test_only_versions_that_are_new_are_counted(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.furnish(service)
        self.carry(service, other)
        service.annotate(ask.Annotate(ref="fraud#1", tags={"team": "risk"}))
        done = self.carry(service, other)
        assert (done.models, done.versions) == ({"fraud": "forwarded"}, 0)
        head = service.get_model("fraud").head
        assert self.log(other, "")[-1].after == {
            "models": {"fraud": "forwarded"},
            "versions": 0,
            "heads": {"fraud": head},
        }
        self.make(service)
        assert self.carry(service, other).versions == 1

    def test_versions_with_equal_bytes_are_different_versions(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        for label in ("1.0.0", "1.1.0", "1.2.0"):
            self.make(service, version=label)
        self.make(other, version="9.0.0")
        done = other.import_(service.export())
        assert (done.models, done.versions) == ({"fraud": "renumbered"}, 3)
        assert [other.get_version(f"fraud#{n}").version for n in range(1, 5)] == [
            "9.0.0",
            "1.0.0",
            "1.1.0",
            "1.2.0",
        ]
        assert other.import_(service.export()).versions == 0
        assert service.import_(other.export()).versions == 1, "what came from here is not taken back"
        assert other.check(ask.Check()).findings == service.check(ask.Check()).findings == ()

    def test_a_renumbered_version_brings_all_its_facts(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.make(other, version="9.0.0")
        self.live_long(service)
        theirs = service.get_version("fraud#2")
        done = self.carry(service, other)
        assert (done.models, done.versions) == ({"fraud": "renumbered"}, 4)
        mine = self.taken_from(other, theirs)
        kept = (
            "metrics",
            "checks",
            "card",
            "tags",
            "description",
            "legal_hold",
            "override_reason",
            "hyperparams",
        )
        for fact in kept:
            assert canonical(getattr(mine, fact)) == canonical(getattr(theirs, fact)), fact
        assert mine.attributes == {**theirs.attributes, "imported_from": theirs.model_id}
        assert mine.stage.value == "development"
        parent = self.taken_from(other, service.get_version("fraud#1"))
        assert (mine.parent, mine.lineage[0].target) == (parent.model_id, parent.model_id)
        assert other.check(ask.Check()).findings == ()
        assert other.verify_audit().ok
        assert self.carry(service, other).versions == 0

    def test_an_import_says_where_each_renumbered_version_came_from(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        self.make(other)
        theirs = self.make(service)
        other.import_(service.export())
        event = self.log(other)[-1]
        assert (event.action, event.after["imported"]["model_id"]) == ("version.imported", theirs.model_id)

    def test_a_parent_that_is_not_here_is_told(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        base = self.make(service, "base")
        self.make(service, parent=base.model_id)
        self.make(other)
        bundle = service.export(["fraud"])
        assert other.import_(bundle).notes == (
            f"fraud:0.1.0 (#1) is 0.1.1 (#2) here; its parent {base.model_id} is not here",
        )
        assert other.get_version("fraud#2").parent is None

    def test_a_parent_in_another_model_that_is_here_stays_the_parent(
        self, service: RegistryService, other: RegistryService
    ) -> None:
        base = self.make(service, "base")
        self.make(service, parent=base.model_id)
        self.make(other)
        other.import_(service.export())
        assert other.get_version("fraud#2").parent == base.model_id
