"""Questions about time, state and contents."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain.errors import (
    AliasNotFound,
    InvalidInput,
    InvalidQuery,
    ModelNotFound,
    ModelyardError,
    VersionNotFound,
)
from modelyard.domain.records import Actor, Event, ModelStage
from modelyard.ports import service as ask
from modelyard.ports.service import RegistryService
from modelyard.testing.clock import SettableClock
from modelyard.testing.service_room import ARCHIVED, PRODUCTION, STAGING, ServiceRoom, examples

MOVES = st.lists(
    st.tuples(st.sampled_from(["alias", "unalias", "up", "back", "delete", "undelete"]), st.integers(1, 4)),
    min_size=5,
    max_size=40,
)


def replay(log: Sequence[Event], pointer: str, at: datetime) -> int | None:
    """What a pointer named, by reading the events from the first."""
    held: int | None = None
    for event in log:
        if event.at <= at and pointer in event.after:
            value = event.after[pointer]
            held = (value[-1] if value else None) if isinstance(value, list) else value
    return held


class Asking(ServiceRoom):
    """``history``, ``as_of``, ``status``, ``stats``, ``lineage``, ``compare``."""

    def test_histories_are_those_of_a_model_a_version_and_the_registry(
        self, service: RegistryService
    ) -> None:
        self.make(service)
        self.make(service)
        self.make(service, "other")
        self.move(service, "fraud#1", STAGING)
        newest = service.history(ask.History(ref="fraud")).items
        assert [e.sequence for e in newest] == [3, 2, 1]
        assert [e.action for e in self.log(service, "fraud#1")] == ["version.registered", "version.promoted"]
        assert {e.model for e in self.log(service, "")} <= {""}
        with self.refused(service, ModelNotFound):
            service.history(ask.History(ref="nobody"))

    def test_a_history_is_read_page_by_page(self, service: RegistryService) -> None:
        self.make(service)
        for number in range(7):
            service.annotate(ask.Annotate(ref="fraud", tags={"n": str(number)}))
        seen: list[int] = []
        after: str | None = None
        while True:
            page = service.history(ask.History(ref="fraud", limit=3, after=after))
            seen += [e.sequence for e in page.items]
            if (after := page.next) is None:
                break
        assert seen == list(range(8, 0, -1))

    def test_the_history_of_a_deleted_version_stays(self, service: RegistryService) -> None:
        self.make(service)
        service.delete(ask.Delete(ref="fraud"))
        assert [e.action for e in self.log(service, "fraud#1")] == ["version.registered", "version.deleted"]

    @examples(10)
    @given(moves=MOVES, seed=st.integers(0, 2**32))
    def test_a_thousand_random_questions_equal_a_replay(
        self, service: RegistryService, clock: SettableClock, moves: list[tuple[str, int]], seed: int
    ) -> None:
        name = f"m{service.stats().total_models}"
        begin = clock.now()
        for _ in range(4):
            self.make(service, name)
        known: list[tuple[datetime, dict[str, int | None]]] = []
        chance = random.Random(seed)
        for kind, number in moves:
            clock.advance(seconds=chance.choice([0, 1, 1, 60]))
            self.step(service, name, kind, number)
            model = service.get_model(name)
            alias = model.aliases.get("champion")
            holders = model.holders.get("production", ())
            known.append(
                (
                    model.head_at or begin,
                    {
                        "champion": alias.number if alias else None,
                        "production": holders[-1] if holders else None,
                    },
                )
            )
        log = self.log(service, name)
        span = (clock.now() - begin).total_seconds() + 2
        if not any("alias:champion" in event.after for event in log):
            with pytest.raises(AliasNotFound):
                service.as_of(ask.AsOf(model=name, at=begin, pointer="champion"))
            return
        for _ in range(50):
            at = begin + timedelta(seconds=chance.uniform(-1, span))
            for pointer, key in (("champion", "alias:champion"), ("production", "stage:production")):
                found = service.as_of(ask.AsOf(model=name, at=at, pointer=pointer))
                number_then = found.number if found else None
                assert number_then == replay(log, key, at)
                seen = [state[pointer] for moment, state in known if moment <= at]
                assert number_then == (seen[-1] if seen else None)

    def step(self, service: RegistryService, name: str, kind: str, number: int) -> None:
        """One move, if it is allowed."""
        ref = f"{name}#{number}"
        try:
            if kind == "alias":
                service.set_alias(ask.SetAlias(model=name, alias="champion", ref=ref))
            elif kind == "unalias":
                service.delete_alias(ask.DeleteAlias(model=name, alias="champion"))
            elif kind == "up":
                self.move(service, ref, PRODUCTION)
            elif kind == "back":
                service.roll_back(ask.RollBack(ref=name))
            elif kind == "delete":
                service.delete(ask.Delete(ref=ref, force=True, reason="chance"))
            else:
                service.undelete(ref)
        except ModelyardError:
            return

    @pytest.mark.parametrize("pointer", ["development", "deprecated", "archived"])
    def test_only_pointers_can_be_asked_for(self, service: RegistryService, pointer: str) -> None:
        self.make(service)
        with self.refused(service, InvalidInput, "not a pointer"):
            service.as_of(
                ask.AsOf(model="fraud", at=service.get_version("fraud").created_at, pointer=pointer)
            )

    def test_what_was_live_may_have_been_deleted_since(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        self.live(service)
        then = clock.advance(seconds=1)
        clock.advance(seconds=1)
        service.delete(ask.Delete(ref="fraud", force=True, reason="x"))
        found = service.as_of(ask.AsOf(model="fraud", at=then))
        assert found is not None
        assert found.deleted
        assert service.as_of(ask.AsOf(model="fraud", at=clock.now())) is None

    def test_a_status_answers_the_five_questions(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        self.live(service, data=b"one")
        since = clock.advance(days=1)
        made = self.make(service, data=b"two", alias="champion")
        boss = service.as_actor(Actor(name="bob"))
        boss.promote(ask.Promote(ref=made.model_id, target=PRODUCTION, reason="it is better"))
        clock.advance(days=1)
        service.annotate(ask.Annotate(ref="fraud", description="no move"))
        status = service.status("fraud")
        assert status.live is not None
        assert (status.live.number, status.since, status.by, status.reason) == (
            2,
            since,
            "bob",
            "it is better",
        ) or (status.since is not None and status.since - since < timedelta(seconds=1))
        assert (status.by, status.reason, status.intact, status.damage) == ("bob", "it is better", True, ())
        assert status.undo is not None
        assert (status.undo.number, status.undo_note) == (1, "")
        assert status.aliases["champion"]["version"] == "0.1.1"
        assert status.latest == status.live
        assert (status.stages, status.versions, status.size) == ({"production": 1, "deprecated": 1}, 2, 6)
        assert status.recent[0].action == "version.annotated"

    def test_a_status_sees_damage_and_says_why_there_is_no_way_back(self, service: RegistryService) -> None:
        self.live(service, data=b"one")
        self.live(service, data=b"two")
        for number in (1, 2):
            self.damage(service, service.get_version(f"fraud#{number}").files[0].digest, b"?")
        status = service.status("fraud")
        assert (status.intact, len(status.damage), status.undo) == (False, 1, None)
        assert "0.1.0: model.txt" in status.undo_note

    def test_a_status_of_what_is_not_live(self, service: RegistryService) -> None:
        self.make(service)
        status = service.status("fraud")
        assert (status.live, status.since, status.by, status.intact) == (None, None, "", None)
        assert (status.undo, status.undo_note) == (None, "nothing is live")
        self.move(service, "fraud", PRODUCTION)
        status = service.status("fraud")
        assert (status.intact, status.undo_note) == (None, "no other version has been live")
        with self.refused(service, ModelNotFound):
            service.status("nobody")

    def test_who_decided_is_found_behind_a_long_history(self, service: RegistryService) -> None:
        self.live(service)
        for number in range(60):
            service.annotate(ask.Annotate(ref="fraud", tags={"n": str(number)}))
        assert service.status("fraud").by == "ann"

    def test_stats_count_names_versions_and_bytes(self, service: RegistryService) -> None:
        self.live(service, data=b"same", framework="scikit-learn")
        self.make(service, data=b"same")
        self.make(service, "other", data=b"more!")
        service.delete(ask.Delete(ref="other"))
        stats = service.stats()
        assert (stats.total_models, stats.total_versions) == (2, 2)
        assert stats.stages == {"production": 1, "development": 1}
        assert stats.frameworks == {"scikit-learn": 1, "unknown": 1}
        assert (stats.blobs, stats.stored_bytes, stats.logical_bytes) == (2, 9, 8)

    def test_two_versions_are_compared_by_their_metrics(self, service: RegistryService) -> None:
        a = self.make(service, metrics={"accuracy": 0.9, "latency_ms": 5})
        b = self.make(service, metrics={"accuracy": 0.95, "latency_ms": 5})
        found = service.compare("fraud#1", "fraud#2", ["accuracy"])
        assert (found.a, found.b, found.winner) == (a.model_id, b.model_id, b.model_id)
        assert [m.name for m in found.metrics] == ["accuracy"]
        with self.refused(service, VersionNotFound):
            service.compare("fraud#1", "fraud#9")

    def test_models_are_listed_by_name(self, service: RegistryService) -> None:
        for name in ("b", "a", "c fraud"):
            self.make(service, name)
        assert [m.name for m in service.list_models().items] == ["a", "b", "c fraud"]
        assert [m.name for m in service.list_models("FRAUD").items] == ["c fraud"]
        first = service.list_models(limit=2)
        assert [m.name for m in service.list_models(limit=2, after=first.next).items] == ["c fraud"]


class Searching(ServiceRoom):
    """``search``."""

    def eight(self, service: RegistryService) -> None:
        for number in range(7):
            self.make(
                service, metrics={"accuracy": number / 10}, tags={"team": "risk" if number % 2 else "fraud"}
            )
        self.make(service, "other", description="needle")

    def test_the_newest_come_first_unless_another_order_is_asked_for(self, service: RegistryService) -> None:
        self.eight(service)
        found = service.search(ask.Search(model="fraud")).items
        assert [v.number for v in found] == [7, 6, 5, 4, 3, 2, 1]
        found = service.search(ask.Search(text="name = fraud order by metrics.accuracy")).items
        assert [v.number for v in found] == [1, 2, 3, 4, 5, 6, 7]

    @pytest.mark.parametrize(
        ("text", "count"),
        [
            ("", 8),
            ("tags.team = risk", 3),
            ("metrics.accuracy >= 0.5 and tags.team = fraud", 1),
            ("needle", 1),
            ("not metrics.accuracy exists", 1),
            ("stage in (production, staging)", 0),
        ],
    )
    def test_filters_are_those_of_the_query_language(
        self, service: RegistryService, text: str, count: int
    ) -> None:
        self.eight(service)
        assert len(service.search(ask.Search(text=text)).items) == count

    @pytest.mark.parametrize("limit", [1, 2, 3, 8, 100])
    def test_pages_together_are_the_whole_whatever_their_size(
        self, service: RegistryService, limit: int
    ) -> None:
        self.eight(service)
        seen: list[str] = []
        after: str | None = None
        while True:
            page = service.search(ask.Search(limit=limit, after=after))
            assert len(page.items) <= limit
            seen += [v.model_id for v in page.items]
            if (after := page.next) is None:
                break
        assert seen == [v.model_id for v in service.search(ask.Search()).items]

    @pytest.mark.parametrize("limit", [0, -1, 1001, 10**30])
    def test_a_page_has_one_to_a_thousand(self, service: RegistryService, limit: int) -> None:
        self.make(service)
        for call in (
            lambda: service.search(ask.Search(limit=limit)),
            lambda: service.history(ask.History(ref="fraud", limit=limit)),
            lambda: service.list_models(limit=limit),
        ):
            with self.refused(service, InvalidInput):
                call()

    @pytest.mark.parametrize(
        "text",
        ["password = 'x'", "token_hash ~ 'a'", "created_by.token = 'x'", "metrics.a = 'text'", "stage ="],
    )
    def test_unknown_fields_and_unlike_types_are_refused_with_their_place(
        self, service: RegistryService, text: str
    ) -> None:
        self.make(service)
        with self.refused(service, InvalidQuery) as caught:
            service.search(ask.Search(text=text))
        assert isinstance(caught.value.data["position"], int)

    def test_a_cursor_of_another_question_is_refused(self, service: RegistryService) -> None:
        self.eight(service)
        cursor = service.search(ask.Search(limit=2)).next
        for wrong in (cursor, "forged", ""):
            with self.refused(service, InvalidInput):
                service.search(ask.Search(text="needle", after=wrong))

    def test_deleted_versions_are_found_only_when_asked_for(self, service: RegistryService) -> None:
        self.eight(service)
        service.delete(ask.Delete(ref="fraud#3"))
        self.move(service, "fraud#2", ARCHIVED)
        counts = {d: len(service.search(ask.Search(deleted=d)).items) for d in (False, True, None)}
        assert counts == {False: 7, True: 1, None: 8}
        assert service.search(ask.Search(text="stage = archived")).items[0].stage is ModelStage.ARCHIVED
