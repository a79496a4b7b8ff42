"""Where versions come from and what uses them: the kinds of links, what is accepted as one, what facts imply one.

A link stands in the version that came to be: ``(fine_tuned_from, <model_id>)`` in the fine-tuned one. Its target is
another version or the name of something outside. Only ``used_by`` points the other way, from a version to its user.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from modelyard.domain.canonical import canonical, plain
from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import InvalidInput
from modelyard.domain.records import LineageEdge
from modelyard.domain.spelling import hint, quoted
from modelyard.domain.text import check_text

MOST: Final = 1_000
"""Links of one version; its record is read and written whole."""

TARGET_LENGTH: Final = 2_000
"""Characters; the longest addresses of object stores have about half of that."""

DETAILS_SIZE: Final = 10_000
"""Bytes of a link's details as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of link.

    Attributes:
        meaning: One line for people.
        version: Its target is a version, kept as ``model_id``; otherwise a name.
        forward: The target came after the version and uses it.
    """

    meaning: str
    version: bool = False
    forward: bool = False


KINDS: Final[Mapping[str, Kind]] = {
    "parent": Kind(version=True, meaning="the version it continues; at most one"),
    "fine_tuned_from": Kind(version=True, meaning="the version whose weights it was trained on from"),
    "quantised_from": Kind(version=True, meaning="the version it is a smaller number format of"),
    "distilled_from": Kind(version=True, meaning="the version whose answers it was trained on"),
    "merged_from": Kind(version=True, meaning="one of the versions whose weights were combined"),
    "promoted_from": Kind(
        version=True, meaning="the version of another model or registry with the same bytes"
    ),
    "base_model": Kind(meaning="a model from outside, such as hf:meta-llama/Llama-3.1-8B"),
    "dataset": Kind(meaning="data it was trained, tuned or judged on"),
    "feature_store": Kind(meaning="a commit or version of a feature store"),
    "code": Kind(meaning="a commit of the code it was made with"),
    "run": Kind(meaning="the training run, pipeline or notebook that made it"),
    "used_by": Kind(forward=True, meaning="a deployment or program that runs it"),
}
"""The closed list. A kind that is missing is a question to the list, not a free text: answers depend on it."""

VERSION: Final = "version"
"""What stands for "another version" where the kind of a thing, not of a link, is asked."""

SOURCES: Final = tuple(name for name, kind in KINDS.items() if not (kind.version or kind.forward))
"""Kinds whose targets are things from outside that can be withdrawn."""

KEYS: Final = {
    "dataset": (
        "dataset",
        "datasets",
        "training_data",
        "training_dataset",
        "training_data_path",
        "train_data",
        "validation_data",
        "test_data",
    ),
    "feature_store": ("feature_store", "feature_store_commit"),
    "code": ("code", "code_commit", "commit", "git_commit"),
    "run": ("run", "run_id", "mlflow_run_id", "pipeline_run"),
    "base_model": ("base_model", "base_model_name", "pretrained_model"),
}
"""Keys of ``data_lineage`` whose texts name something to link to. What stands under other keys stays a fact only."""

_KIND_OF: Final = {key: kind for kind, keys in KEYS.items() for key in keys}


def is_version(kind: str) -> bool:
    """Whether links of this kind lead to another version. Kinds that a later release wrote lead to names."""
    return kind in KINDS and KINDS[kind].version


def thing(kind: str) -> str:
    """What a link of this kind leads to: ``version``, ``deployment``, or the kind itself (``dataset``)."""
    if kind == "used_by":
        return "deployment"
    return VERSION if is_version(kind) else kind


# --- what is given ---------------------------------------------------------------------------------------------------


def check_kind(kind: Any) -> str:
    """A kind of the closed list; ``fine-tuned-from`` is ``fine_tuned_from``.

    Raises:
        InvalidInput: With the list and the nearest one.
    """
    word = kind.strip().replace("-", "_") if isinstance(kind, str) else ""
    if word in KINDS:
        return word
    raise InvalidInput(
        f"lineage kind {quoted(kind)} is not known: expected one of {', '.join(KINDS)}.{hint(word, KINDS)}"
    )


def check_source(kind: Any) -> str:
    """A kind of thing that can be withdrawn from outside.

    Raises:
        InvalidInput: With the list and the nearest one.
    """
    word = kind.strip().replace("-", "_") if isinstance(kind, str) else ""
    if word in SOURCES:
        return word
    known = (VERSION, *SOURCES)
    raise InvalidInput(
        f"kind {quoted(kind)} cannot be withdrawn: expected one of {', '.join(known)}.{hint(word, known)}"
    )


def check_edge(kind: Any, target: Any, details: Any) -> LineageEdge:
    """A link from what a caller gave, in the form in which it is kept.

    Raises:
        InvalidInput: The kind is not in the list, the target no storable text, the details no small JSON mapping.
    """
    word = check_kind(kind)
    where = f"lineage {word}"
    text = check_text(target, TARGET_LENGTH, f"{where} target").strip()
    if not text:
        raise InvalidInput(f"{where}: expected the name of what it leads to, found an empty text")
    return LineageEdge(kind=word, target=text, details=_details(details, where))


def _details(given: Any, where: str) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
        raise InvalidInput(f"{where}: expected details as a mapping with text keys, found {quoted(given)}")
    try:
        size = len(canonical(given))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{where}: details may hold JSON values only: {error}") from error
    if size > DETAILS_SIZE:
        raise InvalidInput(f"{where}: expected details of at most {DETAILS_SIZE} bytes as JSON, found {size}")
    found: dict[str, Any] = plain(given)
    return found


def check_edges(edges: Sequence[LineageEdge]) -> None:
    """Refuse a list with a link given twice, two parents, or too many links.

    Raises:
        InvalidInput: It names the link.
    """
    seen: set[tuple[str, str]] = set()
    for edge in edges:
        if (edge.kind, edge.target) in seen:
            raise InvalidInput(f"lineage {edge.kind} {quoted(edge.target)} is given twice; give it once")
        seen.add((edge.kind, edge.target))
    if sum(edge.kind == "parent" for edge in edges) > 1:
        raise InvalidInput("lineage has two parents; a version continues one, or is merged_from several")
    if len(edges) > MOST:
        raise InvalidInput(f"a version takes at most {MOST} lineage links, found {len(edges)}")


# --- what follows from other facts -----------------------------------------------------------------------------------


def implied(data_lineage: Mapping[str, Any], environment: Mapping[str, Any]) -> tuple[LineageEdge, ...]:
    """Links that ``data_lineage`` and the recorded state of the work tree speak of; each once, in that order."""
    found: dict[tuple[str, str], LineageEdge] = {}
    for edge in (*_told(data_lineage), *_commit(environment.get("git"))):
        found.setdefault((edge.kind, edge.target), edge)
    return tuple(found.values())


def _told(data_lineage: Mapping[str, Any]) -> Iterator[LineageEdge]:
    """Texts, and lists of texts, under the keys of ``KEYS``."""
    for key, value in data_lineage.items():
        kind = _KIND_OF.get(key.casefold())
        for name in _texts(value) if kind else ():
            yield LineageEdge(kind=kind or "", target=name, details={"data_lineage": key})


def _texts(value: Any) -> Iterable[str]:
    items = value if isinstance(value, list | tuple) else [value]
    texts = (item.strip() for item in items if isinstance(item, str))
    return [text for text in texts if 0 < len(text) <= TARGET_LENGTH][:MOST]


def _commit(git: Any) -> Iterator[LineageEdge]:
    commit = git.get("commit") if isinstance(git, Mapping) else None
    if isinstance(commit, str) and commit:
        known = {key: git[key] for key in ("branch", "dirty", "remote") if git.get(key) is not None}
        yield LineageEdge(kind="code", target=commit, details=known)


def joined(given: Sequence[LineageEdge], also: Iterable[LineageEdge]) -> tuple[LineageEdge, ...]:
    """``given``, and what else follows unless it is given already; no more than a version takes."""
    seen = {(edge.kind, edge.target) for edge in given}
    return (*given, *(edge for edge in also if (edge.kind, edge.target) not in seen))[:MOST]


def parent_of(edges: Iterable[LineageEdge]) -> str | None:
    """``model_id`` of the parent, if there is one."""
    return next((edge.target for edge in edges if edge.kind == "parent"), None)


def details_in(edges: Iterable[LineageEdge], name: str) -> dict[str, Any] | None:
    """Details of the link that is spelled so; ``None`` if there is none."""
    return next((dict(edge.details) for edge in edges if spelled(edge) == name), None)


def spelled(edge: LineageEdge) -> str:
    """``dataset s3://data/train.parquet``: how events name a link."""
    return f"{edge.kind} {edge.target}"
