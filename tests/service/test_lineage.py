"""Lineage where it is hard: thousands of versions, links made at the same moment, records from elsewhere."""

from __future__ import annotations

import itertools
import random
import time
from collections import deque
from dataclasses import replace

import pytest

from modelyard.adapters.metadata.memory import MemoryMetadata
from modelyard.adapters.metadata.sql import SqlMetadata
from modelyard.domain.errors import IntegrityError, NotAllowed, NotSupported
from modelyard.domain.records import LineageEdge, Source, Withdrawal
from modelyard.ports.metadata import Changes, EventQuery, SourceKey
from modelyard.ports.service import Check, Link, Reinstate, Trace, Withdraw
from modelyard.service import lineage, withdrawals
from modelyard.service.local import LocalService
from modelyard.testing.metadata import T0, a_model, a_version, put

from .shelf import make

MANY = 5_000
KINDS = ("parent", "fine_tuned_from", "merged_from", "distilled_from")


def web(seed: int) -> tuple[list, dict]:
    """Versions that come from one to three of those shortly before them and from a few data sets, and their origins."""
    chance = random.Random(seed)
    made, origins = [], {}
    for number in range(1, MANY + 1):
        near = range(max(1, number - 40), number)
        named = chance.sample(near, min(len(near), chance.randint(1, 3)))
        edges = [LineageEdge(kind=chance.choice(KINDS), target=a_version(n).model_id) for n in named]
        edges.append(LineageEdge(kind="dataset", target=f"d{chance.randint(0, 200)}"))
        made.append(a_version(number, lineage=tuple(edges)))
        origins[made[-1].model_id] = {edge.target for edge in edges}
    return made, origins


def reached(start: str, onward: dict) -> set[str]:
    """Everything that can be reached, by the simplest search there is."""
    seen, queue = {start}, deque([start])
    while queue:
        fresh = onward.get(queue.popleft(), set()) - seen
        seen |= fresh
        queue.extend(fresh)
    return seen


@pytest.fixture(params=["memory", "sqlite"])
def large(request, tmp_path, service):
    """The service over a store with thousands of versions, and their origins."""
    store = MemoryMetadata() if request.param == "memory" else SqlMetadata(tmp_path / "registry.db")
    store.migrate()
    made, origins = web(7)
    store.commit(Changes(puts=tuple(put(record) for record in (a_model(), *made))))
    yield (
        LocalService(
            store,
            service.blobs,
            service.manifests,
            clock=service.clock,
            scanner=service.scanner,
            actor=service.actor,
        ),
        origins,
    )
    store.close()


def test_thousands_of_versions_are_followed_as_a_reference_does_within_a_second(large):
    service, origins = large
    results: dict[str, set[str]] = {}
    for name, targets in origins.items():
        for target in targets:
            results.setdefault(target, set()).add(name)
    ids = [a_version(number).model_id for number in (1, 2, MANY // 2, MANY)]
    sizes = []
    for ref, direction in itertools.product(ids, ("up", "down")):
        times = []
        for _ in range(
            3
        ):  # other tests keep the processors busy, and their garbage may be collected meanwhile
            began = time.process_time()
            graph = service.lineage_graph(Trace(ref=ref, direction=direction))
            times.append(time.process_time() - began)
        assert min(times) < 1
        assert {node.target for node in graph.nodes} == reached(
            ref, origins if direction == "up" else results
        )
        sizes.append(len(graph.nodes))
    assert max(sizes) > MANY * 0.9


def test_a_line_of_thousands_is_followed_to_its_end(service, store):
    line = [a_version(1)]
    while len(line) < 2_000:
        edge = LineageEdge(kind="parent", target=line[-1].model_id)
        line.append(a_version(len(line) + 1, lineage=(edge,), parent=edge.target))
    store.commit(Changes(puts=tuple(put(record) for record in (a_model(), *line))))
    graph = service.lineage_graph(Trace(ref=line[-1].model_id, direction="up"))
    assert [node.number for node in graph.nodes] == list(range(2_000, 0, -1))
    with pytest.raises(NotAllowed, match="came from it"):
        service.link(Link(ref=line[0].model_id, kind="merged_from", target=line[-1].model_id))


def test_a_link_made_while_the_other_is_judged_is_seen(service, monkeypatch):
    """The decision has looked at every origin; before it is written, one of these gets an origin of its own."""
    one, two, three = (make(service).model_id for _ in range(3))
    service.link(Link(ref=two, kind="merged_from", target=three))
    real = service.store.commit

    def commit(changes):
        monkeypatch.setattr(service.store, "commit", real)
        service.link(Link(ref=three, kind="merged_from", target=one))
        real(changes)

    monkeypatch.setattr(service.store, "commit", commit)
    with pytest.raises(NotAllowed, match="came from it"):
        service.link(Link(ref=one, kind="merged_from", target=two))
    assert service.get_version(one).links == ()


def test_a_version_that_is_named_and_not_here_is_shown_as_missing(service, store):
    gone = LineageEdge(kind="parent", target="01zzzzzzzzzzzzzzzzzzzzzzzz")
    store.commit(Changes(puts=(put(a_model()), put(a_version(1, lineage=(gone,), parent=gone.target)))))
    graph = service.lineage_graph(Trace(ref="fraud#1"))
    assert [(node.label, node.missing) for node in graph.nodes] == [
        ("fraud:1.1.0", False),
        (gone.target, True),
    ]


def test_versions_from_elsewhere_that_close_a_circle_with_what_is_here_are_refused(service):
    here, between_both = make(service), make(service)
    service.link(Link(ref=here.model_id, kind="merged_from", target=between_both.model_id))
    elsewhere = a_version(9, "other", lineage=(LineageEdge(kind="parent", target=here.model_id),))
    guards = lineage.refuse_cycles(service, [elsewhere])
    assert {guard.key.model_id for guard in guards} == {here.model_id, between_both.model_id}
    changed = replace(
        service.get_version(between_both.model_id),
        links=(LineageEdge(kind="distilled_from", target=elsewhere.model_id),),
    )
    with pytest.raises(IntegrityError, match=r"came from .* came from .*nothing was imported"):
        lineage.refuse_cycles(service, [elsewhere, changed])


def test_withdrawn_sources_travel_with_the_versions_that_name_them(service):
    edges = (LineageEdge(kind="dataset", target="cards"), LineageEdge(kind="run", target="r1"))
    version = make(service, lineage=edges)
    make(service, name="other", lineage=(LineageEdge(kind="dataset", target="elsewhere"),))
    for target in ("cards", "elsewhere"):
        service.withdraw(Withdraw(target=target, kind="dataset", reason="consent expired"))
    (found,) = withdrawals.export_sources(service, [version])
    assert (found.kind, found.target, found.withdrawn.reason) == ("dataset", "cards", "consent expired")


def test_a_withdrawal_from_elsewhere_keeps_its_words_and_overrides_none(service):
    make(service, lineage=(LineageEdge(kind="dataset", target="cards"),))
    said = Withdrawal(reason="there", at=T0, by="bob")
    sources = [
        Source(kind="dataset", target="cards", withdrawn=said, revision=3),
        Source(kind="dataset", target="fine", revision=2),
    ]
    assert [withdrawals.import_sources(service, sources) for _ in range(2)] == [1, 0]
    assert service.affected("cards", "dataset").withdrawn == said
    service.withdraw(Withdraw(target="cards", kind="dataset", reason="here"))
    assert withdrawals.import_sources(service, sources) == 0
    assert service.affected("cards", "dataset").withdrawn.reason == "here"


def test_what_is_recorded_of_a_source_has_to_follow_from_the_events(service, store):
    make(service, lineage=(LineageEdge(kind="dataset", target="cards"), LineageEdge(kind="run", target="r")))
    for target, kind in (("cards", "dataset"), ("r", "run")):
        service.withdraw(Withdraw(target=target, kind=kind, reason="consent expired"))
    service.reinstate(Reinstate(target="r", kind="run"))
    assert service.check(Check()).findings == ()
    true = store.get(SourceKey("dataset", "cards"))
    store.commit(Changes(puts=(put(replace(true, withdrawn=None, revision=true.revision + 1)),)))
    (finding,) = service.check(Check()).findings
    assert (finding.kind, finding.subject) == ("history", "sources")
    assert "dataset cards" in finding.detail
    del store._records[SourceKey("dataset", "cards")]
    assert "there is no record" in service.check(Check()).findings[0].detail


def test_a_source_that_is_withdrawn_while_it_is_checked_is_no_finding(service, store, monkeypatch):
    make(service, lineage=(LineageEdge(kind="dataset", target="cards"),))
    real = store.find

    def find(query):
        page = real(query)
        if isinstance(query, EventQuery) and query.model_key == "":
            monkeypatch.setattr(store, "find", real)
            service.withdraw(Withdraw(target="cards", kind="dataset", reason="just now"))
        return page

    monkeypatch.setattr(store, "find", find)
    assert service.check(Check()).findings == ()
    assert service.affected("cards", "dataset").withdrawn is not None


def test_a_registry_without_a_record_of_itself_withdraws_no_source(service):
    empty = MemoryMetadata()
    edge = LineageEdge(kind="dataset", target="cards")
    empty.commit(Changes(puts=(put(a_model()), put(a_version(1, lineage=(edge,))))))
    service.store = empty
    with pytest.raises(NotSupported, match="no record of itself"):
        service.withdraw(Withdraw(target="cards", kind="dataset", reason="x"))
