"""A ``RegistryService`` that forwards: every question goes over the wire as the operations table says."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from modelyard.domain.errors import NotSupported, Unreachable
from modelyard.domain.experiments import Experiment
from modelyard.domain.lineage_graph import LineageGraph
from modelyard.domain.records import Actor, Event, Model, ModelVersion
from modelyard.domain.sessions import Session
from modelyard.domain.tokens import NewToken, Token
from modelyard.ports import service as ask
from modelyard.ports.access import Access
from modelyard.ports.blobs import BlobInfo, BlobStore
from modelyard.ports.metadata import Page
from modelyard.ports.service import Progress
from modelyard.ports.uploads import Uploads
from modelyard.remote.blobs import RemoteBlobs
from modelyard.remote.seen import Seen
from modelyard.remote.transport import Transport
from modelyard.wire.codec import decode
from modelyard.wire.operations import BY_NAME, PREFIX, answer, bind


class RemoteService:
    """The registry behind a server, on behalf of whoever the token belongs to.

    Args:
        transport: The way to the server.
        cache: Where bytes that were fetched are kept, by digest; with it, what is there loads without the server.
        arriving: Where they are until they are whole.
        notes: Folder for what the next process should know: uploads under way, and versions that were seen, for when
            the server is away; ``None``: nothing is remembered.
    """

    def __init__(
        self, transport: Transport, cache: BlobStore, arriving: Uploads, notes: Path | None = None
    ) -> None:
        self.transport = transport
        self._blobs = RemoteBlobs(transport, cache, arriving, notes and notes / "uploads")
        self._seen = Seen(notes and notes / "versions", transport.url)
        self._actor: Actor | None = None

    def __repr__(self) -> str:
        return f"RemoteService({self.transport.url!r})"

    @property
    def actor(self) -> Actor:
        """Who the server takes this caller for."""
        if self._actor is None:
            found = self.transport.ask("GET", f"{PREFIX}/whoami", safe=True)
            self._actor = decode(Actor, found["actor"])
        return self._actor

    @actor.setter
    def actor(self, actor: Actor) -> None:
        raise NotSupported("over the network one is whom the token says")

    def as_actor(self, actor: Actor) -> RemoteService:
        """Only oneself: acting for others is for the server.

        Raises:
            NotSupported: For anybody else.
        """
        if actor != self.actor:
            raise NotSupported(
                f"the token belongs to {self.actor.name!r}; to act as {actor.name!r}, use a token of theirs"
            )
        return self

    def _call(self, name: str, *given: Any, **named: Any) -> Any:
        row = BY_NAME[name]
        path, query, body = bind(row, *given, **named)
        found = self.transport.ask(row.method, path, query=query, body=body, safe=row.safe or _has_key(given))
        try:
            return answer(row, found)
        except ValueError as error:
            done = "" if row.safe else " It said yes: look with `modelyard history` before you ask again"
            raise NotSupported(
                f"{self.transport.url} answered what this client does not understand: {error}. It is newer, so update "
                f"modelyard here, or it is no Modelyard server.{done}"
            ) from error

    # --- versions ---------------------------------------------------------------------------------------------------

    def create_version(self, request: ask.CreateVersion) -> ModelVersion:
        """With a key of its own, so that an answer lost on the way can be asked for again."""
        found: ModelVersion = self._call("create_version", _repeatable(request))
        return found

    def create_versions(self, request: ask.CreateVersions) -> tuple[ask.Created, ...]:
        """Each entry with a key of its own, so that a lost answer can be asked for again; then none counts as new."""
        request = replace(request, versions=tuple(map(_repeatable, request.versions)))
        found: tuple[ask.Created, ...] = self._call("create_versions", request)
        return found

    def get_version(self, ref: str) -> ModelVersion:
        """From the server; while it is away, what was last seen of a ``model_id`` or ``name#7``, with a warning."""
        try:
            found: ModelVersion = self._call("get_version", ref)
        except Unreachable:
            if (seen := self._seen.recall(ref)) is None:
                raise
            return seen
        self._seen.keep(found)
        return found

    def get_model(self, name: str) -> Model:
        found: Model = self._call("get_model", name)
        return found

    def search(self, request: ask.Search) -> Page[ModelVersion]:
        found: Page[ModelVersion] = self._call("search", request)
        return found

    def list_models(self, contains: str = "", limit: int = 100, after: str | None = None) -> Page[Model]:
        found: Page[Model] = self._call("list_models", contains, limit, after)
        return found

    def record_metrics(self, request: ask.RecordMetrics) -> ModelVersion:
        found: ModelVersion = self._call("record_metrics", request)
        return found

    def record_check(self, request: ask.RecordCheck) -> ModelVersion:
        found: ModelVersion = self._call("record_check", request)
        return found

    def annotate(self, request: ask.Annotate) -> ModelVersion | Model:
        found: ModelVersion | Model = self._call("annotate", request)
        return found

    def delete(self, request: ask.Delete) -> ModelVersion:
        found: ModelVersion = self._call("delete", request)
        return found

    def undelete(self, ref: str) -> ModelVersion:
        found: ModelVersion = self._call("undelete", ref)
        return found

    def link(self, request: ask.Link) -> ModelVersion:
        found: ModelVersion = self._call("link", request)
        return found

    def unlink(self, request: ask.Unlink) -> ModelVersion:
        found: ModelVersion = self._call("unlink", request)
        return found

    def withdraw(self, request: ask.Withdraw) -> Affected:
        found: Affected = self._call("withdraw", request)
        return found

    def reinstate(self, request: ask.Reinstate) -> Affected:
        found: Affected = self._call("reinstate", request)
        return found

    # --- pointers and rules -----------------------------------------------------------------------------------------

    def promote(self, request: ask.Promote) -> Promotion:
        found: Promotion = self._call("promote", request)
        return found

    def roll_back(self, request: ask.RollBack) -> Rollback:
        found: Rollback = self._call("roll_back", request)
        return found

    def set_alias(self, request: ask.SetAlias) -> ModelVersion:
        found: ModelVersion = self._call("set_alias", request)
        return found

    def delete_alias(self, request: ask.DeleteAlias) -> None:
        self._call("delete_alias", request)

    def protect_alias(self, request: ask.ProtectAlias) -> None:
        self._call("protect_alias", request)

    def set_policy(self, request: ask.SetPolicy) -> Model:
        found: Model = self._call("set_policy", request)
        return found

    # --- experiments ------------------------------------------------------------------------------------------------

    def begin_experiment(self, request: ask.BeginExperiment) -> Experiment:
        found: Experiment = self._call("begin_experiment", request)
        return found

    def get_experiment(self, experiment: str) -> Experiment:
        found: Experiment = self._call("get_experiment", experiment)
        return found

    def list_experiments(self, model: str | None = None) -> tuple[Experiment, ...]:
        found: tuple[Experiment, ...] = self._call("list_experiments", model)
        return found

    def record_outcomes(self, request: ask.RecordOutcomes) -> ask.Recorded:
        found: ask.Recorded = self._call("record_outcomes", request)
        return found

    def count_exposures(self, request: ask.CountExposures) -> None:
        self._call("count_exposures", request)

    def judge_experiment(self, experiment: str) -> ExperimentVerdict:
        found: ExperimentVerdict = self._call("judge_experiment", experiment)
        return found

    def stop_experiment(self, request: ask.StopExperiment) -> Experiment:
        found: Experiment = self._call("stop_experiment", request)
        return found

    def promote_winner(self, request: ask.PromoteWinner) -> Promotion:
        found: Promotion = self._call("promote_winner", request)
        return found

    # --- questions --------------------------------------------------------------------------------------------------

    def compare(self, a: str, b: str, metrics: Sequence[str] | None = None) -> Comparison:
        found: Comparison = self._call("compare", a, b, metrics)
        return found

    def lineage(self, ref: str) -> tuple[ModelVersion, ...]:
        found: tuple[ModelVersion, ...] = self._call("lineage", ref)
        return found

    def lineage_graph(self, request: ask.Trace) -> LineageGraph:
        found: LineageGraph = self._call("lineage_graph", request)
        return found

    def affected(self, target: str, kind: str = "version") -> Affected:
        found: Affected = self._call("affected", target, kind)
        return found

    def history(self, request: ask.History) -> Page[Event]:
        found: Page[Event] = self._call("history", request)
        return found

    def as_of(self, request: ask.AsOf) -> ModelVersion | None:
        found: ModelVersion | None = self._call("as_of", request)
        return found

    def status(self, name: str) -> ModelStatus:
        found: ModelStatus = self._call("status", name)
        return found

    def stats(self) -> Stats:
        found: Stats = self._call("stats")
        return found

    # --- care -------------------------------------------------------------------------------------------------------

    def retire(self, request: ask.Retire) -> Retired:
        found: Retired = self._call("retire", request)
        return found

    def collect(self, request: ask.Collect) -> Collected:
        found: Collected = self._call("collect", request)
        return found

    def check(self, request: ask.Check, progress: Progress | None = None) -> Fsck:
        found: Fsck = self._call("check", request)
        return found

    def verify_audit(self) -> AuditProof:
        found: AuditProof = self._call("verify_audit")
        return found

    def export(self, models: Sequence[str] | None = None) -> ask.Bundle:
        found: ask.Bundle = self._call("export", models)
        return found

    def check_import(self, bundle: ask.Bundle) -> None:
        self._call("check_import", bundle)

    def import_(self, bundle: ask.Bundle) -> Imported:
        found: Imported = self._call("import_", bundle)
        return found

    # --- who may call -----------------------------------------------------------------------------------------------

    def create_token(self, request: ask.CreateToken) -> NewToken:
        found: NewToken = self._call("create_token", request)
        return found

    def list_tokens(self, limit: int = 100, after: str | None = None) -> Page[Token]:
        found: Page[Token] = self._call("list_tokens", limit, after)
        return found

    def revoke_token(self, request: ask.RevokeToken) -> Token:
        found: Token = self._call("revoke_token", request)
        return found

    def list_sessions(self, limit: int = 100, after: str | None = None) -> Page[Session]:
        found: Page[Session] = self._call("list_sessions", limit, after)
        return found

    def end_sessions(self, request: ask.EndSessions) -> tuple[Session, ...]:
        found: tuple[Session, ...] = self._call("end_sessions", request)
        return found

    @property
    def access(self) -> Access:
        raise NotSupported("a server recognises its callers itself; ask it with a token")

    # --- bytes ------------------------------------------------------------------------------------------------------

    def has_blob(self, digest: str) -> bool:
        return self._blobs.has(digest)

    def find_blob(self, digest: str) -> BlobInfo | None:
        return self._blobs.find(digest)

    def models_with(self, digest: str) -> tuple[str, ...]:
        """Not told over the network: what a caller may know of it is in the versions that it may see."""
        raise NotSupported("a server does not tell which models share bytes")

    def put_blob(self, chunks: Iterable[bytes], *, digest: str | None = None) -> BlobInfo:
        return self._blobs.put(chunks, digest)

    def put_file(
        self, path: Path, *, digest: str | None = None, progress: Progress | None = None
    ) -> BlobInfo:
        return self._blobs.put_file(path, digest, progress)

    def open_blob(self, digest: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        return self._blobs.open(digest, start, length)

    def materialise(self, digest: str, target: Path, progress: Progress | None = None) -> None:
        self._blobs.materialise(digest, target, progress)

    def location(self, digest: str) -> Path | None:
        return self._blobs.location(digest)

    def verified(self, digest: str) -> Path | None:
        return self._blobs.verified(digest)

    def close(self) -> None:
        """Close connections and the cache; what was asked for has arrived, so nothing is lost."""
        self.transport.close()
        self._blobs.close()


def _repeatable(entry: ask.CreateVersion) -> ask.CreateVersion:
    """With a key, a label or not: what else it asks, such as an alias or a parent, may mean something else by then."""
    if entry.idempotency_key is not None:
        return entry
    return replace(entry, idempotency_key=f"client-{uuid.uuid4().hex}")


def _has_key(given: tuple[Any, ...]) -> bool:
    if given and isinstance(given[0], ask.CreateVersions):
        return True
    return bool(given) and getattr(given[0], "idempotency_key", None) is not None
