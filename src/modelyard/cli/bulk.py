"""Many registrations from one file: all checked first, then done one by one, and harmless to repeat."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from modelyard.domain.errors import InvalidInput, NotFound
from modelyard.domain.spelling import hint

if TYPE_CHECKING:
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
}
"""Key of an entry -> argument of ``register_model`` and the types it may have; ``-`` in a key is read as ``_``."""

_WORDS: Final = {str: "text", dict: "an object", list: "a list", bool: "true or false", int: "a whole number"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One checked entry: where its model is, and the arguments of ``register_model``."""

    name: str
    version: str | None
    path: Path | None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.name} {self.version or ''}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an entry: ``registered``, ``there already`` or ``failed``."""

    name: str
    version: str
    outcome: str
    model_id: str = ""
    why: str = ""


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
            entries.append(_entry(item, folder))
    problems += _repeated(entries)
    if problems:
        raise InvalidInput(f"'{where}': {len(problems)} mistakes; nothing was registered.", reasons=problems)
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
    found += [f"'{key}' is missing" for key in ("name", "model_path") if entry.get(key) is None]
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


def _entry(item: Mapping[str, Any], folder: Path) -> Entry:
    facts = {KEYS[key.replace("-", "_")][0]: value for key, value in item.items() if value is not None}
    if "artifacts" in facts:
        facts["artifacts"] = {name: folder / str(path) for name, path in facts["artifacts"].items()}
    path = facts.pop("model_path")
    return Entry(name=facts.pop("name"), version=facts.pop("version", None), path=folder / path, facts=facts)


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


def register(registry: ModelRegistry, entry: Entry) -> Outcome:
    """Register one entry, or find that it is there.

    Raises:
        ModelyardError: As ``register_model``; ``AlreadyExists`` where the label holds other content.
    """
    before = _present(registry, entry)
    key = None if entry.version else idempotency_key(entry)
    model_id = registry.register_model(
        entry.path, entry.name, entry.version, idempotency_key=key, **entry.facts
    )
    version = registry.get_model(model_id)
    known = before == model_id if entry.version else version.number <= (before or 0)
    return Outcome(
        name=version.name,
        version=version.version,
        outcome="there already" if known else "registered",
        model_id=model_id,
    )


def _present(registry: ModelRegistry, entry: Entry) -> Any:
    """With a label: the ``model_id`` that has it. Without one: the highest number so far."""
    from modelyard.cli.refs import labelled

    try:
        if entry.version:
            return registry.get_model(labelled(entry.name, entry.version)).model_id
        found = registry.search_models(f"name = {json.dumps(entry.name)} order by number desc", limit=1)
        return next((version.number for version in found), None)
    except NotFound:
        return None


def idempotency_key(entry: Entry) -> str:
    """A key that is the same when name, facts and bytes are the same: what makes an entry without a label repeatable.

    It reads the files once more than a registration does; a label in the entry saves that.
    """
    digest = hashlib.sha256()
    facts = {key: str(value) if key == "artifacts" else value for key, value in entry.facts.items()}
    digest.update(json.dumps([entry.name, facts], sort_keys=True, default=str).encode())
    paths = [entry.path] if entry.path else []
    for path in paths:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            digest.update(f"\0{file.relative_to(path).as_posix()}\0".encode())
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return f"bulk-{digest.hexdigest()}"
