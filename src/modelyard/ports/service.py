"""The seam of the whole product: every question one can ask a registry, as a value, and who answers it.

``RegistryService`` has two implementations, one that decides (``service.local``) and one that forwards over HTTP.
``ModelRegistry`` cannot tell which it holds. All rules run behind this seam.

A *ref* is a reference as in ``domain.refs``: ``fraud``, ``fraud:1.4.0``, ``fraud#7``, ``fraud@champion`` ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

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
from modelyard.domain.dataclass import dataclass
from modelyard.domain.experiments import Experiment, Exposure, Outcome
from modelyard.domain.lineage_graph import LineageGraph
from modelyard.domain.records import (
    JSON,
    Actor,
    Event,
    FileEntry,
    FlavorRecord,
    LineageEdge,
    Model,
    ModelStage,
    ModelVersion,
    Source,
)
from modelyard.domain.sessions import Session
from modelyard.domain.tokens import NewToken, Token
from modelyard.ports.access import Access
from modelyard.ports.access import CreateToken as CreateToken
from modelyard.ports.access import EndSessions as EndSessions
from modelyard.ports.access import RevokeToken as RevokeToken
from modelyard.ports.blobs import BlobInfo
from modelyard.ports.experiments import BeginExperiment as BeginExperiment
from modelyard.ports.experiments import CountExposures as CountExposures
from modelyard.ports.experiments import GivenOutcome as GivenOutcome
from modelyard.ports.experiments import PromoteWinner as PromoteWinner
from modelyard.ports.experiments import Recorded as Recorded
from modelyard.ports.experiments import RecordOutcomes as RecordOutcomes
from modelyard.ports.experiments import StopExperiment as StopExperiment
from modelyard.ports.metadata import Page

UNSET: Any = object()
"""Stands for "not given" where ``None`` means something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateVersion:
    """Register a version over files whose bytes are in the blob store already.

    Attributes:
        name: Model name; the model is made if it is new.
        version: Label, or ``None`` to have the next one chosen by ``bump`` (default ``patch``).
        metrics: ``{"accuracy": 0.9}``, ``{"accuracy": {"value": 0.9, "n": 114, "split": "test"}}``, or a list of
            ``{"name": "accuracy", "value": 0.9, ...}`` where one name was measured in several places.
        lineage: What it came from; a link to a version has any ref as its target.
        parent: Ref of the version it was made from.
        alias: Alias to point at the new version in the same step.
        stage: Anything but ``development`` passes the same gates as a promotion.
        idempotency_key: Repeating the call with the same key and the same facts gives the same answer.
    """

    name: str
    version: str | None = None
    files: tuple[FileEntry, ...] = ()
    flavor: FlavorRecord | None = None
    stage: ModelStage = ModelStage.DEVELOPMENT
    description: str = ""
    metrics: Mapping[str, JSON] | Sequence[Mapping[str, JSON]] = field(default_factory=dict)
    hyperparams: Mapping[str, JSON] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, JSON] = field(default_factory=dict)
    data_lineage: Mapping[str, JSON] = field(default_factory=dict)
    lineage: tuple[LineageEdge, ...] = ()
    parent: str | None = None
    signature: Mapping[str, JSON] | None = None
    environment: Mapping[str, JSON] = field(default_factory=dict)
    framework: str = ""
    algorithm: str = ""
    card: Mapping[str, JSON] = field(default_factory=dict)
    bump: str | None = None
    alias: str | None = None
    override_reason: str = ""
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateVersions:
    """Register versions in the order given, all of them or none; an entry may build on those before it."""

    versions: tuple[CreateVersion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """What became of one entry. ``new``: it was registered now; else it was there already, and nothing changed."""

    model_id: str
    name: str
    version: str
    number: int
    new: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Versions by the query language (``domain.query``); ``text`` may hold an ``order by``. Newest first by default.

    ``limit`` 1 to 1000 a page; ``after`` continues. ``deleted``: True only the deleted, None both.
    """

    text: str = ""
    model: str | None = None
    limit: int = 100
    after: str | None = None
    deleted: bool | None = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Promote:
    """Move a version to a stage through the gates.

    Attributes:
        requirements: The caller's own; they add to the policy's, never replace them.
        expected: Ref of the version believed to hold the target now; ``""`` = nobody; unset = do not check.
        keep_existing: Let present holders stay (only where the policy allows several).
        incumbent_to: ``deprecated`` or ``archived``; ``None`` = what the policy says.
        force: With a reason, archive although something points at it, or let a withdrawn version go live.
    """

    ref: str
    target: ModelStage
    requirements: Mapping[str, JSON] = field(default_factory=dict)
    reason: str = ""
    expected: str = UNSET
    keep_existing: bool = False
    incumbent_to: ModelStage | None = None
    force: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBack:
    """Bring a pointer back to the last good version that held it.

    Attributes:
        ref: Model, pointer (``fraud@champion``) or version; a version or model means ``stage:production``.
        target: Ref of the version wanted, instead of the last good one.
        drill: Do everything but the move.
        skip: ``model_id`` of candidates the client found wanting, with its reason.
        load_check: Evidence from the client's own load in a subprocess.
        expected: ``model_id`` of the incumbent the plan was made for.
    """

    ref: str
    target: str | None = None
    drill: bool = False
    reason: str = ""
    skip: Mapping[str, str] = field(default_factory=dict)
    load_check: Mapping[str, JSON] | None = None
    expected: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAlias:
    """Point an alias of ``model`` at ``ref``. A protected alias moves only with ``force`` and a reason."""

    model: str
    alias: str
    ref: str
    expected: str = UNSET
    reason: str = ""
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteAlias:
    """Remove an alias. A protected one goes only with ``force`` and a reason."""

    model: str
    alias: str
    reason: str = ""
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectAlias:
    """Turn an alias's protection on or off."""

    model: str
    alias: str
    protected: bool = True
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMetrics:
    """Append metrics to a version. ``revision``: fail with ``Conflict`` unless the version is at it."""

    ref: str
    metrics: Mapping[str, JSON] | Sequence[Mapping[str, JSON]]
    revision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCheck:
    """Record a yes or no about a version, for example ``tests_passed``."""

    ref: str
    check: str
    passed: bool
    evidence: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotate:
    """Change descriptive facts of a version, or of the whole model with ``whole_model``.

    A tag or attribute given as ``None`` is removed; ``None`` for ``description`` or ``legal_hold`` leaves it as it is.
    """

    ref: str
    tags: Mapping[str, str | None] = field(default_factory=dict)
    attributes: Mapping[str, JSON] = field(default_factory=dict)
    description: str | None = None
    card: Mapping[str, JSON] = field(default_factory=dict)
    legal_hold: str | None = None
    whole_model: bool = False
    revision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Add a link to a version's lineage. ``target`` is a ref where ``kind`` leads to a version, else a name."""

    ref: str
    kind: str
    target: str
    details: Mapping[str, JSON] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlink:
    """Take a link back that was added after registration."""

    ref: str
    kind: str
    target: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The lineage of a version: ``direction`` is ``up``, ``down`` or ``both``, ``depth`` the longest way in links."""

    ref: str
    direction: str = "both"
    depth: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """Say that something is not to be used any more. ``kind``: ``version`` (``target`` is a ref), ``dataset`` ..."""

    target: str
    kind: str = "version"
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinstate:
    """Take a withdrawal back."""

    target: str
    kind: str = "version"
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPolicy:
    """Replace a model's policy. ``expected``: version of the policy the caller saw."""

    model: str
    policy: Mapping[str, JSON]
    reason: str = ""
    expected: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Hide a version. What something points at needs ``force`` and a reason."""

    ref: str
    force: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Events of a model (``ref`` is a name), of one version (any other ref) or of the registry (``ref=""``)."""

    ref: str
    newest_first: bool = True
    limit: int = 100
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """What a pointer (``champion`` or ``production``) of ``model`` named at ``at``."""

    model: str
    at: datetime
    pointer: str = "production"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire:
    """Delete archived versions past their retention; ``older_than_days=None`` = each model's policy."""

    older_than_days: int | None = None
    model: str | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Collect:
    """Free what deleted versions held and what nothing names, once idle for ``grace_days``."""

    grace_days: float = 7.0
    dry_run: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Look for damage. ``deep`` reads every byte; ``repair`` quarantines damage and rewrites what can be derived."""

    deep: bool = False
    repair: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Everything of some models as records: what an export writes and an import reads."""

    models: tuple[Model, ...]
    versions: tuple[ModelVersion, ...]
    events: tuple[Event, ...]
    sources: tuple[Source, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    exposures: tuple[Exposure, ...] = ()


Progress = Callable[[int], None]
"""Called with the number of bytes done since the last call."""

ProgressFactory = Callable[[str, int], Progress]
"""Told a title and the bytes in all, gives what is told of each piece."""


class RegistryService(Protocol):
    """Answers requests on behalf of one caller.

    Every method is atomic: it happens whole or raises a ``ModelyardError`` and changes nothing. Thread-safe.
    """

    actor: Actor

    def as_actor(self, actor: Actor) -> RegistryService: ...

    # versions
    def create_version(self, request: CreateVersion) -> ModelVersion: ...
    def create_versions(self, request: CreateVersions) -> tuple[Created, ...]:
        """Register up to 1,000 versions in one commit; a refusal names the entry, by its place from 1, as ``entry``."""
        ...

    def get_version(self, ref: str) -> ModelVersion: ...
    def get_model(self, name: str) -> Model: ...
    def search(self, request: Search) -> Page[ModelVersion]: ...
    def list_models(self, contains: str = "", limit: int = 100, after: str | None = None) -> Page[Model]: ...
    def record_metrics(self, request: RecordMetrics) -> ModelVersion: ...
    def record_check(self, request: RecordCheck) -> ModelVersion: ...
    def annotate(self, request: Annotate) -> ModelVersion | Model: ...
    def link(self, request: Link) -> ModelVersion: ...
    def unlink(self, request: Unlink) -> ModelVersion: ...
    def withdraw(self, request: Withdraw) -> Affected: ...
    def reinstate(self, request: Reinstate) -> Affected: ...
    def delete(self, request: Delete) -> ModelVersion: ...
    def undelete(self, ref: str) -> ModelVersion: ...

    # pointers and rules
    def promote(self, request: Promote) -> Promotion: ...
    def roll_back(self, request: RollBack) -> Rollback: ...
    def set_alias(self, request: SetAlias) -> ModelVersion: ...
    def delete_alias(self, request: DeleteAlias) -> None: ...
    def protect_alias(self, request: ProtectAlias) -> None: ...
    def set_policy(self, request: SetPolicy) -> Model: ...

    # experiments: ``experiment`` is an id, or a name that only one has
    def begin_experiment(self, request: BeginExperiment) -> Experiment: ...
    def get_experiment(self, experiment: str) -> Experiment: ...
    def list_experiments(self, model: str | None = None) -> tuple[Experiment, ...]: ...
    def record_outcomes(self, request: RecordOutcomes) -> Recorded: ...
    def count_exposures(self, request: CountExposures) -> None: ...
    def judge_experiment(self, experiment: str) -> ExperimentVerdict: ...
    def stop_experiment(self, request: StopExperiment) -> Experiment: ...
    def promote_winner(self, request: PromoteWinner) -> Promotion: ...

    # questions
    def compare(self, a: str, b: str, metrics: Sequence[str] | None = None) -> Comparison: ...
    def lineage(self, ref: str) -> tuple[ModelVersion, ...]: ...
    def lineage_graph(self, request: Trace) -> LineageGraph: ...
    def affected(self, target: str, kind: str = "version") -> Affected: ...
    def history(self, request: History) -> Page[Event]: ...
    def as_of(self, request: AsOf) -> ModelVersion | None: ...
    def status(self, name: str) -> ModelStatus: ...
    def stats(self) -> Stats: ...

    # care
    def retire(self, request: Retire) -> Retired: ...
    def collect(self, request: Collect) -> Collected: ...
    def check(self, request: Check, progress: Progress | None = None) -> Fsck: ...
    def verify_audit(self) -> AuditProof: ...
    def export(self, models: Sequence[str] | None = None) -> Bundle: ...
    def check_import(self, bundle: Bundle) -> None:
        """Raise what ``import_`` would raise of the records alone, bytes left out; writes nothing."""
        ...

    def import_(self, bundle: Bundle) -> Imported: ...

    # who may call
    def create_token(self, request: CreateToken) -> NewToken: ...
    def list_tokens(self, limit: int = 100, after: str | None = None) -> Page[Token]:
        """Tokens in the order in which they were made, revoked ones too, without the digests of their secrets."""
        ...

    def revoke_token(self, request: RevokeToken) -> Token: ...
    def list_sessions(self, limit: int = 100, after: str | None = None) -> Page[Session]:
        """People's sessions and codes, person by person, those that are over too, without the digests of secrets."""
        ...

    def end_sessions(self, request: EndSessions) -> tuple[Session, ...]:
        """Those that were open and are not any more; a token that came of one is revoked like any other."""
        ...

    @property
    def access(self) -> Access:
        """What a server needs to know about its callers; only where the records are, ``NotSupported`` elsewhere."""
        ...

    # bytes
    def has_blob(self, digest: str) -> bool: ...
    def find_blob(self, digest: str) -> BlobInfo | None:
        """Size and time of stored bytes, or ``None``; reads none of them."""
        ...

    def models_with(self, digest: str) -> tuple[str, ...]:
        """Names of the models that have a version with these bytes, sorted."""
        ...

    def put_blob(self, chunks: Iterable[bytes], *, digest: str | None = None) -> BlobInfo: ...
    def put_file(
        self, path: Path, *, digest: str | None = None, progress: Progress | None = None
    ) -> BlobInfo: ...
    def open_blob(self, digest: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]: ...
    def materialise(self, digest: str, target: Path, progress: Progress | None = None) -> None: ...
    def location(self, digest: str) -> Path | None: ...
    def verified(self, digest: str) -> Path | None:
        """A local file with these bytes, checked just now or unchanged since it was; ``None`` if not at hand.

        Raises ``BlobDamaged`` or ``BlobNotFound`` where the bytes should be and are not.
        """
        ...

    def close(self) -> None: ...
