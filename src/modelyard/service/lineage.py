"""Links between versions and to the world outside: made, taken back, followed. Circles are refused when they close."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from modelyard.domain import lineage, names
from modelyard.domain.errors import (
    AlreadyExists,
    IntegrityError,
    InvalidInput,
    NotAllowed,
    NotFound,
    VersionNotFound,
)
from modelyard.domain.lineage import VERSION
from modelyard.domain.lineage_graph import (
    Direction,
    LineageGraph,
    Link,
    Look,
    check_depth,
    check_direction,
    draw,
    first_cycle,
    last_steps,
    search,
    way,
)
from modelyard.domain.lineage_nodes import LineageNode, Thing
from modelyard.domain.records import LineageEdge, Model, ModelVersion
from modelyard.ports import service as ask
from modelyard.ports.lineage import Brief, BriefQuery, Edge, EdgeQuery, SourceQuery
from modelyard.ports.metadata import (
    Guard,
    VersionKey,
)
from modelyard.service import resolve
from modelyard.service.draft import Draft, change, touched
from modelyard.service.pages import every

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

Lineage: TypeAlias = tuple[LineageEdge, ...]
CHUNK = 500
"""Names asked for in one question."""


# --- given at registration -------------------------------------------------------------------------------------------


def resolved(service: LocalService, given: Iterable[LineageEdge], parent: ModelVersion | None) -> Lineage:
    """Links of a registration as they are kept, the parent's first; versions are named by their ``model_id``.

    Raises:
        InvalidInput: A link is malformed or given twice, or there are two parents.
        NotFound: A version that one leads to is not there.
    """
    edges = [_kept(service, edge) for edge in given]
    named = [edge for edge in edges if edge.kind == "parent"]
    if parent is not None and not any(edge.target == parent.model_id for edge in named):
        edges.insert(0, LineageEdge(kind="parent", target=parent.model_id))
    edges.sort(key=lambda edge: edge.kind != "parent")
    lineage.check_edges(edges)
    return tuple(edges)


def _kept(service: LocalService, given: LineageEdge) -> LineageEdge:
    edge = lineage.check_edge(given.kind, given.target, given.details)
    if not lineage.is_version(edge.kind):
        return edge
    return replace(edge, target=resolve.version(service, edge.target).model_id)


def withdrawn_among(service: LocalService, edges: Lineage) -> tuple[str, ...]:
    """One line for each link to something withdrawn: what a newcomer is warned of, and what keeps it from going live.

    A copy has the same bytes as its original, so what that was made of counts as if it were the copy's own. Further
    back nothing is looked at: who is made of something that was made of something withdrawn is in ``affected``, and
    withdrawn or not by a decision of its own.
    """
    gone = _withdrawn(service) if edges else {}
    links, found = list(edges), dict[str, None]()
    followed = set[str]()
    for edge in links:  # grows while it is read
        version = service.store.get(VersionKey(edge.target)) if lineage.is_version(edge.kind) else None
        if version is not None and version.withdrawn is not None:
            name, why = f"{version.name}:{version.version}", version.withdrawn.reason
            found[f"{edge.kind} {name} was withdrawn: {why}"] = None
        elif (edge.kind, edge.target) in gone:
            found[f"{edge.kind} {edge.target} was withdrawn: {gone[edge.kind, edge.target]}"] = None
        if version is not None and edge.kind == "promoted_from" and edge.target not in followed:
            followed.add(edge.target)
            links += version.edges
    return tuple(found)


def _withdrawn(service: LocalService) -> dict[Thing, str]:
    """Sources that are withdrawn, and why. There are few: only what ever was withdrawn has a record."""
    sources = every(service.store, SourceQuery())
    return {(s.kind, s.target): s.withdrawn.reason for s in sources if s.withdrawn is not None}


# --- changed later ---------------------------------------------------------------------------------------------------


def link(service: LocalService, request: ask.Link) -> ModelVersion:
    """Add a link; one that is there already is no change.

    Raises:
        NotAllowed: It would close a circle, or be a second parent.
        AlreadyExists: The same link was given at registration with other details.
    """
    given = lineage.check_edge(request.kind, request.target, request.details)
    return service.decide(lambda: _link(service, request, given))


def _link(service: LocalService, request: ask.Link, given: LineageEdge) -> tuple[ModelVersion, Draft | None]:
    version = resolve.version(service, request.ref)
    model = resolve.model_named(service, version.name)
    version = resolve.version(service, version.model_id)
    edge = _kept(service, given)
    present = _present(version, edge)
    if present == edge or (present is not None and not edge.details):
        return version, None
    if present is not None and present in version.lineage:
        raise AlreadyExists(
            f"{version.name}:{version.version} was registered with {lineage.spelled(edge)} and other details; "
            "what is given at registration stays as it is"
        )
    guards = _allowed(service, version, edge) if present is None else ()
    links = (*(old for old in version.links if old != present), edge)
    written, draft = _write(service, model, version, links, "version.linked", edge, request.reason)
    draft.guards.extend(guards)
    return written, draft


def _present(version: ModelVersion, edge: LineageEdge) -> LineageEdge | None:
    """The link of the same kind to the same target."""
    same = (old for old in version.edges if (old.kind, old.target) == (edge.kind, edge.target))
    return next(same, None)


def _allowed(service: LocalService, version: ModelVersion, edge: LineageEdge) -> tuple[Guard, ...]:
    """What a new link depends on: nothing that its target came from may change before it is written.

    Raises:
        NotAllowed: A second parent, or a circle; the reasons show it.
        InvalidInput: The version has all the links that it may have.
    """
    spelled = f"{version.name}:{version.version}"
    if edge.kind == "parent" and any(old.kind == "parent" for old in version.edges):
        raise NotAllowed(f"{spelled} has a parent already; use merged_from, or another kind of link")
    if len(version.edges) >= lineage.MOST:
        raise InvalidInput(f"{spelled} has {lineage.MOST} lineage links, which is as many as a version takes")
    if not lineage.is_version(edge.kind):
        return ()
    guards: dict[str, Guard] = {}
    start, end = (VERSION, edge.target), (VERSION, version.model_id)
    if start == end:
        raise NotAllowed(
            f"{spelled} cannot be {edge.kind} itself", reasons=["a version does not come from itself"]
        )
    found = search(start, "up", None, _guarded(service, guards))
    if end in found.distance:
        circle = (end, *way(last_steps(found.edges, start, up=True), end))
        nodes = _nodes(service, circle)
        raise NotAllowed(
            f"{spelled} cannot be {edge.kind} {nodes[start].label}: that one came from it",
            reasons=[" came from ".join(nodes[thing].label for thing in circle)],
        )
    return tuple(guards.values())


def unlink(service: LocalService, request: ask.Unlink) -> ModelVersion:
    """Take a link back that was added later.

    Raises:
        NotAllowed: It was given at registration, which is fixed.
        NotFound: There is no such link.
    """
    given = lineage.check_edge(request.kind, request.target, None)
    return service.decide(lambda: _unlink(service, request, given))


def _unlink(service: LocalService, request: ask.Unlink, given: LineageEdge) -> tuple[ModelVersion, Draft]:
    version = resolve.version(service, request.ref)
    model = resolve.model_named(service, version.name)
    version = resolve.version(service, version.model_id)
    edge = replace(given, target=_named(service, given))
    present = _present(version, edge)
    spelled = f"{version.name}:{version.version}"
    if present is None:
        raise NotFound(
            f"{spelled} has no link {lineage.spelled(given)}; `lineage {spelled}` shows what it has"
        )
    if present not in version.links:
        raise NotAllowed(f"{spelled} was registered with {lineage.spelled(given)}, and that stays as it is")
    links = tuple(old for old in version.links if old != present)
    return _write(service, model, version, links, "version.unlinked", present, request.reason)


def _named(service: LocalService, edge: LineageEdge) -> str:
    """The target as it is kept; a version that is not here (any more) is named by its ``model_id`` alone."""
    if not lineage.is_version(edge.kind):
        return edge.target
    try:
        return resolve.version(service, edge.target, deleted=True).model_id
    except VersionNotFound:
        if names.is_id(edge.target):
            return edge.target.lower()
        raise


def _write(
    service: LocalService,
    model: Model,
    version: ModelVersion,
    links: Lineage,
    action: str,
    edge: LineageEdge,
    reason: str,
) -> tuple[ModelVersion, Draft]:
    """One event that names the link, with its details before and after (``None``: it is not there)."""
    key = f"{touched(version)}.links.{lineage.spelled(edge)}"
    _, (written,), draft = change(
        service,
        model,
        (replace(version, links=links),),
        action=action,
        subject=touched(version),
        before={key: lineage.details_in(version.links, lineage.spelled(edge))},
        after={key: lineage.details_in(links, lineage.spelled(edge))},
        reason=reason,
    )
    return written, draft


# --- followed --------------------------------------------------------------------------------------------------------


def graph(service: LocalService, request: ask.Trace) -> LineageGraph:
    """What a version came from, what came of it, or both; deleted versions are part of it."""
    direction, depth = check_direction(request.direction), check_depth(request.depth)
    root = (VERSION, resolve.version(service, request.ref, deleted=True).model_id)
    return traced(service, root, direction, depth)


def traced(service: LocalService, root: Thing, direction: Direction, depth: int | None) -> LineageGraph:
    """The graph from anything that has links, a source included."""
    found = search(root, direction, depth, _look(service))
    return draw(found, root, direction, depth, _nodes(service, found.distance))


def _look(service: LocalService) -> Look:
    """Links of a front of things, read from the store: going up its own, going down also those that name it."""

    def look(front: Sequence[Thing], up: bool) -> Iterator[Link]:
        for chunk in _chunks(front):
            own = tuple(target for kind, target in chunk if kind == VERSION)
            query = EdgeQuery(of=own, to=() if up else tuple(dict.fromkeys(target for _, target in chunk)))
            yield from map(_link_of, every(service.store, query))

    return look


def _guarded(service: LocalService, guards: dict[str, Guard]) -> Look:
    """As ``_look``; the revision of each version is noted before its links are read."""
    plain = _look(service)

    def look(front: Sequence[Thing], up: bool) -> Iterable[Link]:
        ids = [target for kind, target in front if kind == VERSION]
        known = {brief.model_id: brief.revision for brief in _briefs(service, ids)}
        for model_id in ids:
            guards[model_id] = Guard(key=VersionKey(model_id), expected=known.get(model_id, 0))
        links = plain(front, up)
        return [found for found in links if lineage.is_version(found[1])]

    return look


def _link_of(edge: Edge) -> Link:
    return edge.model_id, edge.kind, edge.target


def _chunks(things: Sequence[Thing]) -> Iterator[Sequence[Thing]]:
    return (things[start : start + CHUNK] for start in range(0, len(things), CHUNK))


def _briefs(service: LocalService, ids: Sequence[str]) -> Iterator[Brief]:
    for start in range(0, len(ids), CHUNK):
        yield from every(service.store, BriefQuery(ids=tuple(ids[start : start + CHUNK])))


def _nodes(service: LocalService, things: Iterable[Thing]) -> dict[Thing, LineageNode]:
    """What each thing is. A source is withdrawn by its own record, a version by its own."""
    wanted = list(things)
    gone = _withdrawn(service)
    nodes = {
        thing: LineageNode(
            kind=thing[0],
            target=thing[1],
            label=thing[1],
            withdrawn=thing in gone,
            missing=thing[0] == VERSION,
        )
        for thing in wanted
    }
    for brief in _briefs(service, [target for kind, target in wanted if kind == VERSION]):
        nodes[VERSION, brief.model_id] = LineageNode(
            kind=VERSION,
            target=brief.model_id,
            label=f"{brief.name}:{brief.version}",
            name=brief.name,
            number=brief.number,
            version=brief.version,
            stage=brief.stage,
            deleted=brief.deleted,
            withdrawn=brief.withdrawn,
        )
    return nodes


# --- taken in from elsewhere -----------------------------------------------------------------------------------------


def refuse_cycles(service: LocalService, versions: Sequence[ModelVersion]) -> tuple[Guard, ...]:
    """What versions from elsewhere depend on if they are written as they are: add it to their commit.

    Raises:
        IntegrityError: With what is here they would come from each other in a circle.
    """
    came_from = {version.model_id: _origins(version) for version in versions}
    given = frozenset(came_from)
    guards: dict[str, Guard] = {}
    look = _guarded(service, guards)
    front = sorted({origin for origins in came_from.values() for origin in origins} - given)
    while front:
        for model_id, _, target in look([(VERSION, origin) for origin in front], True):
            came_from.setdefault(model_id, []).append(target)
        asked = given | guards.keys()
        front = sorted({origin for name in front for origin in came_from.get(name, ())} - asked)
    if circle := first_cycle(came_from):
        nodes = _nodes(service, [(VERSION, name) for name in circle])
        shown = " came from ".join(nodes[VERSION, name].label for name in circle)
        raise IntegrityError(
            f"the versions would come from each other in a circle: {shown}; nothing was imported"
        )
    return tuple(guards.values())


def _origins(version: ModelVersion) -> list[str]:
    return [edge.target for edge in version.edges if lineage.is_version(edge.kind)]
