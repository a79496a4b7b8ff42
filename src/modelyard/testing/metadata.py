"""What every metadata store has to keep: subclass, give a ``store`` fixture, and run it with pytest.

    class TestMine(MetadataContract):
        @pytest.fixture
        def store(self): ...

``DurableMetadataContract`` adds what a store that outlives its process owes: it needs three accesses around the store.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from modelyard.domain.errors import (
    Conflict,
    IntegrityError,
    InvalidInput,
    InvalidQuery,
    ModelyardError,
    StorageError,
)
from modelyard.domain.events import append, moves
from modelyard.domain.names import fold
from modelyard.domain.policy import DEFAULT
from modelyard.domain.query import And, Compare, Exists, Expr, Field, In, Not, Or, Order, Text
from modelyard.domain.records import (
    Actor,
    Alias,
    Blob,
    Check,
    Event,
    FileEntry,
    FlavorRecord,
    LineageEdge,
    Metric,
    Model,
    ModelStage,
    ModelVersion,
    Receipt,
    Registry,
    ScanReport,
    Source,
    Withdrawal,
)
from modelyard.ports.lineage import Brief, BriefQuery, EdgeQuery, SourceQuery
from modelyard.ports.metadata import (
    BlobKey,
    BlobQuery,
    Changes,
    Drop,
    EventQuery,
    Guard,
    LabelKey,
    MetadataStore,
    ModelKey,
    ModelQuery,
    MoveQuery,
    NumberKey,
    Page,
    Put,
    ReceiptKey,
    ReceiptQuery,
    RegistryKey,
    SlugKey,
    SourceKey,
    TallyQuery,
    VersionKey,
    VersionQuery,
)

T0 = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ACTOR = Actor(name="ada")
NAN = float("nan")


# --- material --------------------------------------------------------------------------------------------------------


def sha(number: int) -> str:
    """A well-formed digest that stands for ``number``."""
    return f"sha256:{number:064x}"


def a_model(name: str = "fraud", **fields: Any) -> Model:
    """A model as its first commit writes it."""
    given: dict[str, Any] = {"slug": fold(name).replace(" ", "-"), "policy": DEFAULT, "revision": 1}
    return Model(name=name, key=fold(name), created_at=T0, created_by="ada", **(given | fields))


def a_version(number: int = 1, name: str = "fraud", **fields: Any) -> ModelVersion:
    """A version as its first commit writes it; ids rise with ``number`` within one name."""
    given: dict[str, Any] = {
        "model_id": f"{sum(name.encode()):06d}{number:020d}",
        "version": f"1.{number}.0",
        "created_at": T0 + timedelta(seconds=number),
        "created_by": "ada",
        "revision": 1,
    }
    return ModelVersion(name=name, number=number, **(given | fields))


def a_full_version() -> ModelVersion:
    """A version with something in every field that is stored."""
    scan = ScanReport(
        verdict="unknown",
        format="pickle",
        kind="code-capable",
        globals=("a.B",),
        reasons=("odd",),
        ruleset=sha(9),
    )
    return a_version(
        files=(
            FileEntry(path="model.joblib", size=7, digest=sha(1)),
            FileEntry(path="plot.png", size=5, digest=sha(2), media_type="image/png", role="artifact"),
        ),
        flavor=FlavorRecord(
            name="joblib",
            entry="model.joblib",
            options={"compress": 3},
            framework="scikit-learn",
            framework_version="1.9.1",
            algorithm="LogisticRegression",
            hyperparams={"C": 0.1},
            facts={"n_features_in": 30},
            globals=("a.B", "c.D"),
        ),
        framework="scikit-learn",
        algorithm="LogisticRegression",
        hyperparams={"C": 0.1, "warm": False, "solver": "lbfgs", "none": None, "list": [1, 2.5, "x"]},
        signature={"inputs": [{"name": "x", "type": "double"}]},
        environment={"python": "3.11.7", "packages": {"numpy": "2.0"}},
        data_lineage={"train": "s3://data/train.parquet"},
        lineage=(
            LineageEdge(kind="dataset", target="s3://data/train.parquet", details={"rows": 10}),
            LineageEdge(kind="parent", target="01j9"),
        ),
        parent="01j8",
        override_reason="because",
        warnings=("small step",),
        digest=sha(3),
        content_digest=sha(4),
        stage=ModelStage.STAGING,
        description="größer\nthan before",
        tags={"team": "risk", "empty": ""},
        attributes={"a": {"b": 1, "c": [True, None]}, "ü": "x"},
        metrics=(
            Metric(name="f1", value=0.5, at=T0),
            Metric(
                name="f1",
                value=0.75,
                at=T0 + timedelta(microseconds=1),
                by="ada",
                n=100,
                sd=0.1,
                dataset="iris",
                dataset_digest=sha(5),
                split="test",
                higher_is_better=False,
            ),
        ),
        checks={
            "tests_passed": Check(name="tests_passed", passed=False, at=T0, by="ci", evidence={"run": 1})
        },
        card={"owner": "ada"},
        card_version=2,
        aliases=("champion",),
        scans={sha(1): scan, sha(2): ScanReport(verdict="clean")},
        links=(LineageEdge(kind="run", target="r-17", details={"host": "a"}),),
        withdrawn=Withdrawal(reason="leaks the label", at=T0 + timedelta(days=5), by="ada"),
        successor="01jb",
        rolled_back_at=T0 + timedelta(days=1),
        staged_at=T0 + timedelta(days=2),
        load_check={"ok": True},
        legal_hold="case 7",
        updated_at=T0 + timedelta(days=4, microseconds=7),
    )


def a_blob(number: int = 1, **fields: Any) -> Blob:
    """A blob as its first commit writes it."""
    given: dict[str, Any] = {"digest": sha(number), "size": number, "touched_at": T0, "revision": 1}
    return Blob(**(given | fields))


def an_event(sequence: int = 1, model: str = "fraud", **fields: Any) -> Event:
    """An event outside of any chain: stores do not judge chains."""
    given: dict[str, Any] = {
        "at": T0 + timedelta(seconds=sequence),
        "actor": "ada",
        "action": "test",
        "subject": f"version:{sequence}",
        "hash": f"{sequence:064x}",
    }
    return Event(model=model, sequence=sequence, **(given | fields))


def put(record: Any) -> Put:
    """Write a record on top of the revision before its own."""
    return Put(record=record, expected=record.revision - 1)


OTHERWISE: Final[Mapping[type, Mapping[str, Any]]] = {
    Blob: {"state": "deleting"},
    ModelVersion: {"description": "ours"},
    Receipt: {"request": "ours"},
}
"""What a second writer would have the records say."""


def changed(record: Any, **fields: Any) -> Any:
    """The record with other values, one revision later."""
    return replace(record, revision=record.revision + 1, **fields)


def seed(store: MetadataStore, *records: Any, events: tuple[Event, ...] = ()) -> None:
    """Write records as one commit."""
    store.commit(Changes(puts=tuple(put(record) for record in records), events=events))


def everything(store: MetadataStore, query: Any) -> list[Any]:
    """All items of an answer, page by page."""
    page: Page[Any] = store.find(query)
    items = list(page.items)
    while page.next is not None:
        page = store.find(replace(query, after=page.next))
        assert page.items, "a cursor leads to at least one more item"
        items += page.items
    return items


def spelled(records: Any) -> list[str]:
    """Each record with every field, as text. NaN differs from itself, so records that hold one are compared by it."""
    return [repr(asdict(record)) for record in records]


def numbers(items: Any) -> list[int]:
    """Their version numbers."""
    return [item.number for item in items]


def bump(store: MetadataStore, worker: int, rounds: int) -> int:
    """Append ``rounds`` events to the model ``fraud``, deciding again on every conflict; the number of conflicts."""
    lost = 0
    for _ in range(rounds):
        while True:
            model = store.get(ModelKey("fraud"))
            assert model is not None
            head, event = append(model, now=T0, actor=ACTOR, action="bump", subject=f"worker:{worker}")
            try:
                store.commit(Changes(puts=(put(head),), events=(event,)))
                break
            except Conflict:
                lost += 1
    return lost


def bump_elsewhere(opener: Callable[[], MetadataStore], worker: int, rounds: int) -> int:
    """:func:`bump` in a process of its own."""
    store = opener()
    try:
        return bump(store, worker, rounds)
    finally:
        store.close()


def snapshot(store: MetadataStore) -> tuple[Any, ...]:
    """All that a store answers, to compare before with after."""
    return (
        store.get(RegistryKey()),
        everything(store, ModelQuery()),
        everything(store, VersionQuery(deleted=None)),
        everything(store, BlobQuery()),
        list(store.events(0, 10_000)),
    )


# --- the contract ----------------------------------------------------------------------------------------------------


class MetadataContract:
    """Behaviour of every store; subclasses give a migrated, empty ``store``."""

    @pytest.fixture
    def store(self) -> Iterator[MetadataStore]:
        raise NotImplementedError("a subclass gives the store")

    # --- one record ---

    def test_an_empty_store_has_nothing(self, store: MetadataStore) -> None:
        assert store.get(RegistryKey()) is None
        assert store.get(ModelKey("fraud")) is None
        assert store.get(VersionKey("x")) is None
        assert snapshot(store) == (None, [], [], [], [])
        assert list(store.check()) == []

    def test_every_field_of_a_version_comes_back_as_it_was(self, store: MetadataStore) -> None:
        version = a_full_version()
        seed(store, a_model(), version)
        assert store.get(VersionKey(version.model_id)) == version

    def test_a_version_is_found_by_id_by_number_and_by_label(self, store: MetadataStore) -> None:
        version = a_version(7, version="v1.7.0")
        seed(store, a_model(), version)
        for key in (VersionKey(version.model_id), NumberKey("fraud", 7), LabelKey("fraud", "1.7.0")):
            assert store.get(key) == version

    def test_the_clients_path_is_not_stored(self, store: MetadataStore) -> None:
        seed(store, a_model(), a_version(artifact_path="/somewhere"))
        found = store.get(NumberKey("fraud", 1))
        assert found is not None
        assert found.artifact_path == ""

    def test_a_metric_that_is_not_a_number_stays_so(self, store: MetadataStore) -> None:
        seed(store, a_model(), a_version(metrics=(Metric(name="f1", value=NAN, at=T0, sd=NAN),)))
        found = store.get(NumberKey("fraud", 1))
        assert found is not None
        assert repr((found.metrics[0].value, found.metrics[0].sd)) == "(nan, nan)"

    def test_every_field_of_a_model_comes_back_as_it_was(self, store: MetadataStore) -> None:
        model = a_model(
            "Fraud Check",
            description="d",
            tags={"a": "b"},
            aliases={
                "champion": Alias(name="champion", number=3, model_id="x", protected=True, at=T0, by="ada")
            },
            last_number=3,
            latest="x",
            holders={"production": (3,), "staging": (1, 2)},
            sequence=9,
            head="ff",
            head_at=T0,
            updated_at=T0,
        )
        seed(store, model)
        assert store.get(ModelKey("fraud check")) == model
        assert store.get(SlugKey("fraud-check")) == model

    def test_registry_blobs_and_receipts_come_back_as_they_were(self, store: MetadataStore) -> None:
        registry = Registry(
            registry_id="r", format=1, created_at=T0, sequence=2, head="aa", head_at=T0, revision=1
        )
        scan = ScanReport(verdict="clean", globals=("a.b",))
        blob = a_blob(state="live", encoding="identity", scan=scan)
        receipt = Receipt(key="k", request="q", result={"model_id": "x"}, at=T0, revision=1)
        seed(store, registry, blob, receipt)
        assert store.get(RegistryKey()) == registry
        assert store.get(BlobKey(blob.digest)) == blob
        assert store.get(ReceiptKey("k")) == receipt

    # --- compare and set ---

    def test_a_write_on_the_expected_revision_lands(self, store: MetadataStore) -> None:
        seed(store, model := a_model())
        later = changed(model, description="new")
        seed(store, later)
        assert store.get(ModelKey("fraud")) == later

    @pytest.mark.parametrize(
        "record",
        [
            a_model(),
            a_version(),
            a_blob(),
            Source(kind="dataset", target="d", revision=1),
            Receipt(key="k", request="q", result={}, at=T0, revision=1),
            Registry(registry_id="r", format=1, created_at=T0, revision=1),
        ],
        ids=lambda record: type(record).__name__,
    )
    def test_no_record_is_written_over_another_revision(self, store: MetadataStore, record: Any) -> None:
        seed(store, record)
        before = snapshot(store)
        for stale in (record, replace(record, revision=3), replace(record, revision=9)):
            with pytest.raises(Conflict):
                seed(store, stale)
        assert snapshot(store) == before

    @pytest.mark.parametrize("moved", [0, 1, 2])
    @pytest.mark.parametrize(
        "make",
        [
            a_blob,
            a_version,
            lambda number: Receipt(key=str(number), request="q", result={}, at=T0, revision=1),
        ],
        ids=["blobs", "versions", "receipts"],
    )
    def test_of_many_records_none_is_written_if_others_moved_one(
        self, store: MetadataStore, make: Callable[[int], Any], moved: int
    ) -> None:
        """Moved by one revision, to the very one that the commit would have given it."""
        records = [make(number) for number in (1, 2, 3)]
        seed(store, a_model(), *records)
        theirs = changed(records[moved])
        seed(store, theirs)
        before = snapshot(store)
        ours = [replace(changed(record), **OTHERWISE[type(record)]) for record in records]
        with pytest.raises(Conflict):
            seed(store, a_blob(9), *ours, events=(an_event(),))
        assert snapshot(store) == before
        assert everything(store, ReceiptQuery()) in ([], [*records[:moved], theirs, *records[moved + 1 :]])

    @pytest.mark.parametrize(
        "record",
        [a_model(revision=2), a_version(revision=2), a_blob(revision=2)],
        ids=lambda record: type(record).__name__,
    )
    def test_what_is_not_there_cannot_be_updated(self, store: MetadataStore, record: Any) -> None:
        with pytest.raises(Conflict):
            seed(store, record)
        assert snapshot(store) == (None, [], [], [], [])

    def test_a_conflict_says_what_was_expected_and_found(self, store: MetadataStore) -> None:
        seed(store, a_model())
        with pytest.raises(Conflict, match=r"model fraud .*expected nothing, found revision 1") as caught:
            seed(store, a_model())
        assert caught.value.data == {"expected": 0, "found": 1}

    def test_a_revision_that_does_not_follow_is_refused(self, store: MetadataStore) -> None:
        with pytest.raises(InvalidInput, match="revision"):
            store.commit(Changes(puts=(Put(record=a_model(revision=4), expected=0),)))

    def test_one_record_cannot_be_written_twice_at_once(self, store: MetadataStore) -> None:
        with pytest.raises(InvalidInput, match="twice"):
            seed(store, a_model(), a_model(description="other"))

    # --- guards ---

    @pytest.mark.parametrize(
        "key",
        [
            ModelKey("fraud"),
            SlugKey("fraud"),
            VersionKey(a_version().model_id),
            NumberKey("fraud", 1),
            LabelKey("fraud", "1.1.0"),
            BlobKey(sha(1)),
            SourceKey("dataset", "d"),
            ReceiptKey("k"),
            RegistryKey(),
        ],
        ids=lambda key: type(key).__name__,
    )
    def test_a_guard_holds_only_at_its_revision(self, store: MetadataStore, key: Any) -> None:
        absent, present = Guard(key=key, expected=0), Guard(key=key, expected=1)
        other = a_blob(99)
        with pytest.raises(Conflict):
            store.commit(Changes(puts=(put(other),), guards=(present,)))
        store.commit(Changes(puts=(put(other),), guards=(absent,)))
        receipt = Receipt(key="k", request="q", result={}, at=T0, revision=1)
        registry = Registry(registry_id="r", format=1, created_at=T0, revision=1)
        source = Source(kind="dataset", target="d", revision=1)
        seed(store, a_model(), a_version(), a_blob(), source, receipt, registry)
        with pytest.raises(Conflict):
            store.commit(Changes(puts=(put(changed(other)),), guards=(absent,)))
        store.commit(Changes(puts=(put(changed(other)),), guards=(present,)))

    def test_a_failed_guard_leaves_no_trace(self, store: MetadataStore) -> None:
        seed(store, a_model(), events=(an_event(1),))
        before = snapshot(store)
        with pytest.raises(Conflict):
            store.commit(
                Changes(
                    puts=(put(a_version()), put(a_blob())),
                    guards=(Guard(key=ModelKey("fraud"), expected=2),),
                    events=(an_event(2, after={"stage:production": [1]}),),
                )
            )
        assert snapshot(store) == before
        assert everything(store, MoveQuery(model_key="fraud", pointer="stage:production")) == []

    # --- dropping ---

    def test_blobs_and_receipts_can_be_dropped_at_their_revision(self, store: MetadataStore) -> None:
        seed(store, a_blob(), Receipt(key="k", request="q", result={}, at=T0, revision=1))
        for key in (BlobKey(sha(1)), ReceiptKey("k")):
            with pytest.raises(Conflict):
                store.commit(Changes(drops=(Drop(key=key, expected=2),)))
            store.commit(Changes(drops=(Drop(key=key, expected=1),)))
            assert store.get(key) is None
            with pytest.raises(Conflict):
                store.commit(Changes(drops=(Drop(key=key, expected=1),)))

    def test_receipts_are_listed_by_their_keys(self, store: MetadataStore) -> None:
        assert everything(store, ReceiptQuery()) == []
        receipts = [Receipt(key=key, request="q", result={}, at=T0, revision=1) for key in "aBcé"]
        seed(store, *reversed(receipts))
        by_code_point = sorted(receipts, key=lambda receipt: receipt.key)
        assert everything(store, ReceiptQuery(limit=1)) == by_code_point

    def test_nothing_else_can_be_dropped(self, store: MetadataStore) -> None:
        seed(store, a_model())
        with pytest.raises(InvalidInput):
            store.commit(Changes(drops=(Drop(key=ModelKey("fraud"), expected=1),)))  # type: ignore[arg-type]
        assert store.get(ModelKey("fraud")) is not None

    # --- uniqueness ---

    @pytest.mark.parametrize(
        "second",
        [
            a_version(2, version="1.1.0"),
            a_version(2, version="v1.1.0"),
            a_version(1, version="other", model_id="another"),
        ],
        ids=["label", "label but for a v", "number"],
    )
    def test_numbers_and_labels_are_given_once_per_model(
        self, store: MetadataStore, second: ModelVersion
    ) -> None:
        seed(store, a_model(), a_version(1))
        with pytest.raises(Conflict, match=r"label|number"):
            seed(store, second)
        assert numbers(everything(store, VersionQuery())) == [1]

    def test_one_commit_cannot_give_a_label_twice(self, store: MetadataStore) -> None:
        with pytest.raises(Conflict):
            seed(store, a_model(), a_version(1, version="x"), a_version(2, version="x"))
        assert everything(store, VersionQuery()) == []

    def test_a_deleted_version_keeps_its_number_and_label(self, store: MetadataStore) -> None:
        seed(store, a_model(), a_version(1, deleted_at=T0))
        with pytest.raises(Conflict):
            seed(store, a_version(2, version="1.1.0"))

    def test_models_of_other_names_may_use_the_same_labels(self, store: MetadataStore) -> None:
        seed(store, a_model(), a_version(), a_model("churn"), a_version(1, "churn"))
        assert len(everything(store, VersionQuery())) == 2

    def test_two_models_cannot_share_a_slug(self, store: MetadataStore) -> None:
        seed(store, a_model("fraud", slug="s"))
        with pytest.raises(Conflict, match="slug"):
            seed(store, a_model("churn", slug="s"))
        assert store.get(ModelKey("churn")) is None

    def test_an_event_of_a_chain_is_written_once(self, store: MetadataStore) -> None:
        seed(store, events=(an_event(1),))
        with pytest.raises(Conflict):
            seed(store, a_blob(), events=(an_event(1, action="other"),))
        assert store.get(BlobKey(sha(1))) is None
        assert len(store.events(0, 10)) == 1

    # --- one holder of a stage ---

    def test_a_second_version_cannot_enter_a_stage_of_one_holder(self, store: MetadataStore) -> None:
        seed(store, a_model(), first := a_version(1, stage=ModelStage.PRODUCTION), a_version(2))
        with pytest.raises(Conflict, match=r"fraud/production|holder"):
            seed(store, changed(a_version(2), stage=ModelStage.PRODUCTION))
        assert store.get(VersionKey(first.model_id)) == first

    @pytest.mark.parametrize("newcomer_first", [True, False])
    def test_holders_change_places_in_one_commit(self, store: MetadataStore, newcomer_first: bool) -> None:
        old, new = a_version(1, stage=ModelStage.PRODUCTION), a_version(2)
        seed(store, a_model(), old, new)
        step = [changed(new, stage=ModelStage.PRODUCTION), changed(old, stage=ModelStage.DEPRECATED)]
        seed(store, *(step if newcomer_first else step[::-1]))
        found = everything(store, VersionQuery(where=Compare(Field("stage"), "=", "production")))
        assert numbers(found) == [2]

    def test_a_deleted_version_holds_no_stage(self, store: MetadataStore) -> None:
        seed(store, a_model(), a_version(1, stage=ModelStage.PRODUCTION, deleted_at=T0))
        seed(store, a_version(2, stage=ModelStage.PRODUCTION))
        assert len(everything(store, VersionQuery(deleted=None))) == 2

    def test_a_policy_that_allows_several_holders_is_obeyed(self, store: MetadataStore) -> None:
        many = replace(DEFAULT, holders={"production": 0})
        seed(store, model := a_model(policy=many))
        seed(store, a_version(1, stage=ModelStage.PRODUCTION), a_version(2, stage=ModelStage.PRODUCTION))
        with pytest.raises(Conflict):
            seed(store, changed(model, policy=DEFAULT))
        seed(store, changed(a_version(1), stage=ModelStage.DEPRECATED), changed(model, policy=DEFAULT))
        with pytest.raises(Conflict):
            seed(store, a_version(3, stage=ModelStage.PRODUCTION))

    # --- events and moves ---

    def test_events_come_in_the_order_of_their_commits(self, store: MetadataStore) -> None:
        seed(store, events=(an_event(1), an_event(1, "churn")))
        seed(store, events=(an_event(2),))
        log = store.events(0, 10)
        assert [(item.event.model, item.event.sequence) for item in log] == [
            ("fraud", 1),
            ("churn", 1),
            ("fraud", 2),
        ]
        assert [item.position for item in log] == sorted({item.position for item in log})

    def test_a_reader_continues_behind_the_last_position(self, store: MetadataStore) -> None:
        seed(store, events=tuple(an_event(n) for n in range(1, 8)))
        seen, after = [], 0
        while batch := store.events(after, 3):
            assert len(batch) <= 3
            seen += [item.event.sequence for item in batch]
            after = batch[-1].position
        assert seen == list(range(1, 8))

    def test_a_refused_commit_takes_no_position(self, store: MetadataStore) -> None:
        seed(store, a_model(), events=(an_event(1),))
        with pytest.raises(Conflict):
            seed(store, a_model(), events=(an_event(2),))
        seed(store, events=(an_event(2, action="again"),))
        assert [item.event.action for item in store.events(0, 10)] == ["test", "again"]

    def test_every_field_of_an_event_comes_back_as_it_was(self, store: MetadataStore) -> None:
        event = an_event(
            before={"version:1.stage": "testing"},
            after={"version:1.stage": "staging", "stage:staging": [1]},
            reason="why",
            request_id="r",
            previous_hash="0" * 64,
        )
        seed(store, events=(event,))
        assert store.events(0, 1)[0].event == event
        assert store.find(EventQuery(model_key="fraud")).items == (event,)

    def test_a_chain_is_read_from_both_ends_and_by_subject(self, store: MetadataStore) -> None:
        events = tuple(an_event(n, subject=f"version:{n % 2}") for n in range(1, 7))
        seed(store, events=(*events, an_event(1, ""), an_event(1, "churn")))
        assert everything(store, EventQuery(model_key="fraud", limit=4)) == list(events)
        assert everything(store, EventQuery(model_key="fraud", newest_first=True, limit=1)) == list(
            events[::-1]
        )
        odd = everything(store, EventQuery(model_key="fraud", subject="version:1", limit=2))
        assert [event.sequence for event in odd] == [1, 3, 5]
        assert [event.model for event in everything(store, EventQuery(model_key=""))] == [""]
        assert len(everything(store, EventQuery(model_key=None, limit=3))) == 8

    def test_an_event_belongs_to_everything_it_touches(self, store: MetadataStore) -> None:
        events = (
            an_event(
                1, subject="version:11", after={"stage:production": [11], "version:1.stage": "deprecated"}
            ),
            an_event(2, subject="alias:champion", before={"alias:champion": 1}, after={"alias:champion": 2}),
            an_event(3, subject="policy", after={"policy": {}}),
        )
        seed(store, events=events)
        expected = {
            "version:1": [1, 2],
            "version:2": [2],
            "version:11": [1],
            "alias:champion": [2],
            "version:3": [],
        }
        for subject, sequences in expected.items():
            found = everything(store, EventQuery(model_key="fraud", subject=subject))
            assert [event.sequence for event in found] == sequences

    def test_a_chain_is_read_up_to_an_instant(self, store: MetadataStore) -> None:
        seed(store, events=tuple(an_event(n) for n in range(1, 5)))
        query = EventQuery(model_key="fraud", until=T0 + timedelta(seconds=2), newest_first=True)
        assert [event.sequence for event in everything(store, query)] == [2, 1]

    def test_moves_follow_from_the_events_newest_first(self, store: MetadataStore) -> None:
        events = (
            an_event(1, after={"alias:champion": 1, "stage:production": [1]}),
            an_event(2, after={"version:1.stage": "testing"}),
            an_event(3, after={"alias:champion": 2}),
            an_event(4, after={"alias:champion": None}),
        )
        seed(store, events=events)
        found = everything(store, MoveQuery(model_key="fraud", pointer="alias:champion", limit=2))
        assert found == [moves(events[3])[0], moves(events[2])[0], moves(events[0])[0]]
        assert [move.number for move in found] == [None, 2, 1]

    def test_a_pointer_is_known_at_every_instant(self, store: MetadataStore) -> None:
        seed(store, events=tuple(an_event(n, after={"alias:a": n}) for n in range(1, 6)))
        for n in range(1, 6):
            for wait in (timedelta(0), timedelta(microseconds=999_999)):
                until = T0 + timedelta(seconds=n) + wait
                page = store.find(MoveQuery(model_key="fraud", pointer="alias:a", until=until, limit=1))
                assert numbers(page.items) == [n]
        before = T0 + timedelta(seconds=1) - timedelta(microseconds=1)
        assert store.find(MoveQuery(model_key="fraud", pointer="alias:a", until=before)).items == ()

    # --- searching versions ---

    def test_versions_come_newest_first_and_ties_by_id_descending(self, store: MetadataStore) -> None:
        seed(
            store, a_model(), *(a_version(n, created_at=T0 + timedelta(seconds=n // 2)) for n in range(1, 8))
        )
        assert numbers(everything(store, VersionQuery())) == [7, 6, 5, 4, 3, 2, 1]

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
    def test_pages_neither_repeat_nor_skip(self, store: MetadataStore, limit: int) -> None:
        seed(store, a_model(), *(a_version(n, created_at=T0) for n in range(1, 8)))
        assert numbers(everything(store, VersionQuery(limit=limit))) == [7, 6, 5, 4, 3, 2, 1]

    def test_a_page_that_holds_all_has_no_next(self, store: MetadataStore) -> None:
        seed(store, a_model(), a_version(1), a_version(2))
        assert store.find(VersionQuery(limit=2)).next is None
        assert store.find(VersionQuery(limit=1)).next is not None

    def test_what_arrives_while_paging_moves_nothing(self, store: MetadataStore) -> None:
        seed(store, a_model(), *(a_version(n) for n in range(1, 6)))
        query = VersionQuery(limit=2)
        first = store.find(query)
        seed(store, a_version(9), changed(a_version(4), deleted_at=T0))
        rest = everything(store, replace(query, after=first.next))
        assert numbers(first.items) + numbers(rest) == [5, 4, 3, 2, 1]

    @pytest.mark.parametrize("cursor", ["", "nonsense", "AAAA", "ü", "=" * 9])
    def test_a_damaged_cursor_is_refused(self, store: MetadataStore, cursor: str) -> None:
        for query in (VersionQuery(after=cursor), ModelQuery(after=cursor), BlobQuery(after=cursor)):
            with pytest.raises(InvalidQuery):
                store.find(query)

    def test_a_cursor_of_another_question_is_refused(self, store: MetadataStore) -> None:
        seed(store, a_model(), a_version(1), a_version(2))
        cursor = store.find(VersionQuery(limit=1)).next
        with pytest.raises(InvalidQuery):
            store.find(VersionQuery(limit=1, model_key="fraud", after=cursor))

    def test_deleted_versions_are_hidden_unless_asked_for(self, store: MetadataStore) -> None:
        seed(store, a_model(), a_version(1), a_version(2, deleted_at=T0), a_version(3, collected_at=T0))
        assert numbers(everything(store, VersionQuery())) == [1]
        assert numbers(everything(store, VersionQuery(deleted=True))) == [3, 2]
        assert numbers(everything(store, VersionQuery(deleted=None))) == [3, 2, 1]

    def test_versions_are_found_by_model_and_by_digest(self, store: MetadataStore) -> None:
        seed(store, a_model(), a_model("churn"))
        seed(
            store,
            a_version(1, digest=sha(1)),
            a_version(1, "churn"),
        )
        assert [v.name for v in everything(store, VersionQuery(model_key="churn"))] == ["churn"]
        assert [v.name for v in everything(store, VersionQuery(digest=sha(1)))] == ["fraud"]

    def test_versions_are_found_by_the_bytes_they_keep(self, store: MetadataStore) -> None:
        shared = FileEntry(path="a", size=1, digest=sha(8))
        seed(
            store,
            a_model(),
            a_version(1, files=(shared,)),
            a_version(2, files=(replace(shared, digest=sha(9)),)),
            a_version(3, files=(shared,), deleted_at=T0, collected_at=T0),
        )
        assert numbers(everything(store, VersionQuery(file=sha(8), deleted=None))) == [1]
        assert numbers(everything(store, VersionQuery(file=sha(7)))) == []

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            (Compare(Field("metrics", ("f1",)), ">", 0.8), [3]),
            (Compare(Field("metrics", ("f1",)), "!=", 0.5), [4, 3, 2]),
            (Not(Compare(Field("metrics", ("f1",)), ">", 0.8)), [4, 2, 1]),
            (Exists(Field("metrics", ("f1",))), [3, 2, 1]),
            (Compare(Field("tags", ("team",)), "=", "risk"), [3, 1]),
            (Compare(Field("tags", ("team",)), "~", "RIS"), [3, 1]),
            (In(Field("params", ("C",)), (1, "one", True)), [3, 2, 1]),
            (Compare(Field("params", ("C",)), "=", True), [3]),
            (Compare(Field("params", ("C",)), "=", 1), [1]),
            (Compare(Field("attributes", ("a", "b")), ">=", 2), [2]),
            (Compare(Field("checks", ("ok",)), "=", False), [2]),
            (Compare(Field("alias"), "=", "b"), [2]),
            (Compare(Field("dataset"), "=", "d2"), [1]),
            (Compare(Field("label"), ">", "1.2"), [4, 3]),
            (Compare(Field("label"), "=", "v1.2.0"), [2]),
            (Compare(Field("name"), "=", "FRAUD"), [4, 3, 2, 1]),
            (Compare(Field("created"), "<", T0 + timedelta(seconds=3)), [2, 1]),
            (Compare(Field("size"), ">", 6), [1]),
            (Compare(Field("scan"), "=", "clean"), [4, 3, 2, 1]),
            (Text("STRASSE"), [2]),
            (Text("am=ri"), [3, 1]),
            (Text("x"), [4]),
            (And((Text("fraud"), Compare(Field("number"), "<", 3))), [2, 1]),
            (Or((Compare(Field("number"), "=", 1), Compare(Field("stage"), "=", "archived"))), [4, 1]),
        ],
        ids=repr,
    )
    def test_a_filter_keeps_what_it_says(
        self, store: MetadataStore, where: Expr, expected: list[int]
    ) -> None:
        def f1(value: float) -> tuple[Metric, ...]:
            return (Metric(name="f1", value=value, at=T0),)

        seed(
            store,
            a_model(),
            a_version(
                1,
                metrics=f1(0.5),
                tags={"team": "risk"},
                hyperparams={"C": 1},
                lineage=(LineageEdge(kind="dataset", target="d1"), LineageEdge(kind="dataset", target="d2")),
                files=(FileEntry(path="m", size=7, digest=sha(1)),),
            ),
            a_version(
                2,
                metrics=f1(NAN),
                hyperparams={"C": "one"},
                attributes={"a": {"b": 2}},
                checks={"ok": Check(name="ok", passed=False, at=T0)},
                aliases=("a", "b"),
                description="Straße",
            ),
            a_version(3, metrics=f1(0.9), tags={"team": "risk"}, hyperparams={"C": True}),
            a_version(4, description="x", stage=ModelStage.ARCHIVED),
        )
        assert numbers(everything(store, VersionQuery(where=where, limit=2))) == expected

    @pytest.mark.parametrize(
        ("order", "expected"),
        [
            ((Order(Field("metrics", ("f1",)), True),), [3, 1, 5, 4, 2]),
            ((Order(Field("metrics", ("f1",))),), [1, 3, 5, 4, 2]),
            ((Order(Field("label")),), [4, 1, 2, 3, 5]),
            ((Order(Field("tags", ("t",)), True), Order(Field("number"))), [2, 1, 3, 4, 5]),
            ((Order(Field("params", ("p",))),), [2, 1, 3, 5, 4]),
            ((Order(Field("params", ("p",)), True),), [3, 1, 2, 5, 4]),
            ((Order(Field("stage"), True), Order(Field("created"))), [5, 1, 2, 3, 4]),
        ],
        ids=repr,
    )
    def test_an_order_is_kept_across_pages(
        self, store: MetadataStore, order: tuple[Order, ...], expected: list[int]
    ) -> None:
        def f1(value: float) -> tuple[Metric, ...]:
            return (Metric(name="f1", value=value, at=T0),)

        seed(
            store,
            a_model(),
            a_version(1, metrics=f1(0.5), tags={"t": "a"}, hyperparams={"p": 2}, version="1.9.0"),
            a_version(2, metrics=f1(NAN), tags={"t": "b"}, hyperparams={"p": True}, version="1.10.0"),
            a_version(3, metrics=f1(0.9), tags={"t": "a"}, hyperparams={"p": "text"}, version="2.0.0"),
            a_version(4, hyperparams={"p": None}, version="free"),
            a_version(5, hyperparams={"p": [1]}, version="10.0.0", stage=ModelStage.ARCHIVED),
        )
        assert numbers(everything(store, VersionQuery(order=order, limit=1))) == expected
        assert numbers(everything(store, VersionQuery(order=order))) == expected

    def test_what_is_searched_follows_every_change(self, store: MetadataStore) -> None:
        version = a_version(tags={"a": "1"}, description="old words", aliases=("x",))
        seed(store, a_model(), version)
        seed(store, changed(version, tags={"a": "2", "b": "3"}, description="new words", aliases=()))
        for where, there in (
            (Compare(Field("tags", ("a",)), "=", "1"), False),
            (Compare(Field("tags", ("a",)), "=", "2"), True),
            (Compare(Field("tags", ("b",)), "=", "3"), True),
            (Text("old words"), False),
            (Text("new words"), True),
            (Exists(Field("alias")), False),
        ):
            assert bool(everything(store, VersionQuery(where=where))) is there, where

    # --- other searches ---

    def test_models_come_by_name_and_contain_what_was_asked(self, store: MetadataStore) -> None:
        seed(
            store,
            a_model("b", description="Größe"),
            a_model("C"),
            a_model("a", tags={"team": "risk"}),
            a_model("Ab"),
        )
        assert [m.name for m in everything(store, ModelQuery(limit=1))] == ["Ab", "C", "a", "b"]
        assert [m.name for m in everything(store, ModelQuery(contains="GRÖSSE"))] == ["b"]
        assert [m.name for m in everything(store, ModelQuery(contains="team=ri"))] == ["a"]
        assert [m.name for m in everything(store, ModelQuery(contains="a", limit=1))] == ["Ab", "a"]

    def test_blobs_are_found_by_what_is_known_of_them(self, store: MetadataStore) -> None:
        seed(
            store,
            a_blob(1),
            a_blob(2, state="deleting"),
            a_blob(3, touched_at=T0 + timedelta(days=1)),
        )
        every = [sha(1), sha(2), sha(3)]
        assert [b.digest for b in everything(store, BlobQuery(limit=2))] == every
        assert [b.digest for b in everything(store, BlobQuery(state="deleting"))] == [sha(2)]
        assert [b.digest for b in everything(store, BlobQuery(digest=sha(1)))] == [sha(1)]
        some = BlobQuery(among=(sha(2), sha(1), sha(99)), limit=1)
        assert [b.digest for b in everything(store, some)] == sorted([sha(1), sha(2)])
        assert not list(everything(store, BlobQuery(among=())))
        assert everything(store, BlobQuery(digest=sha(1), state="deleting")) == []
        assert [b.digest for b in everything(store, BlobQuery(idle_since=T0))] == [sha(1), sha(2)]

    def test_bytes_are_referenced_until_their_version_is_collected(self, store: MetadataStore) -> None:
        version = a_version(files=(FileEntry(path="m", size=1, digest=sha(1)),))
        seed(store, a_model(), version, a_blob(1), a_blob(2))
        loose = BlobQuery(unreferenced=True, limit=1)
        assert [b.digest for b in everything(store, loose)] == [sha(2)]
        seed(store, gone := changed(version, deleted_at=T0))
        assert [b.digest for b in everything(store, loose)] == [sha(2)]
        seed(store, changed(gone, collected_at=T0))
        assert [b.digest for b in everything(store, loose)] == [sha(1), sha(2)]

    def test_edges_are_found_from_either_end_deleted_versions_included(self, store: MetadataStore) -> None:
        dataset, parent = LineageEdge(kind="dataset", target="d"), LineageEdge(kind="parent", target="d")
        one = a_version(1, lineage=(dataset, dataset), links=(LineageEdge(kind="run", target="r"),))
        two = a_version(2, lineage=(parent,), deleted_at=T0, collected_at=T0)
        seed(store, a_model(), one, two, a_version(3))
        first, second = one.model_id, two.model_id
        expected = [(first, "dataset", "d"), (first, "run", "r"), (second, "parent", "d")]
        for query, kept in (
            (EdgeQuery(of=(first, second)), expected),
            (EdgeQuery(to=("d", "nothing")), [expected[0], expected[2]]),
            (EdgeQuery(of=(first,), to=("d",)), expected),
            (EdgeQuery(of=("nobody",)), []),
            (EdgeQuery(), []),
        ):
            for limit in (1, 2, 500):
                found = everything(store, replace(query, limit=limit))
                assert [(edge.model_id, edge.kind, edge.target) for edge in found] == kept

    def test_edges_follow_every_change(self, store: MetadataStore) -> None:
        links = tuple(LineageEdge(kind="run", target=target) for target in "abc")
        seed(store, a_model(), version := a_version(1, links=links[:2]))
        seed(store, version := changed(version, links=links[1:]))
        assert [edge.target for edge in everything(store, EdgeQuery(of=(version.model_id,)))] == ["b", "c"]
        assert everything(store, EdgeQuery(to=("a",))) == []
        assert list(store.check()) == []

    def test_versions_are_told_in_short(self, store: MetadataStore) -> None:
        gone = Withdrawal(reason="x", at=T0)
        made = [
            a_version(1, stage=ModelStage.ARCHIVED),
            a_version(2, deleted_at=T0),
            a_version(3, withdrawn=gone),
        ]
        seed(store, a_model(), *made)
        seed(store, changed(made[0], description="again"))
        ids = tuple(version.model_id for version in made)
        briefs = [
            Brief(model_id=ids[0], name="fraud", number=1, version="1.1.0", stage="archived", revision=2),
            Brief(
                model_id=ids[1],
                name="fraud",
                number=2,
                version="1.2.0",
                stage="development",
                deleted=True,
                revision=1,
            ),
            Brief(
                model_id=ids[2],
                name="fraud",
                number=3,
                version="1.3.0",
                stage="development",
                withdrawn=True,
                revision=1,
            ),
        ]
        for limit in (1, 500):
            query = BriefQuery(ids=(*reversed(ids), "nobody", ids[0]), limit=limit)
            assert everything(store, query) == briefs
        assert everything(store, BriefQuery(ids=())) == []

    def test_sources_come_back_as_they_were_by_kind_and_name(self, store: MetadataStore) -> None:
        gone = Withdrawal(reason="x", at=T0, by="ada")
        made = [
            Source(kind="base_model", target="b", revision=1),
            Source(kind="dataset", target="a", withdrawn=gone, revision=1),
            Source(kind="dataset", target="b", revision=1),
        ]
        seed(store, *reversed(made))
        for limit in (1, 2, 100):
            assert everything(store, SourceQuery(limit=limit)) == made
        assert store.get(SourceKey("dataset", "a")) == made[1]
        assert store.get(SourceKey("code", "a")) is None
        seed(store, changed(made[1], withdrawn=None))
        assert store.get(SourceKey("dataset", "a")) == Source(kind="dataset", target="a", revision=2)
        assert list(store.check()) == []

    def test_counts_leave_out_the_deleted(self, store: MetadataStore) -> None:
        file = FileEntry(path="m", size=7, digest=sha(1))
        seed(
            store,
            a_model(),
            a_version(1, framework="torch", files=(file,)),
            a_version(2, framework="torch", files=(file,), stage=ModelStage.TESTING),
            a_version(3, framework="jax"),
            a_version(4, framework="jax", deleted_at=T0),
        )
        counts = [(t.value, t.count, t.size) for t in store.find(TallyQuery(by="framework")).items]
        assert counts == [("torch", 2, 14), ("jax", 1, 0)]
        stages = [(t.value, t.count) for t in store.find(TallyQuery(by="stage")).items]
        assert stages == [("development", 2), ("testing", 1)]
        assert len(store.find(TallyQuery(by="framework", limit=1)).items) == 1
        with pytest.raises(InvalidQuery):
            store.find(TallyQuery(by="doc"))

    def test_counts_can_be_of_one_namespace(self, store: MetadataStore) -> None:
        file = FileEntry(path="m", size=7, digest=sha(1))
        names = ("risk", "risk/a", "risk/é", "risk0", "risk-a/b", "risl/a")
        for name in names:
            seed(store, a_model(name), a_version(1, name, files=(file,)))
        seed(store, a_version(2, "risk/a", files=(file,), deleted_at=T0))
        below = store.find(TallyQuery(by="name", namespace="risk")).items
        assert [(t.value, t.count, t.size) for t in below] == [("risk/a", 1, 7), ("risk/é", 1, 7)]
        assert store.find(TallyQuery(by="name", namespace="nobody")).items == ()

    def test_counts_can_be_of_one_model_or_of_everything(self, store: MetadataStore) -> None:
        file = FileEntry(path="m", size=7, digest=sha(1))
        seed(
            store,
            a_model(),
            a_model("churn"),
            a_version(1, files=(file,)),
            a_version(2),
            a_version(1, "churn"),
        )
        seed(store, a_blob(5), a_blob(6, state="deleting"), a_blob(7, state="deleted"))
        by_stage = store.find(TallyQuery(by="stage", model_key="fraud")).items
        assert [(t.value, t.count, t.size) for t in by_stage] == [("development", 2, 7)]
        assert store.find(TallyQuery(by="stage", model_key="nobody")).items == ()
        assert [(t.count, t.size) for t in store.find(TallyQuery(by="model")).items] == [(2, 0)]
        assert [(t.count, t.size) for t in store.find(TallyQuery(by="blob")).items] == [(2, 11)]

    # --- threads ---

    def test_concurrent_decisions_on_one_model_never_overwrite_each_other(self, store: MetadataStore) -> None:
        seed(store, a_model())
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda worker: bump(store, worker, 20), range(8)))
        model = store.get(ModelKey("fraud"))
        assert model is not None
        assert (model.sequence, model.revision) == (160, 161)
        assert [item.event.sequence for item in store.events(0, 1000)] == list(range(1, 161))

    def test_readers_see_whole_commits_only(self, store: MetadataStore) -> None:
        seed(store, a_model(), *(a_version(n, tags={"round": "0"}) for n in (1, 2, 3)))

        def write() -> None:
            versions = [a_version(n, tags={"round": "0"}) for n in (1, 2, 3)]
            for turn in range(1, 31):
                versions = [changed(version, tags={"round": str(turn)}) for version in versions]
                seed(store, *versions)

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            seen: list[set[str]] = []
            while not writing.done():
                seen.append({version.tags["round"] for version in store.find(VersionQuery()).items})
            writing.result()
        assert all(len(rounds) == 1 for rounds in seen)

    # --- the end ---

    def test_migrating_again_changes_nothing(self, store: MetadataStore) -> None:
        seed(store, a_model(), a_version(), events=(an_event(),))
        before = snapshot(store)
        store.migrate()
        assert snapshot(store) == before

    def test_a_used_store_has_no_findings(self, store: MetadataStore) -> None:
        seed(store, a_model(), a_full_version(), a_blob(), events=(an_event(after={"alias:a": 1}),))
        seed(store, changed(a_full_version(), tags={}, metrics=()))
        assert list(store.check()) == []


class DurableMetadataContract(MetadataContract):
    """A store whose records outlive it, so that several processes can share them and damage can be seen."""

    def opener(self, store: MetadataStore) -> Callable[[], MetadataStore]:
        """A picklable function that opens another store over the same records."""
        raise NotImplementedError

    def damage(
        self, store: MetadataStore, key: VersionKey | ModelKey | BlobKey | ReceiptKey | RegistryKey
    ) -> None:
        """Change one stored record around the store."""
        raise NotImplementedError

    def damage_event(self, store: MetadataStore, position: int) -> None:
        """Change one stored event around the store."""
        raise NotImplementedError

    def in_flight(self, store: MetadataStore, changes: Changes) -> AbstractContextManager[None]:
        """Do all of a commit but its end; end it on leaving."""
        raise NotImplementedError

    def test_records_outlive_the_store(self, store: MetadataStore) -> None:
        seed(store, a_model(), a_full_version(), a_blob(), events=(an_event(after={"alias:a": 1}),))
        before = snapshot(store)
        opener = self.opener(store)
        store.close()
        again = opener()
        again.migrate()
        assert snapshot(again) == before
        again.close()

    def test_two_stores_over_the_same_records_see_each_other(self, store: MetadataStore) -> None:
        other = self.opener(store)()
        seed(store, a_model())
        assert other.get(ModelKey("fraud")) == a_model()
        with pytest.raises(Conflict):
            seed(other, a_model())
        other.close()

    def test_a_closed_store_says_so(self, store: MetadataStore) -> None:
        store.close()
        with pytest.raises(StorageError, match="closed"):
            store.get(ModelKey("fraud"))

    @pytest.mark.parametrize(
        "key",
        [
            VersionKey(a_version().model_id),
            ModelKey("fraud"),
            BlobKey(sha(1)),
            SourceKey("dataset", "d"),
            ReceiptKey("k"),
            RegistryKey(),
        ],
        ids=lambda key: type(key).__name__,
    )
    def test_a_record_changed_behind_the_store_is_never_answered(
        self, store: MetadataStore, key: Any
    ) -> None:
        receipt = Receipt(key="k", request="q", result={}, at=T0, revision=1)
        registry = Registry(registry_id="r", format=1, created_at=T0, revision=1)
        source = Source(kind="dataset", target="d", revision=1)
        seed(store, a_model(), a_version(), a_blob(), source, receipt, registry)
        assert list(store.check()) == []
        self.damage(store, key)
        with pytest.raises(IntegrityError):
            store.get(key)
        assert len(store.check()) >= 1

    def test_damage_is_noticed_by_searches_too(self, store: MetadataStore) -> None:
        seed(store, a_model(), a_version(), a_blob())
        for key, query in (
            (VersionKey(a_version().model_id), VersionQuery()),
            (ModelKey("fraud"), ModelQuery()),
            (BlobKey(sha(1)), BlobQuery()),
        ):
            self.damage(store, key)
            with pytest.raises(IntegrityError):
                store.find(query)

    def test_a_changed_event_is_never_answered(self, store: MetadataStore) -> None:
        seed(store, events=(an_event(1), an_event(2, after={"alias:a": 1})))
        self.damage_event(store, 2)
        for question in (
            lambda: store.events(0, 10),
            lambda: store.find(EventQuery(model_key="fraud")),
            lambda: store.find(MoveQuery(model_key="fraud", pointer="alias:a")),
        ):
            with pytest.raises(IntegrityError):
                question()
        assert [line for line in store.check() if "event 2" in line]

    def test_a_reader_never_skips_an_event_whose_commit_is_in_flight(self, store: MetadataStore) -> None:
        seen: list[int] = []

        def read() -> None:
            after = store.events(0, 1000)[len(seen) - 1].position if seen else 0
            seen.extend(item.event.sequence for item in store.events(after, 1000))

        with ThreadPoolExecutor(1) as pool:
            with self.in_flight(store, Changes(events=(an_event(1),))):
                read()
                waiting = pool.submit(seed, self.opener(store)(), events=(an_event(2),))
                read()
            waiting.result()
        read()
        assert sorted(seen) == [1, 2]

    def test_processes_never_overwrite_each_other(self, store: MetadataStore) -> None:
        seed(store, a_model())
        opener = self.opener(store)
        with ProcessPoolExecutor(8, mp_context=multiprocessing.get_context("spawn")) as pool:
            list(pool.map(bump_elsewhere, [opener] * 8, range(8), [10] * 8))
        model = store.get(ModelKey("fraud"))
        assert model is not None
        assert (model.sequence, model.revision) == (80, 81)
        assert [item.event.sequence for item in store.events(0, 1000)] == list(range(1, 81))
        assert list(store.check()) == []

    def test_errors_are_ours(self, store: MetadataStore) -> None:
        with pytest.raises(ModelyardError):
            seed(store, a_model(description="\ud800"))
        assert store.get(ModelKey("fraud")) is None
