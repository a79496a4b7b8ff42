"""From a reference to the version it means, now or at an earlier instant."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from modelyard.domain import names, query, refs, versioning
from modelyard.domain.errors import (
    AliasNotFound,
    InvalidInput,
    InvalidRef,
    ModelNotFound,
    NotAllowed,
    NotFound,
    VersionNotFound,
)
from modelyard.domain.pointers import TRACKED
from modelyard.domain.query import Compare, Field, Order
from modelyard.domain.records import Model, ModelStage, ModelVersion, Move
from modelyard.domain.refs import Ref
from modelyard.domain.spelling import hint
from modelyard.domain.text import shown
from modelyard.ports.access import Subject
from modelyard.ports.metadata import (
    LabelKey,
    ModelKey,
    ModelQuery,
    MoveQuery,
    NumberKey,
    SlugKey,
    VersionKey,
    VersionQuery,
)
from modelyard.service.draft import Again
from modelyard.service.pages import every

if TYPE_CHECKING:
    from modelyard.service.local import LocalService

NEWEST = (Order(Field("label"), descending=True),)


def model_named(service: LocalService, name: str) -> Model:
    """The model with that name (any spelling that folds to it) or slug."""
    model = service.store.get(ModelKey(names.fold(name))) or service.store.get(SlugKey(name))
    if model is None:
        raise ModelNotFound(f"no model is named {names.plain(name)!r}.{_suggestion(service, name)}")
    return model


def require_unchanged(service: LocalService, model: Model) -> None:
    """For a decision that writes nothing, and so collides with nothing: what it read must have held at one moment.

    Raises:
        Again: The model changed since it was read; read again and decide again.
    """
    present = service.store.get(ModelKey(model.key))
    if present is None or present.revision != model.revision:
        raise Again(f"{model.name!r} changed while it was read")


def _suggestion(service: LocalService, name: str) -> str:
    """A near name, if the first thousand hold one; searching more would cost more than the mistake."""
    import difflib

    known = {m.key: m.name for m in service.store.find(ModelQuery(limit=1000)).items}
    near = difflib.get_close_matches(names.fold(name), list(known), n=1)
    if near:
        return f" Did you mean {known[near[0]]!r}?"
    return "" if known else " The registry has no models yet."


def version(service: LocalService, ref: str, *, deleted: bool = False) -> ModelVersion:
    """The version that ``ref`` names.

    Raises:
        InvalidRef, ModelNotFound, VersionNotFound, AliasNotFound: It names nothing; deleted ones only count with
            ``deleted``.
    """
    parsed = refs.parse(ref)
    found = _RESOLVERS[parsed.kind](service, parsed)
    if found.deleted and not deleted:
        raise VersionNotFound(
            f"{found.name}:{found.version} was deleted; `undelete` brings it back"
            if found.collected_at is None
            else f"{found.name}:{found.version} was deleted and its bytes were collected"
        )
    return found


def _by_id(service: LocalService, ref: Ref) -> ModelVersion:
    found = service.store.get(VersionKey(ref.value))
    if found is None:
        raise VersionNotFound(f"no version has the model_id {ref.value!r}")
    return found


def _latest(service: LocalService, ref: Ref) -> ModelVersion:
    model = model_named(service, ref.model)
    found = service.store.get(VersionKey(model.latest)) if model.latest else None
    if found is not None and found.deleted and _moved(service, model):
        return _latest(service, ref)
    if found is None:
        raise VersionNotFound(
            f"model {model.name!r} has no version that is neither archived nor deleted; "
            "name one by its label or number"
        )
    return found


def _by_label(service: LocalService, ref: Ref) -> ModelVersion:
    model = model_named(service, ref.model)
    found = service.store.get(LabelKey(model.key, versioning.label_key(ref.value)))
    if found is None:
        raise VersionNotFound(f"model {model.name!r} has no version {ref.value!r}{_known(service, model)}")
    return found


def _known(service: LocalService, model: Model) -> str:
    page = service.store.find(VersionQuery(model_key=model.key, order=NEWEST, limit=5))
    labels = ", ".join(v.version for v in page.items)
    return f"; it has {labels}{' ...' if page.next else ''}" if labels else "; it has none"


def _by_number(service: LocalService, ref: Ref) -> ModelVersion:
    return _numbered(service, model_named(service, ref.model), ref.number or 0)


def _numbered(service: LocalService, model: Model, number: int) -> ModelVersion:
    found = service.store.get(NumberKey(model.key, number))
    if found is None:
        raise VersionNotFound(
            f"model {model.name!r} has no version number {number}; the highest is {model.last_number}"
        )
    return found


def _in_range(service: LocalService, ref: Ref) -> ModelVersion:
    model = model_named(service, ref.model)
    after: str | None = None
    limit = 4  # the newest mostly lie in the range, and each version read costs; so small pages first
    while True:
        request = VersionQuery(model_key=model.key, order=NEWEST, limit=limit, after=after)
        page = service.store.find(request)
        limit = min(limit * 4, 256)
        for found in page.items:
            if found.stage is not ModelStage.ARCHIVED and versioning.matches(found.version, ref.value):
                return found
        if (after := page.next) is None:
            raise VersionNotFound(f"no version of {model.name!r} lies in {ref.value}{_known(service, model)}")


def _by_digest(service: LocalService, ref: Ref) -> ModelVersion:
    found = service.store.find(VersionQuery(digest=ref.value, limit=2)).items
    if len(found) == 1:
        return found[0]
    if found:
        labels = ", ".join(f"{v.name}:{v.version}" for v in found)
        raise InvalidRef(f"{ref.value} names several versions ({labels}); use one of these")
    raise VersionNotFound(f"no version has the digest {ref.value}")


def _at_pointer(service: LocalService, ref: Ref) -> ModelVersion:
    model = model_named(service, ref.model)
    pointer = pointer_key(model, ref.value)
    if not is_tracked(pointer):
        return _newest_in(service, model, ref)
    if ref.at is not None:
        number = number_at(service, model, pointer, ref.at)
    elif ref.back:
        number = _moves_back(service, model, pointer, ref.back)
    else:
        number = holder(model, pointer)
    if number is None:
        raise AliasNotFound(_nothing_there(model, pointer, ref))
    found = _numbered(service, model, number)
    now = ref.at is None and not ref.back
    if now and not _agrees(found, pointer) and _moved(service, model):
        return _at_pointer(service, ref)
    return found


def is_tracked(pointer: str) -> bool:
    """Whether the moves of a pointer are kept: of every alias, and of the stages that few versions hold."""
    kind, _, name = pointer.partition(":")
    return kind == "alias" or name in TRACKED


def _newest_in(service: LocalService, model: Model, ref: Ref) -> ModelVersion:
    """The newest version that stands in a stage of many, such as ``development``."""
    if ref.at is not None or ref.back:
        tracked = ", ".join(stage.value for stage in TRACKED)
        raise InvalidRef(
            f"{ref.value} has no history as a pointer, because many stand in it; {tracked} and aliases do"
        )
    stands = Compare(Field("stage"), "=", ref.value.casefold())
    newest = (Order(Field("number"), descending=True),)
    page = service.store.find(VersionQuery(model_key=model.key, where=stands, order=newest, limit=1))
    if not page.items:
        raise AliasNotFound(f"no version of {model.name!r} stands in {ref.value}")
    return page.items[0]


def _agrees(found: ModelVersion, pointer: str) -> bool:
    """Whether a version says of itself what the pointer says of it; if not, one was read before a move, one after."""
    kind, _, name = pointer.partition(":")
    if found.deleted:
        return False
    return name in found.aliases if kind == "alias" else found.stage.value == name


def _moved(service: LocalService, model: Model) -> bool:
    """Whether the model has changed since it was read; if not, what disagrees is damage, which ``fsck`` names."""
    present = service.store.get(ModelKey(model.key))
    return present is not None and present.revision != model.revision


def subject(service: LocalService, ref: str) -> Subject | None:
    """What a reference is about, without a word about what else there is; ``None`` if it names nothing.

    A name that is taken and one that is not take the same time: near names are not looked for.
    """
    try:
        parsed = refs.parse(ref)
    except InvalidInput:
        return None
    named = _subject_named(service, parsed.model) if parsed.model else None
    if parsed.model and named is None:
        return None
    try:
        found = _RESOLVERS[parsed.kind](service, parsed)
    except (InvalidInput, NotFound):
        return named
    return Subject(model=found.name, stage=found.stage)


def _subject_named(service: LocalService, name: str) -> Subject | None:
    model = service.store.get(ModelKey(names.fold(name))) or service.store.get(SlugKey(name))
    return Subject(model=model.name) if model else None


_RESOLVERS = {
    "id": _by_id,
    "latest": _latest,
    "label": _by_label,
    "range": _in_range,
    "number": _by_number,
    "pointer": _at_pointer,
    "digest": _by_digest,
}


def pointer_key(model: Model, name: str) -> str:
    """``alias:champion`` or ``stage:production``; an alias wins, though no alias may be named like a stage."""
    if name in model.aliases:
        return f"alias:{name}"
    if name.casefold() in {stage.value for stage in ModelStage}:
        return f"stage:{name.casefold()}"
    return f"alias:{name}"


def holder(model: Model, pointer: str) -> int | None:
    """The number a pointer names now: of a stage, the newest holder."""
    kind, _, name = pointer.partition(":")
    if kind == "alias":
        alias = model.aliases.get(name)
        return alias.number if alias else None
    numbers = model.holders.get(name, ())
    return numbers[-1] if numbers else None


def number_at(service: LocalService, model: Model, pointer: str, at: datetime) -> int | None:
    """The number a pointer named at an instant, answered from the moves that events record."""
    page = service.store.find(MoveQuery(model_key=model.key, pointer=pointer, until=at, limit=1))
    return page.items[0].number if page.items else None


def moves_of(service: LocalService, model: Model, pointer: str) -> list[Move]:
    """Every move of a pointer, newest first."""
    return list(every(service.store, MoveQuery(model_key=model.key, pointer=pointer)))


def _moves_back(service: LocalService, model: Model, pointer: str, back: int) -> int | None:
    """What the pointer named ``back`` moves ago; a move to the same number is none.

    Raises:
        AliasNotFound: It has a history, and not so long a one.
    """
    trail: list[int | None] = []
    after: str | None = None
    while len(trail) <= back:
        page = service.store.find(MoveQuery(model_key=model.key, pointer=pointer, limit=200, after=after))
        for move in page.items:
            if not trail or trail[-1] != move.number:
                trail.append(move.number)
        if (after := page.next) is None:
            break
    if trail and back >= len(trail):
        raise AliasNotFound(_too_far(model, pointer, back, len(trail) - 1))
    return trail[back] if trail else None


def _too_far(model: Model, pointer: str, back: int, moves: int) -> str:
    """What to say of a history of so many moves, counted from when the pointer first named a version."""
    name = pointer.partition(":")[2]
    asked, first = (Ref("pointer", model.name, name, back=number) for number in (back, moves))
    moved = f"moved {moves} time{'s' * (moves > 1)}" if moves else "not moved"
    return (
        f"{shown(str(asked))} is before the history begins: {name} of {model.name!r} has {moved} since it first "
        f"named a version, which is '{names.plain(str(first))}'"
    )


def _moves_ago(back: int) -> str:
    return "1 move ago" if back == 1 else f"{back} moves ago"


def _nothing_there(model: Model, pointer: str, ref: Ref) -> str:
    kind, _, name = pointer.partition(":")
    when = f" at {ref.at:%Y-%m-%d %H:%M:%S %Z}" if ref.at else f" {_moves_ago(ref.back)}" if ref.back else ""
    if kind == "stage":
        return f"no version of {model.name!r} {'held' if when else 'holds'} {name}{when}"
    if name in model.aliases:  # not set yet, or deleted in between
        return f"alias {name!r} of {model.name!r} named no version{when}; the model's `history` tells when it did"
    known = ", ".join(sorted(model.aliases)) or "none"
    meant = hint(name, [*model.aliases, *ModelStage])
    had = "had" if when else "has"
    return f"model {model.name!r} {had} no alias {names.plain(name)!r}{when}; it has: {known}.{meant}"


def expect_holder(service: LocalService, model: Model, pointer: str, expected: str) -> None:
    """Compare-and-set: raise ``Conflict`` unless ``pointer`` names what the caller believes (``""``: nothing)."""
    from modelyard.domain.errors import Conflict

    if not is_tracked(pointer):
        name = pointer.partition(":")[2]
        raise InvalidInput(
            f"{name} is not a pointer that one version holds, so nothing can be expected of it"
        )
    present = holder(model, pointer)
    wanted: int | None = None
    if expected:
        believed = version(service, within(model, expected))
        require_same_model(believed, model)
        wanted = believed.number
    if present == wanted:
        return
    who = _describe(service, model, present)
    raise Conflict(
        f"{pointer.partition(':')[2]} of {model.name!r} is held by {who}, not by {expected or 'nobody'}; "
        "nothing was changed. Look at what happened, then decide again",
        data={"holder": present, "pointer": pointer},
    )


def _describe(service: LocalService, model: Model, number: int | None) -> str:
    if number is None:
        return "nobody"
    held = service.store.get(NumberKey(model.key, number))
    return f"{held.version} (#{number}, {held.model_id})" if held else f"#{number}"


def within(model: Model, ref: str) -> str:
    """A bare label or ``#number`` means one of this model's versions; a full ref stays as it is."""
    if names.is_id(ref) or any(mark in ref for mark in ":@#"):
        return f"{model.name}{ref}" if ref[:1] in "#@" else ref
    return f"{model.name}:{ref}"


def versions_of(
    service: LocalService, model: Model, *, deleted: bool | None = False, text: str = ""
) -> list[ModelVersion]:
    """All versions of a model, newest label first, page by page."""
    where = query.parse(text).where
    asked = VersionQuery(model_key=model.key, order=NEWEST, where=where, deleted=deleted)
    return list(every(service.store, asked))


def require_same_model(found: ModelVersion, model: Model) -> None:
    """Raise unless the version belongs to the model."""
    if names.fold(found.name) != model.key:
        raise NotAllowed(
            f"{found.name}:{found.version} is a version of {found.name!r}, not of {model.name!r}"
        )
