"""The service that decides: reads, judges by the domain's pure rules, commits once, and tries again on a conflict."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from modelyard.domain.abtest_verdict import ExperimentVerdict
from modelyard.domain.answers import (
    Affected,
    AuditProof,
    Collected,
    Fsck,
    Imported,
    ModelStatus,
    Promotion,
    Retired,
    Rollback,
    Stats,
)
from modelyard.domain.compare import Comparison
from modelyard.domain.errors import Conflict
from modelyard.domain.experiments import Experiment
from modelyard.domain.lineage_graph import LineageGraph
from modelyard.domain.quota import Quotas
from modelyard.domain.records import Actor, Event, Model, ModelVersion
from modelyard.domain.sessions import Session
from modelyard.domain.tokens import NewToken, Token
from modelyard.ports import service as ask
from modelyard.ports.access import Access
from modelyard.ports.blobs import BlobInfo, BlobStore
from modelyard.ports.clock import Clock
from modelyard.ports.metadata import MetadataStore, Page
from modelyard.ports.scanner import Scanner
from modelyard.ports.service import Progress
from modelyard.ports.statistics import NoStatistics, Statistics
from modelyard.service import access as accessing
from modelyard.service import (
    aliases,
    audit,
    blobs,
    bulk,
    collection,
    comparison,
    deletion,
    experiments,
    facts,
    fsck,
    lineage,
    manifests,
    outcomes,
    promotion,
    queries,
    rollback,
    sessions,
    transfer,
    versions,
    withdrawals,
)
from modelyard.service.access import ServiceAccess
from modelyard.service.draft import Again, Draft
from modelyard.service.reasons import with_reason
from modelyard.service.recent import Recent

T = TypeVar("T")
LOG = logging.getLogger("modelyard")

PATIENCE = 30.0
"""Seconds that a commit keeps trying. Tombstones of blobs outlive this by far, which collection relies on."""

CROWDED = 0.5
"""Seconds after a lost race in which decisions are made alone from their first try."""

FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.25
"""Seconds. Immediate retries starve writers on a busy model; jittered, doubling pauses do not."""


@dataclass(slots=True)
class Crowd:
    """Until when, by ``time.monotonic``, races are likely: known to all views of one registry, whoever lost one."""

    until: float = 0.0


class LocalService:
    """``RegistryService`` over a metadata store and a blob store. Thread-safe if they are; holds no state of its own.

    Args:
        store: Records and events. Closed by ``close``.
        blob_store: Bytes. Closed by ``close``.
        manifest_store: Where copies of the manifests are kept beside the database.
        clock: Time, identifiers and pauses.
        scanner: Judges bytes before a version becomes visible.
        actor: Who every call is recorded as.
        enforce_steps: What happens to a chosen label whose step is smaller than the change of the signature calls for:
            ``warn``, ``refuse`` or ``off``.
        access: Who may call, shared by all views of one registry; made if it is not given.
        statistics: Makes the tests of comparisons; without it bare numbers are compared.
        quotas: How much is taken in.
    """

    def __init__(
        self,
        store: MetadataStore,
        blob_store: BlobStore,
        manifest_store: BlobStore,
        *,
        clock: Clock,
        scanner: Scanner,
        actor: Actor,
        statistics: Statistics | None = None,
        enforce_steps: str = "warn",
        access: Access | None = None,
        quotas: Quotas = Quotas(),  # noqa: B008  (frozen)
    ) -> None:
        self.store = store
        self.blobs = blob_store
        self.manifests = manifest_store
        self.clock = clock
        self.scanner = scanner
        self.actor = actor
        self.enforce_steps = enforce_steps
        self.statistics: Statistics = statistics or NoStatistics()
        self.quotas = quotas
        self.beneath = self
        """The registry itself, where this is a view of what it will be (``over``): for what is done at once."""
        self.recent = Recent()
        self._closed = False
        self._crowd = Crowd()
        self.access: Access = access or ServiceAccess(self)

    def as_actor(self, actor: Actor) -> LocalService:
        """The same registry on behalf of another caller."""
        view = self._view(self.store, self.blobs, actor)
        view._crowd = self._crowd
        return view

    def over(self, store: MetadataStore, blob_store: BlobStore) -> LocalService:
        """The same rules over other records and bytes: for a decision that sees its changes before they are made."""
        view = self._view(store, blob_store, self.actor)
        view.beneath = self
        return view

    def _view(self, store: MetadataStore, blob_store: BlobStore, actor: Actor) -> LocalService:
        view = LocalService(
            store,
            blob_store,
            self.manifests,
            clock=self.clock,
            scanner=self.scanner,
            actor=actor,
            statistics=self.statistics,
            enforce_steps=self.enforce_steps,
            access=self.access,
            quotas=self.quotas,
        )
        view.recent = self.recent
        return view

    @property
    def crowded(self) -> bool:
        """Whether others wait while a decision is made: whatever takes long is better done before."""
        return time.monotonic() < self._crowd.until

    def decide(self, step: Callable[[], tuple[T, Draft | None]]) -> T:
        """Run ``step`` (read and judge) and commit its draft; after a conflict wait a random moment and run it again.

        A ``Conflict`` that ``step`` itself raises is the caller's answer and is not tried again. Who lost a race asks
        the store to be alone, now and for a moment to come, so that a busy model starves nobody and nothing is decided
        in vain.
        """
        pause, deadline = FIRST_PAUSE, time.monotonic() + PATIENCE
        crowded = self.crowded
        while True:
            with self.store.alone() if crowded else nullcontext():
                result, obstacle = self._attempt(step)
            if obstacle is None:
                return cast(T, result)
            if time.monotonic() > deadline:
                raise Conflict(
                    f"gave up after {PATIENCE:.0f} s: {obstacle}. Nothing was changed; try again"
                ) from obstacle
            if crowded or isinstance(obstacle, Again):
                self.clock.pause(random.uniform(pause / 2, pause))  # noqa: S311 - jitter, not a secret
                pause = min(pause * 2, LONGEST_PAUSE)
            crowded = True
            self._crowd.until = time.monotonic() + CROWDED

    def _attempt(
        self, step: Callable[[], tuple[T, Draft | None]]
    ) -> tuple[T | None, Again | Conflict | None]:
        """One try: what was decided, or what stood in its way."""
        try:
            result, draft = step()
        except Again as busy:
            return None, busy
        if draft is not None:
            try:
                self.store.commit(draft.changes())
            except Conflict as conflict:
                return None, conflict
            _tell(draft)
        return result, None

    # --- versions ---------------------------------------------------------------------------------------------------

    def create_version(self, request: ask.CreateVersion) -> ModelVersion:
        return versions.create(self, request)

    def create_versions(self, request: ask.CreateVersions) -> tuple[ask.Created, ...]:
        return bulk.create(self, request)

    def get_version(self, ref: str) -> ModelVersion:
        return queries.get_version(self, ref)

    def get_model(self, name: str) -> Model:
        return queries.get_model(self, name)

    def search(self, request: ask.Search) -> Page[ModelVersion]:
        return queries.search(self, request)

    def list_models(self, contains: str = "", limit: int = 100, after: str | None = None) -> Page[Model]:
        return queries.list_models(self, contains, limit, after)

    def record_metrics(self, request: ask.RecordMetrics) -> ModelVersion:
        return facts.record_metrics(self, request)

    def record_check(self, request: ask.RecordCheck) -> ModelVersion:
        return facts.record_check(self, request)

    def annotate(self, request: ask.Annotate) -> ModelVersion | Model:
        return facts.annotate(self, request)

    def link(self, request: ask.Link) -> ModelVersion:
        return lineage.link(self, with_reason(request))

    def unlink(self, request: ask.Unlink) -> ModelVersion:
        return lineage.unlink(self, with_reason(request))

    def withdraw(self, request: ask.Withdraw) -> Affected:
        return withdrawals.withdraw(self, with_reason(request))

    def reinstate(self, request: ask.Reinstate) -> Affected:
        return withdrawals.reinstate(self, with_reason(request))

    def delete(self, request: ask.Delete) -> ModelVersion:
        return deletion.delete(self, with_reason(request))

    def undelete(self, ref: str) -> ModelVersion:
        return deletion.undelete(self, ref)

    # --- pointers and rules -----------------------------------------------------------------------------------------

    def promote(self, request: ask.Promote) -> Promotion:
        return promotion.promote(self, with_reason(request))

    def roll_back(self, request: ask.RollBack) -> Rollback:
        return rollback.roll_back(self, with_reason(request))

    def set_alias(self, request: ask.SetAlias) -> ModelVersion:
        return aliases.set_alias(self, with_reason(request))

    def delete_alias(self, request: ask.DeleteAlias) -> None:
        aliases.delete_alias(self, with_reason(request))

    def protect_alias(self, request: ask.ProtectAlias) -> None:
        aliases.protect_alias(self, with_reason(request))

    def set_policy(self, request: ask.SetPolicy) -> Model:
        return facts.set_policy(self, with_reason(request))

    # --- experiments ------------------------------------------------------------------------------------------------

    def begin_experiment(self, request: ask.BeginExperiment) -> Experiment:
        return experiments.begin(self, request)

    def get_experiment(self, experiment: str) -> Experiment:
        return experiments.get(self, experiment)

    def list_experiments(self, model: str | None = None) -> tuple[Experiment, ...]:
        return experiments.of(self, model)

    def record_outcomes(self, request: ask.RecordOutcomes) -> ask.Recorded:
        return outcomes.record(self, request)

    def count_exposures(self, request: ask.CountExposures) -> None:
        outcomes.count_exposures(self, request)

    def judge_experiment(self, experiment: str) -> ExperimentVerdict:
        return experiments.verdict(self, experiment)

    def stop_experiment(self, request: ask.StopExperiment) -> Experiment:
        return experiments.stop(self, with_reason(request))

    def promote_winner(self, request: ask.PromoteWinner) -> Promotion:
        return experiments.promote_winner(self, with_reason(request))

    # --- questions --------------------------------------------------------------------------------------------------

    def compare(self, a: str, b: str, metrics: Sequence[str] | None = None) -> Comparison:
        return comparison.compare(self, a, b, metrics)

    def lineage(self, ref: str) -> tuple[ModelVersion, ...]:
        return queries.lineage(self, ref)

    def lineage_graph(self, request: ask.Trace) -> LineageGraph:
        return lineage.graph(self, request)

    def affected(self, target: str, kind: str = "version") -> Affected:
        return withdrawals.affected(self, target, kind)

    def history(self, request: ask.History) -> Page[Event]:
        return queries.history(self, request)

    def as_of(self, request: ask.AsOf) -> ModelVersion | None:
        return queries.as_of(self, request)

    def status(self, name: str) -> ModelStatus:
        return queries.status(self, name)

    def stats(self) -> Stats:
        return queries.stats(self)

    # --- care -------------------------------------------------------------------------------------------------------

    def retire(self, request: ask.Retire) -> Retired:
        return deletion.retire(self, request)

    def collect(self, request: ask.Collect) -> Collected:
        return collection.collect(self, request)

    def check(self, request: ask.Check, progress: Progress | None = None) -> Fsck:
        return fsck.check(self, request, progress)

    def verify_audit(self) -> AuditProof:
        return audit.verify(self)

    def export(self, models: Sequence[str] | None = None) -> ask.Bundle:
        return transfer.export(self, models)

    def check_import(self, bundle: ask.Bundle) -> None:
        transfer.check(self, bundle)

    def import_(self, bundle: ask.Bundle) -> Imported:
        return transfer.import_(self, bundle)

    # --- who may call -----------------------------------------------------------------------------------------------

    def create_token(self, request: ask.CreateToken) -> NewToken:
        return accessing.create(self, with_reason(request))

    def list_tokens(self, limit: int = 100, after: str | None = None) -> Page[Token]:
        return accessing.list_(self, limit, after)

    def revoke_token(self, request: ask.RevokeToken) -> Token:
        return accessing.revoke(self, with_reason(request))

    def list_sessions(self, limit: int = 100, after: str | None = None) -> Page[Session]:
        return sessions.list_(self, limit, after)

    def end_sessions(self, request: ask.EndSessions) -> tuple[Session, ...]:
        return sessions.end(self, with_reason(request))

    # --- bytes ------------------------------------------------------------------------------------------------------

    def has_blob(self, digest: str) -> bool:
        return blobs.has(self, digest)

    def find_blob(self, digest: str) -> BlobInfo | None:
        return self.blobs.stat(digest)

    def models_with(self, digest: str) -> tuple[str, ...]:
        return blobs.models_with(self, digest)

    def put_blob(self, chunks: Iterable[bytes], *, digest: str | None = None) -> BlobInfo:
        return self.blobs.put(chunks, expect=digest)

    def put_file(
        self, path: Path, *, digest: str | None = None, progress: Progress | None = None
    ) -> BlobInfo:
        return self.blobs.put_file(path, expect=digest, progress=progress)

    def open_blob(self, digest: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        return self.blobs.open(digest, start=start, length=length)

    def materialise(self, digest: str, target: Path, progress: Progress | None = None) -> None:
        self.blobs.materialise(digest, target, progress=progress)

    def location(self, digest: str) -> Path | None:
        return self.blobs.location(digest)

    def verified(self, digest: str) -> Path | None:
        if self.blobs.location(digest) is None:
            return None
        self.blobs.verify(digest)
        return self.blobs.location(digest)

    def close(self) -> None:
        """Write outstanding manifest copies and close all stores; closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        manifests.drain(self)
        self.store.close()
        self.blobs.close()
        self.manifests.close()


def _tell(draft: Draft) -> None:
    """Follow along with ``logging.getLogger("modelyard")``: one line per event, after it is durable."""
    for event in draft.log:
        LOG.info("%s %s of %r by %s", event.action, event.subject, event.model, event.actor)
