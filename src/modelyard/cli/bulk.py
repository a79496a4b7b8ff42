"""Many registrations from one file: all checked first, then made in batches, and harmless to repeat."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from modelyard.cli import figures
from modelyard.domain.errors import BlobDamaged, IntegrityError, InvalidInput, ModelyardError, StorageError
from modelyard.domain.spelling import hint

if TYPE_CHECKING:
    from modelyard.client.bulk import Batch, Ready
    from modelyard.registry import ModelRegistry

KEYS: Final[dict[str, tuple[str, tuple[type, ...]]]] = {
    "name": ("name", (str,)),
    "model_path": ("model_path", (str,)),
    "version": ("version", (str,)),
    "stage": ("stage", (str,)),
    "description": ("description", (str,)),
    "metrics": ("performance_metrics", (dict,)),
    "performance_metrics": ("performance_metrics", (dict,)),
    "params": ("hyperparams", (dict,)),
    "hyperparams": ("hyperparams", (dict,)),
    "tags": ("tags", (dict,)),
    "attributes": ("attributes", (dict,)),
    "data_lineage": ("data_lineage", (dict,)),
    "lineage": ("lineage", (list,)),
    "parent": ("parent", (str,)),
    "alias": ("alias", (str,)),
    "artifacts": ("artifacts", (dict,)),
    "format": ("serialization_format", (str,)),
    "compress": ("compress", (bool, int)),
    "signature": ("signature", (dict,)),
    "card": ("card", (dict,)),
    "bump": ("bump", (str,)),
    "override_reason": ("override_reason", (str,)),
    "files": ("files", (list,)),
    "flavor": ("flavor", (dict,)),
    "environment": ("environment", (dict,)),
}
"""Key of an entry -> argument of ``register_model`` and the types it may have; ``-`` in a key is read as ``_``."""

_WORDS: Final = {str: "text", dict: "an object", list: "a list", bool: "true or false", int: "a whole number"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One checked entry: its place in the file from 1, where its model is, and the arguments of ``register_model``.

    ``path`` is ``None`` where ``files`` among the facts name bytes that the registry has.
    """

    place: int
    name: str
    version: str | None
    path: Path | None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.name} {self.version or ''}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an entry: ``registered``, ``there already``, ``failed``, or ``left out`` with its batch."""

    entry: int
    name: str
    version: str
    outcome: str
    model_id: str = ""
    why: str = ""
    error: ModelyardError | None = field(default=None, repr=False)


def read(data: Any, folder: Path, where: str) -> list[Entry]:
    """Check a whole file.

    Args:
        data: What the file holds: a list, or an object with the list under ``models``.
        folder: Where relative paths start.
        where: The file's name, for messages.

    Raises:
        InvalidInput: With one reason per mistake, over all entries.
    """
    given = data.get("models") if isinstance(data, dict) else data
    if not isinstance(given, list) or not given:
        raise InvalidInput(
            f"'{where}': expected a list of entries, or {{\"models\": [...]}} with at least one."
        )
    problems: list[str] = []
    entries = []
    for index, item in enumerate(given):
        found = _mistakes(item, folder)
        problems += [f"entry {index + 1}{_named(item)}: {problem}" for problem in found]
        if not found:
            entries.append(_entry(index + 1, item, folder))
    problems += _repeated(entries)
    if problems:
        raise InvalidInput(
            f"'{where}': {figures.plural(len(problems), 'mistake')}; nothing was registered.",
            reasons=problems,
        )
    return entries


def _named(item: Any) -> str:
    name = item.get("name") if isinstance(item, dict) else None
    return f" ({name:.60})" if isinstance(name, str) else ""


def _mistakes(item: Any, folder: Path) -> list[str]:
    if not isinstance(item, dict):
        return ['expected an object such as {"name": "fraud", "model_path": "fraud.joblib"}']
    entry = {key.replace("-", "_"): value for key, value in item.items()}
    found = [f"unknown key '{key:.60}'.{hint(key, KEYS)}" for key in entry if key not in KEYS]
    found += [_wrong_type(key, value) for key, value in entry.items() if _is_wrong(key, value)]
    if found:
        return found
    if entry.get("name") is None:
        found.append("'name' is missing")
    if (entry.get("model_path") is None) == (entry.get("files") is None):
        both = "found both" if entry.get("files") is not None else "both are missing"
        found.append(f"expected either 'model_path' or 'files' that the registry has; {both}")
    if entry.get("files") is None:
        found += [f"'{key}' goes with 'files' only" for key in ("flavor", "environment") if entry.get(key)]
    found += [
        problem for key, check in _checks(folder).items() if (problem := _problem(check, entry.get(key)))
    ]
    return found


def _is_wrong(key: str, value: Any) -> bool:
    if key not in KEYS or value is None:
        return False
    kinds = KEYS[key][1]
    return not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)


def _wrong_type(key: str, value: Any) -> str:
    kinds = " or ".join(_WORDS[kind] for kind in KEYS[key][1])
    return f"'{key}': expected {kinds}, found {json.dumps(value):.60}"


def _checks(folder: Path) -> Mapping[str, Callable[[Any], object]]:
    """What the domain says about single values, asked here so that a slip in the last entry is found first."""
    from datetime import UTC, datetime

    from modelyard.domain import refs, signature_given
    from modelyard.domain.lifecycle import parse_stage
    from modelyard.domain.metrics import parse_metrics
    from modelyard.domain.names import check_alias, check_label, check_model_name

    def metrics(value: Any) -> object:
        return parse_metrics(value, at=datetime.now(UTC), by="")

    return {
        "name": check_model_name,
        "version": check_label,
        "stage": parse_stage,
        "alias": check_alias,
        "parent": refs.parse,
        "signature": signature_given.parse,
        "metrics": metrics,
        "performance_metrics": metrics,
        "model_path": lambda value: _existing(folder, value),
        "artifacts": lambda value: [_existing(folder, str(path)) for path in value.values()],
    }


def _existing(folder: Path, given: str) -> Path:
    path = folder / given
    if not given:
        raise InvalidInput("expected a path, found an empty text")
    if not path.exists():
        raise InvalidInput(f"there is nothing at '{path}'")
    return path


def _problem(check: Callable[[Any], object], value: Any) -> str | None:
    if value is None:
        return None
    try:
        check(value)
    except InvalidInput as error:
        return "; ".join([error.detail, *error.reasons])
    return None


def _entry(place: int, item: Mapping[str, Any], folder: Path) -> Entry:
    facts = {KEYS[key.replace("-", "_")][0]: value for key, value in item.items() if value is not None}
    if "artifacts" in facts:
        facts["artifacts"] = {name: folder / str(path) for name, path in facts["artifacts"].items()}
    path = facts.pop("model_path", None)
    return Entry(
        place=place,
        name=facts.pop("name"),
        version=facts.pop("version", None),
        path=None if path is None else folder / path,
        facts=facts,
    )


def _repeated(entries: list[Entry]) -> list[str]:
    """Labels that two entries claim."""
    from modelyard.domain.text import fold
    from modelyard.domain.versioning import label_key

    seen: set[tuple[str, str]] = set()
    found = []
    for entry in entries:
        if entry.version is None:
            continue
        key = (fold(entry.name), label_key(entry.version))
        if key in seen:
            found.append(f"{entry.title}: two entries have this name and version")
        seen.add(key)
    return found


# --- registering -----------------------------------------------------------------------------------------------------


class Run:
    """Entries on their way into a registry, batch by batch.

    Args:
        registry: Where they go.
        size: Entries of a batch, each of which is one commit.
        whole: Leave out a whole batch if one of its entries is refused; otherwise only that entry.
        tell: Called with the entry that is being packed.

    Attributes:
        outcomes: What became of each entry so far, by its place.
    """

    def __init__(
        self, registry: ModelRegistry, *, size: int, whole: bool, tell: Callable[[Entry], None]
    ) -> None:
        self._registry, self._size, self._whole, self._tell = registry, size, whole, tell
        self.outcomes: dict[int, Outcome] = {}

    def register(self, entries: Sequence[Entry]) -> None:
        """Put down in ``outcomes`` what becomes of each.

        Raises:
            StorageError, IntegrityError: The registry itself is in trouble; batches before this one are registered.
        """
        for start in range(0, len(entries), self._size):
            self._batch(entries[start : start + self._size], self.outcomes)

    def _batch(self, entries: Sequence[Entry], outcomes: dict[int, Outcome]) -> None:
        from modelyard.client.bulk import Batch

        registry = self._registry
        with Batch(registry.service, registry.settings, registry.location, registry.progress) as batch:
            ready = [(entry, one) for entry in entries if (one := self._packed(batch, entry, outcomes))]
            if self._whole and len(ready) < len(entries):
                _leave_out([entry for entry, _ in ready], outcomes)
            else:
                self._send(batch, ready, outcomes)

    def _packed(self, batch: Batch, entry: Entry, outcomes: dict[int, Outcome]) -> Ready | None:
        self._tell(entry)
        given = {"name": entry.name, "version": entry.version, **entry.facts}
        if entry.path is not None:
            given["model"] = entry.path
        try:
            return batch.add(given, keyed=entry.version is None)
        except ModelyardError as error:
            outcomes[entry.place] = _failed(entry, error, error.detail)
            return None

    def _send(self, batch: Batch, ready: Sequence[tuple[Entry, Ready]], outcomes: dict[int, Outcome]) -> None:
        """Who stands before a refused entry is registered without it, then who stands behind it."""
        while ready:
            try:
                made = batch.send([one for _, one in ready])
            except ModelyardError as error:
                place = error.data.get("entry")
                if not isinstance(place, int) or not 1 <= place <= len(ready):
                    raise
                refused, _ = ready[place - 1]
                outcomes[refused.place] = _failed(
                    refused, error, error.detail.partition("): ")[2] or error.detail
                )
                if self._whole:
                    _leave_out([entry for entry, _ in ready if entry is not refused], outcomes)
                    return
                self._send(batch, ready[: place - 1], outcomes)
                ready = ready[place:]
                continue
            for (entry, _), one in zip(ready, made, strict=True):
                outcomes[entry.place] = Outcome(
                    entry=entry.place,
                    name=one.name,
                    version=one.version,
                    outcome="registered" if one.new else "there already",
                    model_id=one.model_id,
                    why="; ".join(one.warnings) if one.new else "",
                )
            return


def _failed(entry: Entry, error: ModelyardError, detail: str) -> Outcome:
    if isinstance(error, StorageError | IntegrityError) and not isinstance(error, BlobDamaged):
        raise error  # the next entry would meet the same disk; other bytes are another matter
    return Outcome(
        entry=entry.place,
        name=entry.name,
        version=entry.version or "",
        outcome="failed",
        why="; ".join([detail, *error.reasons]),
        error=error,
    )


def _leave_out(entries: Sequence[Entry], outcomes: dict[int, Outcome]) -> None:
    """Of a batch that is whole or not at all."""
    refused = min(place for place, one in outcomes.items() if one.outcome == "failed")
    for entry in entries:
        outcomes[entry.place] = Outcome(
            entry=entry.place,
            name=entry.name,
            version=entry.version or "",
            outcome="left out",
            why=f"an entry of its batch was refused: entry {refused}",
        )
