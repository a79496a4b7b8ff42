"""Where records live: the narrow waist under every metadata store.

Use cases read, decide (purely) and commit; on ``Conflict`` they wait a random moment and decide again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Generic, Protocol, TypeAlias, TypeVar, overload

from modelyard.domain.dataclass import dataclass
from modelyard.domain.experiments import Experiment, Exposure, Outcome, OutcomeTally
from modelyard.domain.query import Expr, Order
from modelyard.domain.records import Blob, Event, Model, ModelVersion, Move, Receipt, Registry, Source
from modelyard.domain.sessions import Session
from modelyard.domain.tokens import Token
from modelyard.ports.lineage import Brief, BriefQuery, Edge, EdgeQuery, SourceQuery
from modelyard.ports.listing import ReceiptQuery as ReceiptQuery
from modelyard.ports.listing import SessionQuery as SessionQuery
from modelyard.ports.listing import TokenQuery as TokenQuery

Record: TypeAlias = (
    Registry
    | Model
    | ModelVersion
    | Blob
    | Source
    | Receipt
    | Experiment
    | Outcome
    | Exposure
    | Token
    | Session
)


# --- keys: what can be read directly ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RegistryKey:
    """The one registry record."""


@dataclass(frozen=True, slots=True)
class ModelKey:
    """A model by its folded key (``domain.names.fold``)."""

    key: str


@dataclass(frozen=True, slots=True)
class SlugKey:
    """A model by its slug."""

    slug: str


@dataclass(frozen=True, slots=True)
class VersionKey:
    """A version by its ``model_id``."""

    model_id: str


@dataclass(frozen=True, slots=True)
class NumberKey:
    """A version by model key and number."""

    model_key: str
    number: int


@dataclass(frozen=True, slots=True)
class LabelKey:
    """A version by model key and canonical label (``domain.versioning.label_key``)."""

    model_key: str
    label_key: str


@dataclass(frozen=True, slots=True)
class BlobKey:
    """A blob by digest."""

    digest: str


@dataclass(frozen=True, slots=True)
class SourceKey:
    """A source by its kind (``dataset``, ``base_model`` ...) and name."""

    kind: str
    target: str


@dataclass(frozen=True, slots=True)
class ReceiptKey:
    """A remembered answer by idempotency key."""

    key: str


@dataclass(frozen=True, slots=True)
class ExperimentKey:
    """An experiment by its id."""

    experiment_id: str


@dataclass(frozen=True, slots=True)
class IdentityKey:
    """An experiment by what its arguments say (``Experiment.identity``)."""

    identity: str


@dataclass(frozen=True, slots=True)
class OutcomeKey:
    """What came of one assignment."""

    experiment_id: str
    unit: str
    draw: str


@dataclass(frozen=True, slots=True)
class ExposureKey:
    """What one process has served of an experiment."""

    experiment_id: str
    writer: str


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A token by its id."""

    token_id: str


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A token by the SHA-256 of its secret (``Token.digest``)."""

    digest: str


@dataclass(frozen=True, slots=True)
class SessionKey:
    """A place of a person by its id (``domain.sessions.place_id``)."""

    session_id: str


@dataclass(frozen=True, slots=True)
class SessionSecretKey:
    """A session by the SHA-256 of its secret (``Session.digest``)."""

    digest: str


Key: TypeAlias = (
    RegistryKey
    | ModelKey
    | SlugKey
    | VersionKey
    | NumberKey
    | LabelKey
    | BlobKey
    | SourceKey
    | ReceiptKey
    | ExperimentKey
    | IdentityKey
    | OutcomeKey
    | ExposureKey
    | TokenKey
    | SecretKey
    | SessionKey
    | SessionSecretKey
)


# --- questions: what can be searched ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionQuery:
    """Versions that satisfy ``where``, in ``order`` (default: newest first), ties broken by ``model_id`` descending.

    ``model_key`` restricts to one model; ``digest`` to one manifest; ``file`` to
    those that keep bytes with that digest alive (a collected version keeps none).
    Deleted ones are left out unless asked for (``deleted=True``: only them, ``None``: all); collected tombstones
    count as deleted.
    """

    where: Expr | None = None
    order: tuple[Order, ...] = ()
    model_key: str | None = None
    digest: str | None = None
    file: str | None = None
    deleted: bool | None = False
    limit: int = 100
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelQuery:
    """Models by name, ascending; ``contains`` keeps those whose name, description or tags hold the text (any case)."""

    contains: str = ""
    limit: int = 100
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveQuery:
    """Moves of one pointer, newest first, at or before ``until``."""

    model_key: str
    pointer: str
    until: datetime | None = None
    limit: int = 100
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Events of one chain (``model_key=""``: the registry's; ``None``: all, by position), oldest or newest first.

    ``subject`` keeps events about one thing, for example ``version:7``, as ``domain.events.subjects`` says what an
    event is about.
    """

    model_key: str | None
    subject: str = ""
    until: datetime | None = None
    newest_first: bool = False
    limit: int = 100
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobQuery:
    """Blobs by digest, ascending.

    ``unreferenced``: only those that no version's files name (deleted versions still name theirs, collected ones do
    not). ``idle_since``: only those not touched after that time. ``digest``: only that one, with the
    other conditions; ``among``: only these.
    """

    digest: str | None = None
    among: tuple[str, ...] | None = None
    unreferenced: bool = False
    idle_since: datetime | None = None
    state: str | None = None
    limit: int = 100
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentQuery:
    """Experiments by id, which is the order in which they began; ``model_key`` restricts to one model."""

    model_key: str | None = None
    limit: int = 100
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeQuery:
    """Outcomes of one experiment by unit and draw, late ones included."""

    experiment_id: str
    limit: int = 100
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureQuery:
    """What each process has served of one experiment, by writer."""

    experiment_id: str
    limit: int = 100
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeTallyQuery:
    """What the outcomes of one experiment sum up to, one page with one tally per variant, by name.

    ``metric`` sums a guardrail's metric instead of the primary one.
    """

    experiment_id: str
    metric: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyQuery:
    """Counts of not deleted versions by ``stage``, ``name``, ``framework`` or ``algorithm``; largest first.

    ``model_key`` restricts these to one model, ``namespace`` (folded) to the models below it. Two more values of ``by``
    give one total each: ``model`` counts models (``size`` 0), ``blob`` counts blobs whose state is not ``deleted`` and
    sums their bytes.
    """

    by: str
    model_key: str | None = None
    namespace: str | None = None
    limit: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """``count`` versions share ``value``; ``size`` is the sum of their bytes before sharing."""

    value: str
    count: int
    size: int


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some answers, and the cursor that continues after them (``None``: there is no more)."""

    items: tuple[T, ...] = ()
    next: str | None = None


# --- changes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Write ``record`` (whose ``revision`` is ``expected + 1``) if the stored revision is ``expected`` (0: absent).

    What is frozen in a version, and a model's name and slug, are the same in every later put: a store need not look.
    """

    record: Record
    expected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Something merely read: its stored revision must still be ``expected`` (0: still absent)."""

    key: Key
    expected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Delete a record if its revision is ``expected``. Versions, models and their history are never dropped."""

    key: BlobKey | ReceiptKey | TokenKey | SessionKey
    expected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """One atomic step: it lands whole or raises ``Conflict``.

    Events are appended to their chains in the same step; the store derives pointer moves from them
    (``domain.events.moves``) and gives each a position in one order over all chains.

    ``arriving``: records come from another store with the revisions they have there, so what is put may have any
    revision, whatever is expected.
    """

    puts: tuple[Put, ...] = ()
    drops: tuple[Drop, ...] = ()
    guards: tuple[Guard, ...] = ()
    events: tuple[Event, ...] = ()
    arriving: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Positioned:
    """An event and its place in the log of all events; positions rise and are never given twice."""

    position: int
    event: Event


class MetadataStore(Protocol):
    """Records with revisions, an append-only event log, and one atomic compare-and-set commit.

    Contract:
        * Thread-safe, and safe for several processes. A fork gets its own connection.
        * Reads see whole commits only. ``get`` and ``find`` see every commit that returned before they began.
        * ``commit`` is durable when it returns. Anything unexpected raises and leaves no trace. ``Conflict`` means
          that an expected revision (or the uniqueness of name, slug, number or label) did not hold.
        * A stored row that does not match its own digest raises ``IntegrityError`` naming it.
        * Whatever the driver raises becomes ``StorageError``.
    """

    @overload
    def get(self, key: RegistryKey) -> Registry | None: ...
    @overload
    def get(self, key: ModelKey | SlugKey) -> Model | None: ...
    @overload
    def get(self, key: VersionKey | NumberKey | LabelKey) -> ModelVersion | None: ...
    @overload
    def get(self, key: BlobKey) -> Blob | None: ...
    @overload
    def get(self, key: SourceKey) -> Source | None: ...
    @overload
    def get(self, key: ReceiptKey) -> Receipt | None: ...
    @overload
    def get(self, key: ExperimentKey | IdentityKey) -> Experiment | None: ...
    @overload
    def get(self, key: OutcomeKey) -> Outcome | None: ...
    @overload
    def get(self, key: ExposureKey) -> Exposure | None: ...
    @overload
    def get(self, key: TokenKey | SecretKey) -> Token | None: ...
    @overload
    def get(self, key: SessionKey | SessionSecretKey) -> Session | None: ...

    @overload
    def find(self, query: VersionQuery) -> Page[ModelVersion]: ...
    @overload
    def find(self, query: ModelQuery) -> Page[Model]: ...
    @overload
    def find(self, query: MoveQuery) -> Page[Move]: ...
    @overload
    def find(self, query: EventQuery) -> Page[Event]: ...
    @overload
    def find(self, query: BlobQuery) -> Page[Blob]: ...
    @overload
    def find(self, query: SourceQuery) -> Page[Source]: ...
    @overload
    def find(self, query: EdgeQuery) -> Page[Edge]: ...
    @overload
    def find(self, query: BriefQuery) -> Page[Brief]: ...
    @overload
    def find(self, query: TallyQuery) -> Page[Tally]: ...
    @overload
    def find(self, query: ExperimentQuery) -> Page[Experiment]: ...
    @overload
    def find(self, query: OutcomeQuery) -> Page[Outcome]: ...
    @overload
    def find(self, query: ExposureQuery) -> Page[Exposure]: ...
    @overload
    def find(self, query: OutcomeTallyQuery) -> Page[OutcomeTally]: ...
    @overload
    def find(self, query: TokenQuery) -> Page[Token]: ...
    @overload
    def find(self, query: SessionQuery) -> Page[Session]: ...
    @overload
    def find(self, query: ReceiptQuery) -> Page[Receipt]: ...

    def commit(self, changes: Changes) -> None:
        """Apply ``changes`` whole and durably, or raise and change nothing."""
        ...

    def alone(self) -> AbstractContextManager[object]:
        """A context in which this thread's commits meet no other writer, where the store can arrange that.

        Only a courtesy to those who lost a race before, so that a busy model starves nobody: correctness rests on
        ``commit``. A store that cannot arrange it returns a context that does nothing.
        """
        ...

    def events(self, after: int, limit: int) -> Sequence[Positioned]:
        """Events with a position above ``after``, in order, at most ``limit``. Never skips a commit in flight."""
        ...

    def is_made(self) -> bool:
        """Whether there is something at the store's place that ``migrate`` made once; makes nothing itself."""
        ...

    def is_older(self) -> bool:
        """Whether what is there has a schema that ``migrate`` would upgrade; changes nothing."""
        ...

    def migrate(self) -> None:
        """Bring an empty or older store to this version's schema; refuses a newer one with ``NotSupported``."""
        ...

    def check(self) -> Sequence[str]:
        """Look for damage below the records (row digests, the engine's own check); one line per finding."""
        ...

    def close(self) -> None:
        """Release connections. The store may not be used afterwards."""
        ...
