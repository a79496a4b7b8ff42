"""Proof that the history was not rewritten, against someone who holds the whole database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from modelyard.domain import events
from modelyard.domain.records import Event, Model
from modelyard.ports import service as ask
from modelyard.ports.service import RegistryService
from modelyard.testing.service_room import PRODUCTION, ServiceRoom

Log = list[Event]


def edited(log: Log) -> Log:
    """A field of one entry is changed."""
    return [*log[:2], replace(log[2], actor="mallory"), *log[3:]]


def deleted(log: Log) -> Log:
    """One entry is taken out."""
    return [*log[:2], *log[3:]]


def inserted(log: Log) -> Log:
    """An entry is put in, and the later ones renumbered."""
    return [*log[:2], *(replace(event, sequence=event.sequence + 1) for event in log[1:])]


def swapped(log: Log) -> Log:
    """Two entries change places."""
    return [*log[:2], replace(log[3], sequence=3), replace(log[2], sequence=4), *log[4:]]


def rehashed(log: Log) -> Log:
    """One entry is changed and its own hash computed anew."""
    return [*log[:2], signed(replace(log[2], actor="mallory")), *log[3:]]


def forged(log: Log) -> Log:
    """The whole chain is written anew, each hash following from the one before."""
    made: Log = []
    for event in log:
        previous = made[-1].hash if made else events.GENESIS
        made.append(signed(replace(event, actor="mallory", previous_hash=previous)))
    return made


def cut(log: Log) -> Log:
    """The last entries are gone."""
    return log[:-2]


def signed(event: Event) -> Event:
    """The event with the hash that its content calls for."""
    return replace(event, hash=events.event_hash(event))


class Auditing(ServiceRoom):
    """``verify_audit``."""

    def six(self, service: RegistryService) -> tuple[Model, Log]:
        """Six events; returns the record and the chain."""
        for _ in range(2):
            self.live(service)
        self.alias(service, "#2")
        self.move(service, "fraud#1", service.get_version("fraud#1").stage)
        service.annotate(ask.Annotate(ref="fraud", description="x"))
        return service.get_model("fraud"), list(self.log(service))

    def test_an_untouched_history_holds(self, service: RegistryService) -> None:
        _, log = self.six(service)
        self.make(service, "other")
        proof = service.verify_audit()
        assert (proof.ok, proof.chains, proof.breaks) == (True, 3, ())
        assert proof.events == len(log) + 1 + len(self.log(service, ""))

    def test_every_change_is_one_entry_that_follows_from_the_last(self, service: RegistryService) -> None:
        _, log = self.six(service)
        assert [event.sequence for event in log] == list(range(1, len(log) + 1))
        assert log[0].previous_hash == "0" * 64
        assert [b.previous_hash for b in log[1:]] == [a.hash for a in log[:-1]]
        assert events.first_break(log) is None

    @pytest.mark.parametrize(
        ("change", "sequence"),
        [(edited, 3), (deleted, 3), (inserted, 3), (swapped, 3), (rehashed, 4), (forged, None), (cut, None)],
        ids=lambda value: getattr(value, "__name__", ""),
    )
    def test_A65_a_rewritten_chain_is_found_and_the_first_bad_entry_named(
        self, service: RegistryService, change: Callable[[Log], Log], sequence: int | None
    ) -> None:
        model, log = self.six(service)
        self.rewrite(service, model, changed := change(log))
        proof = service.verify_audit()
        assert not proof.ok
        assert [b["model"] for b in proof.breaks] == ["fraud"]
        assert proof.breaks[0]["sequence"] == (sequence or len(changed) + 1)

    @pytest.mark.parametrize("change", [forged, cut], ids=lambda value: value.__name__)
    def test_A65_whoever_rewrites_the_head_too_is_found_by_a_root_kept_elsewhere(
        self, service: RegistryService, change: Callable[[Log], Log]
    ) -> None:
        model, log = self.six(service)
        root = service.verify_audit().root
        self.rewrite(service, model, log)
        assert service.verify_audit().root == root
        changed = change(log)
        head = replace(model, sequence=len(changed), head=changed[-1].hash, head_at=changed[-1].at)
        self.rewrite(service, head, changed)
        proof = service.verify_audit()
        assert proof.ok
        assert proof.root != root

    def test_A65_an_old_copy_put_back_is_found_by_a_root_kept_elsewhere(
        self, service: RegistryService
    ) -> None:
        model, log = self.six(service)
        old = service.verify_audit().root
        self.alias(service, "#1")
        new = service.verify_audit().root
        self.rewrite(service, model, log)
        assert old == service.verify_audit().root != new

    def test_time_never_goes_back_within_a_chain(self, service: RegistryService) -> None:
        clock = getattr(service, "clock", None)
        self.six(service)
        if clock is not None:
            clock.advance(days=-1)
        self.move(service, self.make(service).model_id, PRODUCTION)
        times = [event.at for event in self.log(service)]
        assert times == sorted(set(times))
