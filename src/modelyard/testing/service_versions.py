"""Registering versions, and naming them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain import versioning
from modelyard.domain.errors import (
    AliasNotFound,
    AlreadyExists,
    BlobDamaged,
    BlobNotFound,
    InvalidInput,
    InvalidName,
    InvalidPath,
    InvalidRef,
    ModelNotFound,
    NotAllowed,
    VersionNotFound,
)
from modelyard.domain.records import FileEntry, FlavorRecord, ModelStage
from modelyard.ports import service as ask
from modelyard.ports.service import RegistryService
from modelyard.testing.clock import SettableClock
from modelyard.testing.service_room import (
    ARCHIVED,
    HARMLESS,
    PRODUCTION,
    ServiceRoom,
    digest_of,
    examples,
)

_LABELS = st.one_of(
    st.from_regex(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{1,2}(-rc\.[0-9])?", fullmatch=True),
    st.from_regex(r"[a-z]{1,6}", fullmatch=True),
)


_CLEAN = {"git": {"commit": "65e8c82388124bad693fb65548cd2d3b97c477cb", "branch": None, "dirty": False}}


class Registering(ServiceRoom):
    """``create_version``."""

    def test_a_policy_may_want_every_version_made_from_committed_code(self, service: RegistryService) -> None:
        first = self.make(service, environment={"git": {**_CLEAN["git"], "dirty": True}})
        self.policy(service, clean_git=True)
        refused: tuple[dict[str, Any], ...] = (
            {},
            {"git": {"unknown": "git is gone"}},
            {"git": {**_CLEAN["git"], "dirty": True}},
        )
        for environment in refused:
            with self.refused(service, NotAllowed, "clean_git") as caught:
                self.make(service, environment=environment)
            assert caught.value.data == {"check": "clean_git"}
        assert self.make(service, environment=_CLEAN).environment == _CLEAN
        assert self.make(service, version=first.version).model_id == first.model_id

    def test_a_version_has_all_that_was_said_of_it(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        entry = self.file(service)
        made = self.make(
            service,
            files=(entry,),
            version="1.4.0",
            description="catches fraud",
            metrics={"accuracy": 0.9},
            hyperparams={"depth": 3},
            tags={"team": "risk"},
            attributes={"notes": {"a": [1, None]}},
            data_lineage={"dataset": "cards"},
            framework="scikit-learn",
            algorithm="LogisticRegression",
            card={"owner": "ann"},
        )
        assert service.get_version(made.model_id) == made
        assert (made.name, made.number, made.version, made.created_by) == ("fraud", 1, "1.4.0", "ann")
        assert (made.created_at, made.files, made.size) == (clock.now(), (entry,), len(HARMLESS))
        assert made.performance_metrics == {"accuracy": 0.9}
        assert made.attributes == {"notes": {"a": [1, None]}}
        assert (made.hyperparams, made.tags, made.card) == ({"depth": 3}, {"team": "risk"}, {"owner": "ann"})

    def test_the_first_label_is_0_1_0_and_the_next_ones_are_patches(self, service: RegistryService) -> None:
        assert [self.make(service).version for _ in range(3)] == ["0.1.0", "0.1.1", "0.1.2"]

    @pytest.mark.parametrize(
        ("bump", "label"), [("patch", "1.4.1"), ("minor", "1.5.0"), ("major", "2.0.0")], ids=str
    )
    def test_a_step_may_be_asked_for(self, service: RegistryService, bump: str, label: str) -> None:
        self.make(service, version="1.4.0")
        assert self.make(service, bump=bump).version == label

    def test_the_next_label_steps_over_those_of_deleted_versions(self, service: RegistryService) -> None:
        last = [self.make(service) for _ in range(2)][-1]
        service.delete(ask.Delete(ref=last.model_id))
        assert self.make(service).version == "0.1.2"

    def test_a_pre_release_is_finished_by_the_step_it_announces(self, service: RegistryService) -> None:
        self.make(service, version="1.0.0-rc.1")
        assert [self.make(service).version for _ in range(2)] == ["1.0.0", "1.0.1"]

    def test_a_free_label_does_not_stop_the_counting(self, service: RegistryService) -> None:
        self.make(service, version="alpha")
        assert [self.make(service).version for _ in range(2)] == ["0.1.0", "0.1.1"]

    def test_the_same_label_and_bytes_give_the_same_version(self, service: RegistryService) -> None:
        made = self.make(service, data=HARMLESS, version="1.0.0", hyperparams={"c": 1})
        before = self.snapshot(service)
        assert self.make(service, data=HARMLESS, version="1.0.0", hyperparams={"c": 1}) == made
        assert self.make(service, data=HARMLESS, version="v1.0.0") == made
        assert self.snapshot(service) == before

    @pytest.mark.parametrize(
        ("other", "difference"),
        [
            ({"data": b"other bytes"}, "content_digest"),
            ({"data": HARMLESS, "hyperparams": {"c": 2}}, "hyperparams"),
            ({"data": HARMLESS, "framework": "xgboost"}, "framework"),
            ({"data": HARMLESS, "data_lineage": {"dataset": "new"}}, "data_lineage"),
            ({"data": HARMLESS, "signature": {"inputs": []}}, "signature"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_the_same_label_with_another_fact_is_refused_and_names_it(
        self, service: RegistryService, other: dict[str, Any], difference: str
    ) -> None:
        made = self.make(
            service, data=HARMLESS, version="1.0.0", hyperparams={"c": 1}, framework="scikit-learn"
        )
        service.put_blob([b"other bytes"])
        with self.refused(service, AlreadyExists, difference.replace("_", " ")) as caught:
            self.make(service, **{"version": "1.0.0", **other})
        assert caught.value.data == {"model_id": made.model_id, "difference": difference}

    def test_a_label_of_a_deleted_version_stays_taken_and_undelete_is_named(
        self, service: RegistryService
    ) -> None:
        made = self.make(service, version="1.0.0")
        service.delete(ask.Delete(ref=made.model_id))
        with self.refused(service, AlreadyExists, "undelete"):
            self.make(service, version="1.0.0")

    def test_the_same_bytes_under_a_new_label_are_stored_once(self, service: RegistryService) -> None:
        first, second = (self.make(service, data=HARMLESS) for _ in range(2))
        assert first.model_id != second.model_id
        assert first.content_digest == second.content_digest
        assert first.digest != second.digest
        stats = service.stats()
        assert (stats.blobs, stats.stored_bytes, stats.logical_bytes) == (1, len(HARMLESS), 2 * len(HARMLESS))

    def test_an_idempotency_key_gives_the_same_answer_and_one_effect(self, service: RegistryService) -> None:
        made = self.make(service, idempotency_key="k", tags={"a": "b"})
        before = self.snapshot(service)
        assert self.make(service, idempotency_key="k", tags={"a": "b"}) == made
        assert self.snapshot(service) == before

    def test_an_idempotency_key_bears_other_bytes_of_the_same_live_model(
        self, service: RegistryService
    ) -> None:
        live = FlavorRecord(name="pickle", entry="model.txt", options={"origin": "a proof"})
        made = self.make(service, data=b"saved once", idempotency_key="k", flavor=live)
        assert self.make(service, data=b"saved twice", idempotency_key="k", flavor=live) == made

    def test_an_idempotency_key_does_not_bear_other_bytes_of_a_file(self, service: RegistryService) -> None:
        self.make(service, data=b"once", idempotency_key="k")
        self.file(service, b"twice")
        with self.refused(service, InvalidInput, "idempotency key"):
            self.make(service, data=b"twice", idempotency_key="k")

    def test_an_idempotency_key_of_a_deleted_version_is_no_answer(self, service: RegistryService) -> None:
        made = self.make(service, idempotency_key="k")
        service.delete(ask.Delete(ref=made.model_id))
        with self.refused(service, AlreadyExists, "undelete"):
            self.make(service, idempotency_key="k")

    def test_a_repeated_registration_moves_no_pointer(self, service: RegistryService) -> None:
        self.make(service, version="1.0.0")
        with self.refused(service, AlreadyExists, "set_alias"):
            self.make(service, version="1.0.0", alias="champion")
        with self.refused(service, AlreadyExists, "promote_model"):
            self.make(service, version="1.0.0", stage=ModelStage.STAGING)
        service.set_alias(ask.SetAlias(model="fraud", alias="champion", ref="1.0.0"))
        service.promote(ask.Promote(ref="fraud", target=ModelStage.STAGING))
        again = self.make(service, version="1.0.0", alias="champion", stage=ModelStage.STAGING)
        assert again.number == 1

    def test_an_idempotency_key_for_something_else_is_refused(self, service: RegistryService) -> None:
        self.make(service, idempotency_key="k")
        with self.refused(service, InvalidInput, "idempotency key"):
            self.make(service, idempotency_key="k", description="another")

    def test_two_callers_may_use_the_same_idempotency_key(self, service: RegistryService) -> None:
        from modelyard.domain.records import Actor

        mine = self.make(service, idempotency_key="k")
        theirs = self.make(service.as_actor(Actor(name="bob")), idempotency_key="k")
        assert (mine.created_by, theirs.created_by) == ("ann", "bob")
        assert mine.model_id != theirs.model_id

    @pytest.mark.parametrize(
        ("facts", "kind"),
        [
            ({"name": ""}, InvalidName),
            ({"name": "01j9zzzzzzzzzzzzzzzzzzzzzz"}, InvalidName),
            ({"version": "no good"}, InvalidName),
            ({"version": "1.0.0", "bump": "patch"}, InvalidInput),
            ({"bump": "huge"}, InvalidInput),
            ({"alias": "latest"}, InvalidName),
            ({"alias": "production"}, InvalidName),
            ({"tags": {"n": 1}}, InvalidInput),
            ({"tags": {"": "x"}}, InvalidName),
            ({"description": "nul\0"}, InvalidInput),
            ({"attributes": {"": 1}}, InvalidName),
            ({"hyperparams": {"a\nb": 1}}, InvalidName),
            ({"metrics": {"accuracy": "high"}}, InvalidInput),
            ({"hyperparams": {"a": object()}}, InvalidInput),
            ({"attributes": {"a": {1, 2, object()}}}, InvalidInput),
            ({"card": {"owner": object()}}, InvalidInput),
            ({"parent": "nobody"}, ModelNotFound),
        ],
        ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
    )
    def test_what_is_malformed_is_refused(
        self, service: RegistryService, facts: dict[str, Any], kind: type[InvalidInput]
    ) -> None:
        self.make(service, "present")
        with self.refused(service, kind):
            self.make(service, **facts)

    @pytest.mark.parametrize(
        "paths", [("../x",), ("/etc/passwd",), ("a", "a/b"), ("a", "A"), ("x", "x")], ids="-".join
    )
    def test_files_need_sound_and_distinct_paths(
        self, service: RegistryService, paths: tuple[str, ...]
    ) -> None:
        entry = self.file(service)
        files = tuple(FileEntry(path=p, size=entry.size, digest=entry.digest) for p in paths)
        with self.refused(service, InvalidPath):
            self.make(service, files=files)

    def test_bytes_have_to_be_there_first(self, service: RegistryService) -> None:
        absent = FileEntry(path="m", size=3, digest=digest_of(b"abc"))
        with self.refused(service, BlobNotFound, "upload") as caught:
            self.make(service, files=(absent,))
        assert caught.value.data["digest"] == absent.digest

    def test_two_files_of_the_same_bytes_are_two_files_and_one_blob(self, service: RegistryService) -> None:
        made = self.make(service, files=(self.file(service, path="a"), self.file(service, path="b")))
        assert [entry.path for entry in made.files] == ["a", "b"]
        assert made.scans["a"] == made.scans["b"]
        assert service.stats().blobs == 1

    def test_a_file_goes_in_and_comes_out_whole(self, service: RegistryService, tmp_path: Path) -> None:
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes(HARMLESS * 1000)
        done: list[int] = []
        info = service.put_file(source, digest=digest_of(HARMLESS * 1000), progress=done.append)
        assert (info.size, sum(done)) == (len(HARMLESS) * 1000,) * 2
        service.materialise(info.digest, target)
        assert target.read_bytes() == source.read_bytes()
        assert b"".join(service.open_blob(info.digest, start=5, length=7)) == (HARMLESS * 2)[5:12]
        near = service.verified(info.digest)
        assert near is None or near.read_bytes() == source.read_bytes()
        with self.refused(service, BlobDamaged):
            service.put_file(source, digest=digest_of(b"something else"))

    def test_a_wrong_size_is_refused(self, service: RegistryService) -> None:
        entry = self.file(service)
        with self.refused(service, BlobDamaged, "bytes"):
            self.make(service, files=(FileEntry(path="m", size=entry.size + 1, digest=entry.digest),))

    def test_a_name_that_differs_only_in_case_is_refused(self, service: RegistryService) -> None:
        self.make(service, "Fraud detector")
        with self.refused(service, AlreadyExists, "case"):
            self.make(service, "fraud Detector")
        assert service.get_model("FRAUD DETECTOR").name == "Fraud detector"

    def test_parents_are_recorded_and_followed(self, service: RegistryService) -> None:
        line = [self.make(service)]
        for _ in range(3):
            line.append(self.make(service, parent=line[-1].model_id))
        assert [v.model_id for v in service.lineage("fraud#4")] == [v.model_id for v in line]
        assert line[1].parent == line[0].model_id
        assert [(e.kind, e.target) for e in line[1].lineage] == [("parent", line[0].model_id)]

    def test_a_deleted_parent_stays_in_the_lineage(self, service: RegistryService) -> None:
        first = self.make(service)
        child = self.make(service, parent=first.model_id)
        service.delete(ask.Delete(ref=first.model_id))
        assert [v.number for v in service.lineage(child.model_id)] == [1, 2]


class Naming(ServiceRoom):
    """Every way to name a version."""

    def test_every_kind_of_reference_finds_its_version(self, service: RegistryService) -> None:
        first = self.make(service, version="1.4.0")
        second = self.make(service, version="alpha-1")
        third = self.make(service, version="v1.4.7")
        self.alias(service, "#2")
        self.move(service, "fraud#1", PRODUCTION)
        expected = {
            first.model_id: 1,
            first.model_id.upper(): 1,
            "fraud": 3,
            "FRAUD": 3,
            "fraud@latest": 3,
            "fraud:1.4.0": 1,
            "fraud:v1.4.0": 1,
            "fraud:1.4.7": 3,
            "fraud:alpha-1": 2,
            "fraud:~1.4": 3,
            "fraud:^1": 3,
            "fraud:<1.4.7": 1,
            "fraud#2": 2,
            "fraud@champion": 2,
            "fraud@production": 1,
            "fraud@Production": 1,
            third.digest: 3,
            "models:/fraud/2": 2,
            "models:/fraud@champion": 2,
            "models:/fraud/Production": 1,
            second.model_id: 2,
        }
        assert {ref: self.holder(service, ref) for ref in expected} == expected

    @pytest.mark.parametrize(
        ("ref", "kind"),
        [
            ("nobody", ModelNotFound),
            ("fraud:9.9.9", VersionNotFound),
            ("fraud:^9", VersionNotFound),
            ("fraud#9", VersionNotFound),
            ("fraud@nobody", AliasNotFound),
            ("fraud@production", AliasNotFound),
            ("fraud@champion~1", AliasNotFound),
            ("fraud@champion{2001-01-01T00:00Z}", AliasNotFound),
            ("01j9zzzzzzzzzzzzzzzzzzzzzz", VersionNotFound),
            ("sha256:" + "0" * 64, VersionNotFound),
            ("fraud@@x", InvalidRef),
            ("", InvalidRef),
        ],
    )
    def test_what_names_nothing_says_so(
        self, service: RegistryService, ref: str, kind: type[InvalidInput]
    ) -> None:
        self.make(service)
        self.alias(service, "#1")
        with self.refused(service, kind):
            service.get_version(ref)

    def test_a_near_miss_is_suggested(self, service: RegistryService) -> None:
        self.make(service, "fraud detector")
        with self.refused(service, ModelNotFound, "Did you mean 'fraud detector'"):
            service.get_version("fraud detectro")

    def test_an_empty_registry_says_that_it_is_empty(self, service: RegistryService) -> None:
        with self.refused(service, ModelNotFound, "no models yet"):
            service.get_version("fraud")

    def test_moves_back_are_counted_per_pointer(self, service: RegistryService) -> None:
        for number in (1, 2, 3):
            self.make(service)
            self.alias(service, f"#{number}")
        refs = ["fraud@champion", "fraud@champion~1", "fraud@champion~2"]
        assert [self.holder(service, ref) for ref in refs] == [3, 2, 1]

    @pytest.mark.parametrize("back", ["3", "99999999999", "9" * 900])
    def test_a_step_back_before_the_first_is_told_how_far_one_may_go(
        self, service: RegistryService, back: str
    ) -> None:
        for number in (1, 2, 3):
            self.make(service)
            self.alias(service, f"#{number}")
        with self.refused(service, AliasNotFound, "champion of 'fraud' has moved 2 times since") as refused:
            service.get_version(f"fraud@champion~{back}")
        assert refused.value.detail.endswith("which is 'fraud@champion~2'")
        assert refused.value.detail.startswith(f"'fraud@champion~{back}"[:60])
        assert len(refused.value.detail) < 250

    def test_a_pointer_that_never_moved_or_never_was_says_so(self, service: RegistryService) -> None:
        self.make(service)
        self.alias(service, "#1")
        with self.refused(service, AliasNotFound, "has not moved since it first named a version"):
            service.get_version("fraud@champion~1")
        with self.refused(service, AliasNotFound, "no version of 'fraud' held production 1 move ago"):
            service.get_version("fraud@production~1")

    def test_a_pointer_is_known_at_every_instant(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        self.make(service)
        self.make(service)
        self.alias(service, "#1")
        between = clock.advance(seconds=60)
        clock.advance(seconds=60)
        self.alias(service, "#2")
        assert self.holder(service, f"fraud@champion{{{between.isoformat()}}}") == 1
        assert self.holder(service, f"fraud@champion{{{clock.now().isoformat()}}}") == 2

    @examples(25)
    @given(labels=st.lists(_LABELS, min_size=1, max_size=6, unique_by=versioning.label_key))
    def test_latest_is_the_highest_label_whatever_the_order(
        self, service: RegistryService, labels: list[str]
    ) -> None:
        name = f"m{service.stats().total_models}"
        numbers = {label: self.make(service, name, version=label).number for label in labels}
        best = versioning.latest(numbers.items())
        assert best is not None
        assert service.get_version(name).version == best[0]

    def test_latest_leaves_out_archived_and_deleted_versions(self, service: RegistryService) -> None:
        for label in ("1.9.0", "1.10.0", "2.0.0"):
            self.make(service, version=label)
        self.move(service, "fraud:2.0.0", ARCHIVED)
        assert service.get_version("fraud").version == "1.10.0"
        service.delete(ask.Delete(ref="fraud:1.10.0"))
        assert service.get_version("fraud").version == "1.9.0"
        service.undelete("fraud:1.10.0")
        assert service.get_version("fraud").version == "1.10.0"
        self.move(service, "fraud:2.0.0", service.get_version("fraud").stage)
        assert service.get_version("fraud").version == "2.0.0"

    def test_a_model_without_living_versions_has_no_latest(self, service: RegistryService) -> None:
        self.make(service)
        service.delete(ask.Delete(ref="fraud"))
        with self.refused(service, VersionNotFound, "neither archived nor deleted"):
            service.get_version("fraud")

    def test_ranges_leave_out_archived_versions(self, service: RegistryService) -> None:
        self.make(service, version="1.0.0")
        self.make(service, version="1.1.0")
        self.move(service, "fraud:1.1.0", ARCHIVED)
        assert service.get_version("fraud:^1").version == "1.0.0"
