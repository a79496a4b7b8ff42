"""Saying that a version, or what versions were made from, is not to be used any more; and what that reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from modelyard.domain import events, lineage
from modelyard.domain.answers import Affected, Reached
from modelyard.domain.canonical import plain
from modelyard.domain.errors import InvalidInput, NotFound, NotSupported
from modelyard.domain.lineage import VERSION
from modelyard.domain.lineage_graph import LineageGraph, last_steps, way
from modelyard.domain.lineage_nodes import LineageNode, Thing
from modelyard.domain.records import Model, ModelVersion, Source, Withdrawal
from modelyard.domain.standing import standing
from modelyard.domain.text import fold, shown
from modelyard.ports.lineage import EdgeQuery, SourceQuery
from modelyard.ports.metadata import (
    EventQuery,
    ExperimentKey,
    ModelKey,
    RegistryKey,
    SourceKey,
)
from modelyard.ports.service import Reinstate, Withdraw
from modelyard.service import resolve
from modelyard.service.draft import Draft, change, touched
from modelyard.service.lineage import traced
from modelyard.service.pages import every

if TYPE_CHECKING:
    from modelyard.service.local import LocalService


# --- said and taken back ---------------------------------------------------------------------------------------------


def withdraw(service: LocalService, request: Withdraw) -> Affected:
    """Mark something as withdrawn and tell what that reaches; the same again changes nothing.

    Raises:
        InvalidInput: There is no reason, or no such kind of thing.
        NotFound: No version has that name, or none names that source.
    """
    if not request.reason.strip():
        raise InvalidInput(f"withdrawing {shown(request.target)} needs a reason: people will ask why")
    return _say(service, request, request.reason)


def reinstate(service: LocalService, request: Reinstate) -> Affected:
    """Take a withdrawal back; what is not withdrawn stays as it is.

    Raises:
        InvalidInput, NotFound: As for a withdrawal.
    """
    return _say(service, request, "")


def _say(service: LocalService, request: Withdraw | Reinstate, why: str) -> Affected:
    root = _thing(service, request.target, request.kind)
    step = _say_of_version if root[0] == VERSION else _say_of_source
    service.decide(lambda: step(service, root, why, request.reason))
    with standing(f"{shown(request.target)} is {'withdrawn' if why else 'not withdrawn'}"):
        return _affected(service, root)


def _thing(service: LocalService, target: str, kind: str) -> Thing:
    """What is meant: a version by any ref, deleted ones too; or a source that some version names."""
    if kind == VERSION:
        return VERSION, resolve.version(service, target, deleted=True).model_id
    edge = lineage.check_edge(lineage.check_source(kind), target, None)
    if service.store.get(SourceKey(edge.kind, edge.target)) is None:
        naming = every(service.store, EdgeQuery(to=(edge.target,)))
        if not any(found.kind == edge.kind for found in naming):
            raise NotFound(
                f"no version names the {edge.kind} {shown(edge.target)}; "
                "`lineage` of a version shows what it names, letter for letter"
            )
    return edge.kind, edge.target


def _withdrawal(service: LocalService, present: Withdrawal | None, why: str) -> Withdrawal | None:
    """What is to hold: the present one where its reason is the same."""
    if not why or (present is not None and present.reason == why):
        return present if why else None
    return Withdrawal(reason=why, at=service.clock.now(), by=service.actor.name)


def _action(kind: str, withdrawal: Withdrawal | None) -> str:
    return f"{kind}.{'withdrawn' if withdrawal else 'reinstated'}"


def _say_of_version(service: LocalService, root: Thing, why: str, reason: str) -> tuple[None, Draft | None]:
    found = resolve.version(service, root[1], deleted=True)
    model = resolve.model_named(service, found.name)
    version = resolve.version(service, root[1], deleted=True)
    wanted = _withdrawal(service, version.withdrawn, why)
    if wanted == version.withdrawn:
        return None, None
    return None, mark(service, model, version, wanted, reason)


def mark(
    service: LocalService, model: Model, version: ModelVersion, wanted: Withdrawal | None, reason: str
) -> Draft:
    """The version as withdrawn or not, and the event that says so."""
    key = f"{touched(version)}.withdrawn"
    _, _, draft = change(
        service,
        model,
        (replace(version, withdrawn=wanted),),
        action=_action("version", wanted),
        subject=touched(version),
        before={key: version.withdrawn},
        after={key: wanted},
        reason=reason,
    )
    return draft


def _say_of_source(service: LocalService, root: Thing, why: str, reason: str) -> tuple[None, Draft | None]:
    present = service.store.get(SourceKey(*root)) or Source(kind=root[0], target=root[1])
    wanted = _withdrawal(service, present.withdrawn, why)
    if wanted == present.withdrawn:
        return None, None
    return None, _write(service, present, wanted, reason)


def _write(service: LocalService, present: Source, wanted: Withdrawal | None, reason: str) -> Draft:
    """The source's record and an event in the registry's own chain: a source belongs to no model."""
    registry = service.store.get(RegistryKey())
    if registry is None:
        raise NotSupported("this registry has no record of itself yet; open it once with the right to write")
    key = _path(present)
    moved, event = events.append(
        registry,
        now=service.clock.now(),
        actor=service.actor,
        action=_action("source", wanted),
        subject="registry",
        before={key: present.withdrawn},
        after={key: wanted},
        reason=reason,
    )
    draft = Draft()
    draft.put(moved)
    draft.put(replace(present, withdrawn=wanted, revision=present.revision + 1))
    draft.log.append(event)
    return draft


def _path(source: Source) -> str:
    """How events name what is said of a source."""
    return f"source:{source.kind}:{source.target}.withdrawn"


def unproven(service: LocalService) -> Iterator[str]:
    """Where what is recorded of sources is not what the registry's own events say last, one line each."""
    said: dict[str, Any] = {}
    for event in every(service.store, EventQuery(model_key="")):
        said |= {path: value for path, value in event.after.items() if path.startswith("source:")}
    for source in every(service.store, SourceQuery()):
        if plain(source.withdrawn) != said.pop(_path(source), None):
            yield f"{source.kind} {source.target}: its record is not what was last said of it"
    yield from (
        f"{path}: it was said, and there is no record" for path, value in said.items() if value is not None
    )


# --- what it reaches -------------------------------------------------------------------------------------------------


def affected(service: LocalService, target: str, kind: str) -> Affected:
    """What depends on something, whether it is withdrawn or not.

    Raises:
        InvalidInput, NotFound: As for a withdrawal.
    """
    return _affected(service, _thing(service, target, kind))


def _affected(service: LocalService, root: Thing) -> Affected:
    graph = traced(service, root, "down", None)
    return Affected(
        kind=root[0],
        target=root[1],
        name=graph.nodes[0].label,
        withdrawn=_standing(service, root),
        items=tuple(_reached(service, graph)),
    )


def _standing(service: LocalService, root: Thing) -> Withdrawal | None:
    if root[0] == VERSION:
        return resolve.version(service, root[1], deleted=True).withdrawn
    source = service.store.get(SourceKey(*root))
    return source.withdrawn if source else None


def _reached(service: LocalService, graph: LineageGraph) -> Iterator[Reached]:
    """Versions and deployments in the order of the graph, each followed by what stands on it."""
    nodes = {node.thing: node for node in graph.nodes}
    steps = last_steps(graph.edges, graph.root)
    standing = _standing_on(service, graph.nodes)
    for node in graph.nodes:
        trail = way(steps, node.thing)
        path = tuple(_spelled(nodes[thing]) for thing in trail)
        holder = node if node.kind == VERSION or len(trail) < 2 else nodes[trail[-2]]
        if node.kind == VERSION or node.kind == "deployment":
            yield Reached(
                kind=node.kind,
                name=node.label,
                model_id=holder.target,
                stage=holder.stage,
                deleted=holder.deleted,
                path=path,
            )
        for kind, name in standing.get(node.target, ()) if node.kind == VERSION else ():
            yield Reached(kind=kind, name=name, model_id=node.target, stage=node.stage, path=(*path, name))


def _spelled(node: LineageNode) -> str:
    return node.label if node.kind in (VERSION, "deployment") else f"{node.kind} {node.label}"


def _standing_on(service: LocalService, nodes: Sequence[LineageNode]) -> Mapping[str, list[tuple[str, str]]]:
    """``model_id`` -> kind and name of the aliases and running experiments on it; each model is read once."""
    found: dict[str, list[tuple[str, str]]] = {}
    keys = dict.fromkeys(fold(node.name) for node in nodes if node.name)
    for model in filter(None, (service.store.get(ModelKey(key)) for key in keys)):
        for alias in model.aliases.values():
            found.setdefault(alias.model_id, []).append(("alias", f"{model.name}@{alias.name}"))
        for experiment_id in model.experiments:
            trial = service.store.get(ExperimentKey(experiment_id))
            for model_id in dict.fromkeys(variant.model_id for variant in trial.variants) if trial else ():
                found.setdefault(model_id, []).append(("experiment", experiment_id))
    return found


# --- carried from registry to registry -------------------------------------------------------------------------------


def export_sources(service: LocalService, versions: Sequence[ModelVersion]) -> tuple[Source, ...]:
    """Withdrawn sources that these versions name, by kind and name."""
    named = {(edge.kind, edge.target) for version in versions for edge in version.edges}
    known = every(service.store, SourceQuery())
    return tuple(s for s in known if s.withdrawn is not None and (s.kind, s.target) in named)


def import_sources(service: LocalService, sources: Sequence[Source]) -> int:
    """Withdraw here what is withdrawn elsewhere, by whom and when it was said there; nothing is reinstated.

    Returns:
        How many were not withdrawn here.
    """
    return sum(service.decide(partial(_take, service, source)) for source in sources)


def _take(service: LocalService, source: Source) -> tuple[bool, Draft | None]:
    present = service.store.get(SourceKey(source.kind, source.target)) or replace(
        source, withdrawn=None, revision=0
    )
    if source.withdrawn is None or present.withdrawn is not None:
        return False, None
    return True, _write(service, present, source.withdrawn, source.withdrawn.reason)
