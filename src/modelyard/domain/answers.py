"""What the registry answers when the answer is more than a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import NotAllowed
from modelyard.domain.gates import Verdict
from modelyard.domain.records import JSON, Event, ModelVersion, Withdrawal


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """Outcome of a promotion or of its dry run.

    Attributes:
        version: The version as it is now (unchanged after a dry run or a refusal in a dry run).
        verdict: Every rule that was judged.
        moved: False for dry runs and for a stage already held.
        displaced: ``model_id`` of the holders that had to make room.
    """

    version: ModelVersion
    verdict: Verdict
    moved: bool
    displaced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A version that a rollback looked at, and why it would or would not do.

    ``unsound`` means that it would have been the one, but its bytes, scan, signature or load check are not right.
    """

    version: ModelVersion
    ok: bool
    reasons: tuple[str, ...] = ()
    unsound: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """A rollback, or its plan.

    Attributes:
        model: Name of the model.
        pointer: What moves, for example ``stage:production``.
        incumbent: What it names now (before the move).
        candidate: What it is to name; ``None`` if nothing fits.
        considered: Every candidate in the order tried, newest first. The search ends at the first that would have
            been right but is not sound: going further back is a decision.
        offer: Where the search ended so, the next version back that is sound.
        aliases: Aliases that follow in the same step.
        load_check: The client's evidence that the candidate loads; ``None`` if there is none.
        environment: What the candidate was made with that the incumbent was not, one line each.
        moved: True once done.
    """

    model: str
    pointer: str
    incumbent: ModelVersion
    candidate: ModelVersion | None
    considered: tuple[Candidate, ...] = ()
    offer: ModelVersion | None = None
    aliases: tuple[str, ...] = ()
    load_check: Mapping[str, JSON] | None = None
    environment: tuple[str, ...] = ()
    moved: bool = False

    def refusal(self) -> NotAllowed:
        """The error for a plan without a candidate: why, and what could be done instead."""
        offer = (
            f". The one before, {self.offer.version}, is sound: name it as the target" if self.offer else ""
        )
        reasons = [
            f"{c.version.version} (#{c.version.number}): {reason}"
            for c in self.considered
            for reason in c.reasons
        ]
        return NotAllowed(
            f"nothing to roll {self.pointer} of {self.model!r} back to{offer}",
            reasons=reasons or [f"no other version has held {self.pointer.partition(':')[2]}"],
            data={"offer": self.offer.model_id if self.offer else None},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """The five answers about a model: what is live, since when, by whose decision, is it really that, can I undo it.

    Attributes:
        live: Newest holder of ``production``, or ``None``.
        since: When it got there. ``by`` and ``reason``: whose decision, and why.
        intact: Its bytes match the manifest (``None``: nothing is live, or it has no files).
        damage: What is wrong, one line each.
        running: What deployments report; ``"not reported"`` while none do.
        undo: Version that a rollback would bring back, ``None`` if there is none; ``undo_note`` says why not.
        aliases: Alias -> (version label, model_id, protected).
        latest: What ``latest`` means now.
        stages: Stage -> number of versions.
        versions, size: How many versions there are, and their bytes together.
        recent: The last events, newest first.
    """

    name: str
    live: ModelVersion | None
    since: datetime | None = None
    by: str = ""
    reason: str = ""
    intact: bool | None = None
    damage: tuple[str, ...] = ()
    running: str = "not reported"
    undo: ModelVersion | None = None
    undo_note: str = ""
    aliases: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
    latest: ModelVersion | None = None
    stages: Mapping[str, int] = field(default_factory=dict)
    versions: int = 0
    size: int = 0
    recent: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Something that a withdrawal reaches.

    Attributes:
        kind: ``version``, ``alias``, ``experiment`` (one that runs) or ``deployment``; ``approval`` is kept for
            approvals.
        name: As people write it: ``fraud:1.4.0``, ``fraud@champion``, ``fraud-api/eu``; an experiment's id.
        model_id: The version itself, or the one through which it is reached.
        stage: Where that version stands; empty if it is unknown here.
        deleted: That version was deleted.
        path: A shortest way from what was withdrawn, both included, each as people write it.
    """

    kind: str
    name: str
    model_id: str
    stage: str = ""
    deleted: bool = False
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """What depends on a version, data set, base model or other source, near before far.

    Attributes:
        kind: ``version``, ``dataset``, ``base_model`` ...
        target: ``model_id`` of the version, or the name.
        name: As people write it.
        withdrawn: Why it is withdrawn; ``None`` if it is not.
        items: Everything reached. A withdrawn version is the first of them itself.
    """

    kind: str
    target: str
    name: str
    withdrawn: Withdrawal | None = None
    items: tuple[Reached, ...] = ()

    def of(self, kind: str) -> tuple[Reached, ...]:
        """Items of one kind."""
        return tuple(item for item in self.items if item.kind == kind)

    @property
    def versions(self) -> tuple[Reached, ...]:
        return self.of("version")

    @property
    def aliases(self) -> tuple[Reached, ...]:
        return self.of("alias")

    @property
    def deployments(self) -> tuple[Reached, ...]:
        return self.of("deployment")

    @property
    def approvals(self) -> tuple[Reached, ...]:
        return self.of("approval")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """The registry in numbers.

    ``stored_bytes`` counts every blob once; ``logical_bytes`` counts it for every version that names it.
    """

    total_models: int
    total_versions: int
    stages: Mapping[str, int]
    frameworks: Mapping[str, int]
    blobs: int
    stored_bytes: int
    logical_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """Records that were past use: answers to repeated requests, sessions that are over, tokens that ended long ago."""

    receipts: int = 0
    sessions: int = 0
    tokens: int = 0

    def __bool__(self) -> bool:
        return bool(self.receipts or self.sessions or self.tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What collection freed, or would free: ``versions`` lose their bytes, ``blobs`` go, ``freed`` bytes return,
    ``forgotten`` records are dropped.
    """

    dry_run: bool
    versions: tuple[str, ...] = ()
    blobs: tuple[str, ...] = ()
    freed: int = 0
    forgotten: Forgotten = Forgotten()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """What retention deletes, or would delete: versions (newest facts included) and the bytes only they name."""

    dry_run: bool
    versions: tuple[ModelVersion, ...] = ()
    kept: tuple[str, ...] = ()
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong: ``kind`` is a stable word, ``subject`` names the thing, ``repaired`` what was done."""

    kind: str
    subject: str
    detail: str
    repaired: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fsck:
    """Result of a check of the store: ``ok`` means no finding is left unrepaired."""

    deep: bool
    blobs: int = 0
    versions: int = 0
    size: int = 0
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        return all(f.repaired for f in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditProof:
    """Result of reading every chain from its start.

    Attributes:
        events: How many entries were read, over ``chains`` chains.
        root: RFC 6962 Merkle tree hash over the sorted chain heads: keep it elsewhere to notice a cut tail.
        breaks: Per broken chain: model, first bad sequence, why.
    """

    events: int
    chains: int
    root: str
    breaks: tuple[Mapping[str, JSON], ...] = ()

    @property
    def ok(self) -> bool:
        return not self.breaks


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did, per model: ``taken`` whole, ``forwarded``, ``renumbered`` or ``unchanged``."""

    models: Mapping[str, str] = field(default_factory=dict)
    versions: int = 0
    blobs: int = 0
    size: int = 0
    notes: tuple[str, ...] = ()
