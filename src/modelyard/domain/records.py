"""The nouns of the registry: plain, frozen values with no behaviour beyond reading themselves.

Times are timezone-aware UTC. Sizes are bytes. Digests are ``sha256:`` plus 64 lower-case hex digits.
JSON-like fields hold only ``None``, ``bool``, ``int``, ``float`` (finite), ``str``, lists and string-keyed dicts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from modelyard.domain.dataclass import dataclass
from modelyard.domain.text import brief, few

if TYPE_CHECKING:
    from modelyard.domain.policy import Policy

JSON: TypeAlias = Any
"""Where JSON enters; the module docstring says what it may hold."""

EMPTY: Final[Mapping[str, Any]] = {}

_MINUTE: Final = "%Y-%m-%d %H:%M UTC"
_SECOND: Final = "%Y-%m-%d %H:%M:%S UTC"
_DIGEST: Final = len("sha256:") + 12
"""Of a digest, as much as tells versions apart."""


class ModelStage(StrEnum):
    """Where a version stands in its life."""

    DEVELOPMENT = "development"
    TESTING = "testing"
    STAGING = "staging"
    PRODUCTION = "production"
    DEPRECATED = "deprecated"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts. Embedded, ``name`` is the operating system's user and ``kind`` is ``"user"``."""

    name: str
    kind: str = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file of a version's manifest.

    Attributes:
        path: Relative POSIX path inside the version, for example ``model.joblib`` or ``weights/part-1.safetensors``.
        size: Bytes.
        digest: ``sha256:<64 hex>``.
        media_type: IANA media type, ``application/octet-stream`` if unknown.
        role: ``"model"`` for what the flavor loads, ``"artifact"`` for a file that travels along.
    """

    path: str
    size: int
    digest: str
    media_type: str = "application/octet-stream"
    role: str = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlavorRecord:
    """How the ``model`` files were written, and so how they are read.

    Attributes:
        name: ``joblib``, ``pickle``, ``xgboost``, ``onnx``, ``safetensors``, ``file``, ``directory`` ...
        entry: Path of the file (or ``"."`` for the whole directory) that the flavor opens.
        options: The flavor's own choices, for example ``{"compress": 3}``.
        framework: For example ``scikit-learn``; empty if unknown.
        framework_version: For example ``1.9.1``.
        algorithm: Class name of the model, for example ``LogisticRegression``.
        hyperparams: ``get_params()`` where the model has it, JSON only.
        facts: Other facts read from the model: ``n_features_in``, ``num_parameters``, ``classes`` ...
        globals: Every ``module.name`` that the pickle needs, sorted; recorded from the live object's own bytes.
    """

    name: str
    entry: str = "."
    options: Mapping[str, JSON] = field(default_factory=dict)
    framework: str = ""
    framework_version: str = ""
    algorithm: str = ""
    hyperparams: Mapping[str, JSON] = field(default_factory=dict)
    facts: Mapping[str, JSON] = field(default_factory=dict)
    globals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanReport:
    """What the default-deny tracer says of one blob.

    Attributes:
        verdict: ``clean``, ``unsafe``, ``unknown`` or ``error``.
        format: Sniffed from content: ``pickle``, ``joblib``, ``safetensors``, ``npy``, ``zip`` ...
        kind: ``data``, ``code-capable``, ``code`` or ``unknown``.
        globals: Every global that unpickling would look up, sorted ``module.name``.
        reasons: One line per finding.
        ruleset: Digest of the rules that judged, so that new rules trigger a new scan.
    """

    verdict: str
    format: str = "unknown"
    kind: str = "unknown"
    globals: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    ruleset: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One measured number. Later values append; the latest of a (name, dataset, split) is the value.

    Attributes:
        name: For example ``accuracy`` or ``latency_ms``.
        value: Finite. Stores also hold NaN, from times when it could be given; it fails every gate.
        at: When it was recorded.
        by: Who recorded it.
        n: Sample size, if known.
        sd: Standard deviation of the per-example value, if known.
        dataset: Name of the data set, or empty.
        dataset_digest: Digest of the data set, or empty.
        split: ``test``, ``validation`` ... or empty.
        higher_is_better: Stated direction; ``None`` = look the name up.
    """

    name: str
    value: float
    at: datetime
    by: str = ""
    n: int | None = None
    sd: float | None = None
    dataset: str = ""
    dataset_digest: str = ""
    split: str = ""
    higher_is_better: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A recorded yes or no about a version."""

    name: str
    passed: bool
    at: datetime
    by: str = ""
    evidence: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageEdge:
    """A typed link: ``kind`` is ``parent``, ``dataset``, ``code``, ``run``, ``base_model``, ``feature_store`` ...

    ``target`` is a ``model_id`` for versions, else a name such as ``s3://data/train.parquet`` or a commit id.
    """

    kind: str
    target: str
    details: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """Why something is not to be used any more, since when, and by whose word."""

    reason: str
    at: datetime
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One version: immutable content and facts, plus the mutable facts named last.

    The first block is frozen at registration. ``number`` counts 1, 2, 3 per model and is never reused; ``version`` is
    the label (SemVer or free); ``model_id`` is a lower-case ULID. ``digest`` is the sha256 of the frozen OCI manifest,
    ``content_digest`` the sha256 over the sorted (path, size, sha256) list.
    """

    # frozen at registration
    model_id: str
    name: str
    number: int
    version: str
    created_at: datetime
    created_by: str
    files: tuple[FileEntry, ...] = ()
    flavor: FlavorRecord | None = None
    framework: str = ""
    algorithm: str = ""
    hyperparams: Mapping[str, JSON] = field(default_factory=dict)
    signature: Mapping[str, JSON] | None = None
    environment: Mapping[str, JSON] = field(default_factory=dict)
    data_lineage: Mapping[str, JSON] = field(default_factory=dict)
    lineage: tuple[LineageEdge, ...] = ()
    parent: str | None = None
    override_reason: str = ""
    warnings: tuple[str, ...] = ()
    digest: str = ""
    content_digest: str = ""
    # mutable; every change appends an event
    stage: ModelStage = ModelStage.DEVELOPMENT
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, JSON] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    checks: Mapping[str, Check] = field(default_factory=dict)
    card: Mapping[str, JSON] = field(default_factory=dict)
    card_version: int = 0
    aliases: tuple[str, ...] = ()
    scans: Mapping[str, ScanReport] = field(default_factory=dict)
    links: tuple[LineageEdge, ...] = ()
    withdrawn: Withdrawal | None = None
    successor: str | None = None
    rolled_back_at: datetime | None = None
    staged_at: datetime | None = None
    load_check: Mapping[str, JSON] | None = None
    legal_hold: str = ""
    deleted_at: datetime | None = None
    collected_at: datetime | None = None
    updated_at: datetime | None = None
    revision: int = 0
    # filled in by the client that knows where the bytes are; never stored
    artifact_path: str = ""

    @property
    def performance_metrics(self) -> dict[str, float]:
        """Latest value of each metric by name; where data sets differ, the one recorded last."""
        return {m.name: m.value for m in self.metrics}

    @property
    def edges(self) -> tuple[LineageEdge, ...]:
        """Lineage as registered, then what was linked later."""
        return self.lineage + self.links

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(f.size for f in self.files)

    @property
    def scan(self) -> str:
        """Worst verdict over all files: ``clean`` < ``unknown`` < ``error`` < ``unsafe``."""
        order = ("clean", "unknown", "error", "unsafe")
        return max((r.verdict for r in self.scans.values()), key=order.index, default="clean")

    @property
    def deleted(self) -> bool:
        return self.deleted_at is not None

    def __repr__(self) -> str:
        """What one looks for in a notebook or a traceback; all of it is some 3,000 characters."""
        return brief(
            f"ModelVersion {self.name}:{self.version} (#{self.number}) in {self.stage}",
            "deleted" if self.deleted else "",
            "withdrawn" if self.withdrawn else "",
            f"aliases {few(self.aliases)}" if self.aliases else "",
            self.digest[:_DIGEST],
            f"created {self.created_at:{_MINUTE}}",
            f"model_id {self.model_id}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A movable pointer of a model to one of its versions, and who moved it there when."""

    name: str
    number: int
    model_id: str
    protected: bool = False
    at: datetime
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A name under which versions are kept, and everything a decision about pointers has to read at once.

    Holding aliases, stage holders, the label index's counters and the head of the event chain in one record makes
    its ``revision`` the single thing that two competing decisions collide on.

    Attributes:
        key: NFKC, case-folded name: what uniqueness is judged by.
        last_number: Highest number ever given (deleted versions included).
        highest: Highest label ever given (deleted versions included): what the next one is counted from.
        latest: ``model_id`` of what ``latest`` means, or ``None``; ``latest_rank`` is its sort key.
        holders: Stage value -> numbers that hold it, in the order in which they got there; only for the stages
            whose holders are few and matter (``domain.pointers.TRACKED``).
        experiments: Running experiment -> numbers of the versions it needs.
        sequence, head, head_at: Last event of this model's chain: its number, hash and time.
    """

    name: str
    key: str
    slug: str
    created_at: datetime
    created_by: str
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    policy: Policy
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    last_number: int = 0
    highest: str = ""
    latest: str | None = None
    latest_rank: str = ""
    holders: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    experiments: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    sequence: int = 0
    head: str = ""
    head_at: datetime | None = None
    updated_at: datetime | None = None
    revision: int = 0

    def __repr__(self) -> str:
        """Its name and where its pointers are."""
        numbered = {stage: "+".join(f"#{n}" for n in held) for stage, held in self.holders.items() if held}
        numbered |= {name: f"#{alias.number}" for name, alias in self.aliases.items()}
        pointers = few([f"{name} {number}" for name, number in numbered.items()])
        last = f"last number {self.last_number}"
        return brief(f"Model {self.name}", last, pointers, f"created {self.created_at:{_MINUTE}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The one record about the registry itself: identity, format and the head of its own event chain."""

    registry_id: str
    format: int
    created_at: datetime
    sequence: int = 0
    head: str = ""
    head_at: datetime | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """What is known of stored bytes.

    Attributes:
        state: ``live`` or ``deleting`` or ``deleted`` (a tombstone that outlives every decision begun before it).
        touched_at: Last time a commit referred to it; collection counts its grace from here.
        encoding: ``identity``; readers refuse what they do not know.
        scan: Verdict on these bytes, so that unchanged bytes are never scanned twice.
    """

    digest: str
    size: int
    state: str = "live"
    touched_at: datetime
    encoding: str = "identity"
    scan: ScanReport | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is known of a data set, base model, code commit or run besides that versions name it."""

    kind: str
    target: str
    withdrawn: Withdrawal | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Remembers the answer to an idempotency key: ``request`` is a digest of what was asked."""

    key: str
    request: str
    result: Mapping[str, JSON]
    at: datetime
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of a model's history (``model=""``: of the registry itself).

    ``before`` and ``after`` are a diff: paths such as ``version:7.stage``, ``alias:champion`` or ``stage:production``
    with the old and the new value. Keys that begin ``alias:`` or ``stage:`` are pointer moves (values are numbers, a
    list of numbers for a stage, or ``None``). ``hash`` is the sha256 over the canonical JSON (RFC 8785) of all the
    other fields.
    """

    model: str
    sequence: int
    at: datetime
    actor: str
    action: str
    subject: str
    before: Mapping[str, JSON] = field(default_factory=dict)
    after: Mapping[str, JSON] = field(default_factory=dict)
    reason: str = ""
    request_id: str = ""
    previous_hash: str = ""
    hash: str = ""

    def __repr__(self) -> str:
        """Who did what when; without the diff, which may be long."""
        place = f"Event {self.sequence} of {self.model or 'the registry'}"
        return brief(f"{place}: {self.action} {self.subject} by {self.actor}", f"{self.at:{_SECOND}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One movement of a pointer, derived from an event: ``pointer`` is ``alias:champion`` or ``stage:production``.

    For a stage held by several, ``number`` is the newest holder. ``number=None``: nothing held it from then on.
    """

    model: str
    pointer: str
    sequence: int
    at: datetime
    number: int | None
    actor: str = ""
    action: str = ""
    reason: str = ""
