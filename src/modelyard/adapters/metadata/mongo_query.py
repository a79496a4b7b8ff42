"""Questions to MongoDB: each is one aggregation over one snapshot, so that an answer is of one moment.

Pages continue from sort values (keyset), never from an offset: the last page costs what the first does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from modelyard.adapters.metadata import paging
from modelyard.adapters.metadata.changes import check_tally
from modelyard.adapters.metadata.mongo_client import concern
from modelyard.adapters.metadata.mongo_filter import Condition, Key, after, condition, sort_keys
from modelyard.adapters.metadata.mongo_rows import READERS
from modelyard.adapters.metadata.rows import Row, micros
from modelyard.domain.errors import IntegrityError
from modelyard.domain.events import moves
from modelyard.domain.experiments import OutcomeTally
from modelyard.domain.names import fold
from modelyard.domain.query import Field, Order
from modelyard.domain.records import Move
from modelyard.ports.lineage import Brief, BriefQuery, Edge, EdgeQuery, SourceQuery
from modelyard.ports.metadata import (
    BlobQuery,
    EventQuery,
    ExperimentQuery,
    ExposureQuery,
    ModelQuery,
    MoveQuery,
    OutcomeQuery,
    OutcomeTallyQuery,
    Page,
    Positioned,
    ReceiptQuery,
    SessionQuery,
    Tally,
    TallyQuery,
    TokenQuery,
    VersionQuery,
)

Stages = list[dict[str, Any]]
_NEWEST_FIRST: Final = (Order(Field("created"), True),)
_VERSION: Final = ("model_id", "model_key", "number", "label_key", "revision", "doc", "row_digest")


def run(database: Any, name: str, stages: Stages, *, batch: int = 1000) -> list[Row]:
    """All that an aggregation yields, as it was at one moment."""
    collection = database[name].with_options(read_concern=concern("snapshot"))
    with collection.aggregate(stages, allowDiskUse=True, batchSize=batch) as found:
        return list(found)


def ascending(*names: str) -> list[Key]:
    return [Key(name=name, descending=False) for name in names]


def descending(*names: str) -> list[Key]:
    return [Key(name=name, descending=True) for name in names]


def _page(
    database: Any,
    name: str,
    query: Any,
    where: Condition,
    keys: list[Key],
    read: Callable[[Row], Any],
    *,
    before: Sequence[dict[str, Any]] = (),
    late: Sequence[dict[str, Any]] = (),
    kept: Sequence[str] = (),
) -> Page[Any]:
    """One page of ``name`` in the order of ``keys``.

    Args:
        database: Where to ask.
        name: The collection.
        query: The question, for its limit and cursor.
        where: What has to hold.
        keys: What to sort by; together they tell all documents apart.
        read: Makes an item of a document.
        before: Stages between the condition and the sort.
        late: Stages that judge sorted documents one by one, until the page is full.
        kept: Fields that ``read`` needs; all of them where empty.
    """
    stages: Stages = [{"$match": where}, *before]
    if computed := {key.name: key.computed for key in keys if key.computed is not None}:
        stages.append({"$set": computed})
    if query.after is not None:
        stages.append({"$match": after(keys, paging.unseal(query, query.after))})
    stages += [{"$sort": _order(keys)}, *late, {"$limit": query.limit + 1}]
    if kept:
        stages.append({"$project": dict.fromkeys((*kept, *(key.name for key in keys)), 1)})
    found = run(database, name, stages, batch=query.limit + 1)
    items = found[: query.limit]
    more = len(found) > query.limit
    cursor = paging.seal(query, [items[-1][key.name] for key in keys]) if more else None
    return Page(items=tuple(read(row) for row in items), next=cursor)


def _order(keys: Sequence[Key]) -> dict[str, int]:
    """A name may be sorted by twice; the first time counts."""
    order: dict[str, int] = {}
    for key in keys:
        order.setdefault(key.name, -1 if key.descending else 1)
    return order


# --- versions --------------------------------------------------------------------------------------------------------


def versions(database: Any, query: VersionQuery) -> Page[Any]:
    wanted: list[Condition] = [
        {"deleted": {"$in": [0, 1] if query.deleted is None else [int(query.deleted)]}}
    ]
    named = {"model_key": query.model_key, "digest": query.digest, "files": query.file}
    wanted += [{name: {"$eq": value}} for name, value in named.items() if value is not None]
    if query.where is not None:
        wanted.append(condition(query.where))
    keys = sort_keys(query.order or _NEWEST_FIRST)
    return _page(database, "versions", query, {"$and": wanted}, keys, READERS["versions"], kept=_VERSION)


def briefs(database: Any, query: BriefQuery) -> Page[Brief]:
    kept = ("model_id", "name", "number", "label", "stage", "deleted", "withdrawn", "revision")
    where = {"model_id": {"$in": list(query.ids)}}
    return _page(database, "versions", query, where, ascending("model_id"), _brief, kept=kept)


def _brief(row: Row) -> Brief:
    return Brief(
        model_id=row["model_id"],
        name=row["name"],
        number=int(row["number"]),
        version=row["label"],
        stage=row["stage"],
        deleted=bool(row["deleted"]),
        withdrawn=bool(row["withdrawn"]),
        revision=int(row["revision"]),
    )


def edges(database: Any, query: EdgeQuery) -> Page[Edge]:
    """From either end: each end has an index of its own."""
    of, to = {"model_id": {"$in": list(query.of)}}, {"edges.target": {"$in": list(query.to)}}
    single: Stages = [
        {"$unwind": "$edges"},
        {"$match": {"$or": [of, to]}},
        {"$project": {"model_id": 1, "kind": "$edges.kind", "target": "$edges.target"}},
    ]
    keys = ascending("model_id", "kind", "target")
    return _page(database, "versions", query, {"$or": [of, to]}, keys, _edge, before=single)


def _edge(row: Row) -> Edge:
    return Edge(model_id=row["model_id"], kind=row["kind"], target=row["target"])


# --- other records ---------------------------------------------------------------------------------------------------


def models(database: Any, query: ModelQuery) -> Page[Any]:
    """The folded words are looked through document by document, since models are few."""
    found = {"$gte": [{"$indexOfBytes": ["$search", {"$literal": fold(query.contains)}]}, 0]}
    where: Condition = {"$expr": found} if query.contains else {}
    return _page(database, "models", query, where, ascending("name", "key"), READERS["models"])


def blobs(database: Any, query: BlobQuery) -> Page[Any]:
    named = {"digest": query.digest, "state": query.state}
    wanted: list[Condition] = [{name: {"$eq": value}} for name, value in named.items() if value is not None]
    if query.among is not None:
        wanted.append({"digest": {"$in": list(query.among)}})
    if query.idle_since is not None:
        wanted.append({"touched": {"$lte": micros(query.idle_since)}})
    where = {"$and": wanted} if wanted else {}
    late = _UNREFERENCED if query.unreferenced else ()
    return _page(database, "blobs", query, where, ascending("digest"), READERS["blobs"], late=late)


_UNREFERENCED: Final[Stages] = [
    {
        "$lookup": {
            "from": "versions",
            "localField": "digest",
            "foreignField": "files",
            "pipeline": [{"$limit": 1}, {"$project": {"_id": 1}}],
            "as": "users",
        }
    },
    {"$match": {"users": []}},
]


def sources(database: Any, query: SourceQuery) -> Page[Any]:
    return _page(database, "sources", query, {}, ascending("kind", "target"), READERS["sources"])


def tokens(database: Any, query: TokenQuery) -> Page[Any]:
    return _page(database, "tokens", query, {}, ascending("token_id"), READERS["tokens"])


def sessions(database: Any, query: SessionQuery) -> Page[Any]:
    return _page(database, "sessions", query, {}, ascending("session_id"), READERS["sessions"])


def receipts(database: Any, query: ReceiptQuery) -> Page[Any]:
    return _page(database, "receipts", query, {}, ascending("key"), READERS["receipts"])


def experiments(database: Any, query: ExperimentQuery) -> Page[Any]:
    where: Condition = {} if query.model_key is None else {"model_key": {"$eq": query.model_key}}
    return _page(database, "experiments", query, where, ascending("experiment_id"), READERS["experiments"])


def outcomes(database: Any, query: OutcomeQuery) -> Page[Any]:
    where: Condition = {"experiment_id": {"$eq": query.experiment_id}}
    return _page(database, "outcomes", query, where, ascending("unit", "draw"), READERS["outcomes"])


def exposures(database: Any, query: ExposureQuery) -> Page[Any]:
    where: Condition = {"experiment_id": {"$eq": query.experiment_id}}
    return _page(database, "exposures", query, where, ascending("writer"), READERS["exposures"])


# --- the log ---------------------------------------------------------------------------------------------------------


def events(database: Any, query: EventQuery) -> Page[Any]:
    """Events of one chain by sequence, or of all by position."""
    where: Condition = {}
    if query.model_key is not None:
        where["model_key"] = {"$eq": query.model_key}
    if query.subject:
        where["subjects"] = {"$eq": query.subject}
    if query.until is not None:
        where["at"] = {"$lte": micros(query.until)}
    by = "position" if query.model_key is None else "sequence"
    keys = descending(by) if query.newest_first else ascending(by)
    return _page(database, "events", query, where, keys, READERS["events"])


def log(database: Any, position: int, limit: int) -> tuple[Positioned, ...]:
    """Events above a position, in their order."""
    stages: Stages = [
        {"$match": {"position": {"$gt": position}}},
        {"$sort": {"position": 1}},
        {"$limit": limit},
    ]
    read = READERS["events"]
    found = run(database, "events", stages, batch=limit)
    return tuple(Positioned(position=int(row["position"]), event=read(row)) for row in found)


def pointer_moves(database: Any, query: MoveQuery) -> Page[Move]:
    where: Condition = {"model_key": {"$eq": query.model_key}, "moves.pointer": {"$eq": query.pointer}}
    if query.until is not None:
        where["at"] = {"$lte": micros(query.until)}

    def read(row: Row) -> Move:
        return _move(row, query.pointer)

    return _page(database, "events", query, where, descending("at", "sequence"), read)


def _move(row: Row, pointer: str) -> Move:
    """The move as its event tells it; what it was found by is only where to look."""
    for move in moves(READERS["events"](row)):
        if move.pointer == pointer and (micros(move.at), move.sequence) == (row["at"], row["sequence"]):
            return move
    raise IntegrityError(
        f"move {row['sequence']} of {pointer} of model {row['model_key']} is not what its event says: the database was "
        "changed or damaged; run `modelyard fsck` and restore it from a backup"
    )


# --- sums ------------------------------------------------------------------------------------------------------------


def tallies(database: Any, query: TallyQuery) -> Page[Tally]:
    """Counts by one field.

    Raises:
        InvalidQuery: There is nothing to count by under that name.
    """
    check_tally(query)
    if query.by == "model":
        return _total(database, "models", {}, 0)
    if query.by == "blob":
        return _total(database, "blobs", {"state": {"$ne": "deleted"}}, "$size")
    where: Condition = {"deleted": 0}
    if query.model_key is not None:
        where["model_key"] = {"$eq": query.model_key}
    elif query.namespace is not None:
        where["model_key"] = {"$gt": f"{query.namespace}/", "$lt": f"{query.namespace}0"}
    stages: Stages = [
        {"$match": where},
        {"$group": {"_id": f"${query.by}", "count": {"$sum": 1}, "size": {"$sum": "$size"}}},
        {"$sort": {"count": -1, "_id": 1}},
        {"$limit": query.limit},
    ]
    found = run(database, "versions", stages)
    return Page(items=tuple(_tally(row["_id"], row) for row in found))


def _total(database: Any, name: str, where: Condition, size: Any) -> Page[Tally]:
    stages: Stages = [
        {"$match": where},
        {"$group": {"_id": None, "count": {"$sum": 1}, "size": {"$sum": size}}},
    ]
    (row,) = run(database, name, stages) or [{"count": 0, "size": 0}]
    return Page(items=(_tally(name, row),))


def _tally(value: str, row: Row) -> Tally:
    return Tally(value=value, count=int(row["count"]), size=int(row["size"]))


def outcome_tallies(database: Any, query: OutcomeTallyQuery) -> Page[OutcomeTally]:
    """Summed by the database: documents are not held against their digests here, ``check`` does that.

    First the mean over units, then the distances from it: the difference of two large sums, or a running deviation,
    would lose what tells large values apart.
    """
    stages: Stages = [{"$match": {"experiment_id": {"$eq": query.experiment_id}, "late": 0}}]
    value = "$value"
    if query.metric:
        value = "$values.v"
        stages += [{"$unwind": "$values"}, {"$match": {"values.m": {"$eq": query.metric}}}]
    unit = {"unit": "$unit", "variant": "$variant"}
    stages += [
        {"$group": {"_id": unit, "outcomes": {"$sum": 1}, "mean": {"$avg": value}}},
        {"$setWindowFields": {"partitionBy": "$_id.variant", "output": {"centre": {"$avg": "$mean"}}}},
        {
            "$group": {
                "_id": "$_id.variant",
                "outcomes": {"$sum": "$outcomes"},
                "units": {"$sum": 1},
                "mean": {"$first": "$centre"},
                "squares": {"$sum": {"$pow": [{"$subtract": ["$mean", "$centre"]}, 2]}},
            }
        },
        {"$sort": {"_id": 1}},
    ]
    found = run(database, "outcomes", stages)
    return Page(items=tuple(_outcome_tally(row) for row in found))


def _outcome_tally(row: Row) -> OutcomeTally:
    return OutcomeTally(
        variant=row["_id"],
        outcomes=int(row["outcomes"]),
        units=int(row["units"]),
        mean=row["mean"],
        squares=row["squares"],
    )


FINDERS: Final[Mapping[type, Callable[[Any, Any], Page[Any]]]] = {
    VersionQuery: versions,
    ModelQuery: models,
    MoveQuery: pointer_moves,
    EventQuery: events,
    BlobQuery: blobs,
    SourceQuery: sources,
    EdgeQuery: edges,
    BriefQuery: briefs,
    ExperimentQuery: experiments,
    OutcomeQuery: outcomes,
    ExposureQuery: exposures,
    OutcomeTallyQuery: outcome_tallies,
    TokenQuery: tokens,
    SessionQuery: sessions,
    ReceiptQuery: receipts,
    TallyQuery: tallies,
}
