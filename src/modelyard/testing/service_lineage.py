"""Lineage: links given and added, followed both ways, and refused where they would close a circle."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import (
    AlreadyExists,
    InvalidInput,
    NotAllowed,
    NotFound,
    VersionNotFound,
)
from modelyard.domain.lineage_graph import LineageGraph
from modelyard.domain.records import LineageEdge, ModelVersion
from modelyard.ports import service as ask
from modelyard.ports.service import RegistryService
from modelyard.testing.service_room import ServiceRoom, examples

ABSENT = "7zzzzzzzzzzzzzzzzzzzzzzzzz"
"""A ``model_id`` that no clock gives before the year 10889."""


def an_edge(kind: str, target: str, **details: Any) -> LineageEdge:
    return LineageEdge(kind=kind, target=target, details=details)


def labels(graph: LineageGraph) -> list[str]:
    """Nodes by what people call them, in order."""
    return [node.label for node in graph.nodes]


class Linking(ServiceRoom):
    """``create_version(lineage=...)``, ``link``, ``unlink``, ``lineage_graph``."""

    def link(self, service: RegistryService, ref: str, kind: str, target: str, **more: Any) -> ModelVersion:
        return service.link(ask.Link(ref=ref, kind=kind, target=target, **more))

    def trace(
        self, service: RegistryService, ref: str, direction: str = "both", depth: int | None = None
    ) -> LineageGraph:
        return service.lineage_graph(ask.Trace(ref=ref, direction=direction, depth=depth))

    # --- at registration ---

    def test_links_given_at_registration_are_kept_versions_by_their_id(
        self, service: RegistryService
    ) -> None:
        base = self.make(service)
        made = self.make(
            service,
            "churn",
            lineage=(an_edge("dataset", "cards", rows=10), an_edge("fine-tuned-from", "fraud:0.1.0")),
        )
        assert made.lineage == (
            an_edge("dataset", "cards", rows=10),
            an_edge("fine_tuned_from", base.model_id),
        )
        assert (made.links, made.parent) == ((), None)
        assert service.get_version(made.model_id) == made

    def test_a_parent_is_a_link_however_it_is_given(self, service: RegistryService) -> None:
        first = self.make(service)
        one = self.make(service, parent="fraud#1", lineage=(an_edge("dataset", "cards"),))
        other = self.make(service, lineage=(an_edge("dataset", "x"), an_edge("parent", "fraud#1", why="x")))
        both = self.make(service, parent="fraud#1", lineage=(an_edge("parent", first.model_id),))
        assert {v.parent for v in (one, other, both)} == {first.model_id}
        assert [e.kind for e in one.lineage] == ["parent", "dataset"]
        assert other.lineage[0] == an_edge("parent", first.model_id, why="x")
        assert len(both.lineage) == 1

    def test_facts_about_data_and_code_are_links_too(self, service: RegistryService) -> None:
        made = self.make(
            service,
            data_lineage={"dataset": "cards", "rows": 7},
            environment={"git": {"commit": "c0ffee", "branch": "main", "dirty": True}},
            lineage=(an_edge("dataset", "cards", rows=7),),
        )
        assert [(e.kind, e.target) for e in made.lineage] == [("dataset", "cards"), ("code", "c0ffee")]
        assert made.lineage[0].details == {"rows": 7}

    @pytest.mark.parametrize(
        ("facts", "says"),
        [
            ({"lineage": (an_edge("sibling", "x"),)}, "sibling"),
            ({"lineage": (an_edge("dataset", ""),)}, "lineage dataset"),
            ({"lineage": (an_edge("dataset", "x"),) * 2}, "given twice"),
            (
                {"parent": "fraud#1", "lineage": (an_edge("parent", "fraud#2"),)},
                "two parents",
            ),
        ],
    )
    def test_malformed_links_are_refused_by_name(
        self, service: RegistryService, facts: dict[str, Any], says: str
    ) -> None:
        self.make(service)
        self.make(service)
        with self.refused(service, InvalidInput, says):
            self.make(service, "churn", **facts)

    def test_a_link_to_a_version_that_is_not_there_is_refused(self, service: RegistryService) -> None:
        with self.refused(service, NotFound):
            self.make(service, lineage=(an_edge("merged_from", "nobody"),))

    def test_a_repeated_registration_may_not_say_more_about_its_origin(
        self, service: RegistryService
    ) -> None:
        made = self.make(service, version="1.0.0", lineage=(an_edge("dataset", "cards"),))
        again = self.make(service, version="1.0.0", lineage=(an_edge("dataset", "cards"),))
        assert again.model_id == made.model_id
        assert self.make(service, version="1.0.0").model_id == made.model_id
        with self.refused(service, AlreadyExists, "without the lineage dataset other"):
            self.make(service, version="1.0.0", lineage=(an_edge("dataset", "other"),))

    # --- later ---

    def test_a_link_added_later_stands_beside_the_frozen_ones(self, service: RegistryService) -> None:
        made = self.make(service, lineage=(an_edge("dataset", "cards"),))
        now = self.link(service, "fraud", "dataset", "more", details={"rows": 3}, reason="found out")
        assert (now.lineage, now.links) == (made.lineage, (an_edge("dataset", "more", rows=3),))
        assert (now.digest, now.edges) == (made.digest, (*made.lineage, *now.links))
        last = self.log(service)[-1]
        key = "version:1.links.dataset more"
        assert (last.action, last.before, last.after, last.reason) == (
            "version.linked",
            {key: None},
            {key: {"rows": 3}},
            "found out",
        )

    def test_the_same_link_again_changes_nothing(self, service: RegistryService) -> None:
        self.make(service, lineage=(an_edge("dataset", "cards", rows=1),))
        self.link(service, "fraud", "run", "r1", details={"at": "x"})
        before = self.snapshot(service)
        for details in ({}, {"at": "x"}):
            self.link(service, "fraud", "run", "r1", details=details)
        self.link(service, "fraud", "dataset", "cards")
        assert self.snapshot(service) == before

    def test_other_details_replace_a_later_link_and_never_a_frozen_one(
        self, service: RegistryService
    ) -> None:
        self.make(service, lineage=(an_edge("dataset", "cards", rows=1),))
        self.link(service, "fraud", "run", "r1")
        now = self.link(service, "fraud", "run", "r1", details={"at": "y"})
        assert now.links == (an_edge("run", "r1", at="y"),)
        with self.refused(service, AlreadyExists, "registered with dataset cards"):
            self.link(service, "fraud", "dataset", "cards", details={"rows": 2})

    def test_a_later_parent_is_followed_and_stays_the_only_one(self, service: RegistryService) -> None:
        first, second = self.make(service), self.make(service)
        self.link(service, "fraud#2", "parent", "fraud#1")
        assert [v.model_id for v in service.lineage("fraud#2")] == [first.model_id, second.model_id]
        self.make(service)
        with self.refused(service, NotAllowed, "has a parent already"):
            self.link(service, "fraud#2", "parent", "fraud#3")

    def test_a_version_takes_only_so_many_links(self, service: RegistryService) -> None:
        self.make(service, lineage=tuple(an_edge("run", str(n)) for n in range(1_000)))
        with self.refused(service, InvalidInput, "1000 lineage links"):
            self.link(service, "fraud", "run", "one more")

    def test_a_later_link_can_be_taken_back_and_a_frozen_one_cannot(self, service: RegistryService) -> None:
        base = self.make(service)
        self.make(service, "churn", lineage=(an_edge("dataset", "cards"),))
        self.link(service, "churn", "distilled_from", "fraud")
        service.delete(ask.Delete(ref="fraud#1"))
        request = ask.Unlink(ref="churn", kind="distilled-from", target="fraud#1", reason="wrong")
        assert service.unlink(request).links == ()
        last = self.log(service, "churn")[-1]
        key = f"version:1.links.distilled_from {base.model_id}"
        assert (last.action, last.before, last.after) == ("version.unlinked", {key: {}}, {key: None})
        with self.refused(service, NotFound, "no link"):
            service.unlink(request)
        with self.refused(service, NotAllowed, "was registered with dataset cards"):
            service.unlink(ask.Unlink(ref="churn", kind="dataset", target="cards"))
        with self.refused(service, NotFound, "no link"):
            service.unlink(ask.Unlink(ref="churn", kind="parent", target=ABSENT.upper()))
        with self.refused(service, VersionNotFound):
            service.unlink(ask.Unlink(ref="churn", kind="parent", target="fraud#9"))

    # --- circles ---

    def test_a_version_cannot_come_from_itself(self, service: RegistryService) -> None:
        self.make(service)
        with self.refused(service, NotAllowed, "fraud:0.1.0 cannot be merged_from itself"):
            self.link(service, "fraud", "merged_from", "fraud")

    def test_a_circle_is_refused_however_far_around_and_shown(self, service: RegistryService) -> None:
        self.make(service)
        self.make(service, "churn", lineage=(an_edge("distilled_from", "fraud#1"),))
        self.make(service, "score", parent="churn#1")
        with self.refused(service, NotAllowed, "fraud:0.1.0 cannot be quantised_from score:0.1.0") as caught:
            self.link(service, "fraud#1", "quantised_from", "score#1")
        assert caught.value.reasons == (
            "fraud:0.1.0 came from score:0.1.0 came from churn:0.1.0 came from fraud:0.1.0",
        )

    def test_names_close_no_circle(self, service: RegistryService) -> None:
        made = self.make(service)
        self.link(service, "fraud", "used_by", "api")
        self.link(service, "fraud", "dataset", made.model_id)
        self.link(service, "fraud", "base_model", "fraud:0.1.0")
        assert len(service.get_version("fraud").links) == 3

    def test_two_links_that_close_a_circle_together_are_never_both_made(
        self, service: RegistryService
    ) -> None:
        for turn in range(5):
            left, right = self.make(service, f"left{turn}"), self.make(service, f"right{turn}")

            def attempt(pair: tuple[str, str]) -> bool:
                try:
                    self.link(service, pair[0], "merged_from", pair[1])
                except NotAllowed:
                    return False
                return True

            pairs = [(left.model_id, right.model_id), (right.model_id, left.model_id)]
            with ThreadPoolExecutor(2) as pool:
                made = list(pool.map(attempt, pairs))
            assert sorted(made) == [False, True]

    # --- following ---

    def test_a_graph_goes_up_down_or_both_ways(self, service: RegistryService) -> None:
        self.make(service, lineage=(an_edge("dataset", "cards"),))
        self.make(service, parent="fraud#1")
        self.make(service, "churn", lineage=(an_edge("fine_tuned_from", "fraud#2"), an_edge("run", "r1")))
        self.link(service, "churn", "used_by", "api/eu")
        up, down = self.trace(service, "fraud#2", "up"), self.trace(service, "fraud#2", "down")
        assert labels(up) == ["fraud:0.1.1", "fraud:0.1.0", "cards"]
        assert labels(down) == ["fraud:0.1.1", "churn:0.1.0", "api/eu"]
        assert set(labels(self.trace(service, "fraud#2"))) == {*labels(up), *labels(down)}
        kinds = [(edge.source[0], edge.kind, edge.target[0]) for edge in down.edges]
        assert kinds == [
            ("version", "fine_tuned_from", "version"),
            ("version", "used_by", "deployment"),
        ]
        node = down.nodes[1]
        assert (node.name, node.number, node.version, node.stage) == ("churn", 1, "0.1.0", "development")

    def test_depth_counts_links(self, service: RegistryService) -> None:
        self.make(service)
        for _ in range(3):
            self.make(service, parent="fraud")
        one = self.trace(service, "fraud#1", "down", 1)
        assert (labels(one), one.complete) == (["fraud:0.1.0", "fraud:0.1.1"], False)
        assert self.trace(service, "fraud#1", "down", 3).complete

    def test_deleted_versions_stay_in_the_graph_and_say_so(self, service: RegistryService) -> None:
        self.make(service, lineage=(an_edge("dataset", "cards"),))
        self.make(service, parent="fraud#1")
        service.delete(ask.Delete(ref="fraud#1"))
        graph = self.trace(service, "fraud#2")
        assert labels(graph) == ["fraud:0.1.1", "fraud:0.1.0", "cards"]
        assert [node.deleted for node in graph.nodes] == [False, True, False]
        assert labels(self.trace(service, "fraud#1", "down")) == ["fraud:0.1.0", "fraud:0.1.1"]

    @pytest.mark.parametrize("asked", [{"direction": "sideways"}, {"depth": 0}, {"depth": True}])
    def test_a_question_that_means_nothing_is_refused(
        self, service: RegistryService, asked: dict[str, Any]
    ) -> None:
        self.make(service)
        with self.refused(service, InvalidInput):
            service.lineage_graph(ask.Trace(ref="fraud", **asked))

    def test_versions_are_found_by_what_they_were_linked_to(self, service: RegistryService) -> None:
        self.make(service, lineage=(an_edge("dataset", "cards"),))
        self.make(service)
        self.link(service, "fraud#2", "dataset", "cards")
        found = service.search(ask.Search(text="dataset = 'cards'"))
        assert sorted(v.number for v in found.items) == [1, 2]

    @examples(15)
    @given(
        st.lists(st.tuples(st.integers(1, 5), st.sampled_from(["parent", "merged_from"]), st.integers(1, 5)))
    )
    def test_no_order_of_links_makes_a_circle(
        self, service: RegistryService, steps: list[tuple[int, str, int]]
    ) -> None:
        name = f"model {service.stats().total_models}"
        ids = [self.make(service, name).model_id for _ in range(5)]
        for here, kind, there in steps:
            try:
                self.link(service, ids[here - 1], kind, ids[there - 1])
            except NotAllowed:
                continue
        for model_id in ids:
            above = self.trace(service, model_id, "up")
            below = self.trace(service, model_id, "down")
            assert {n.target for n in above.nodes} & {n.target for n in below.nodes} == {model_id}
