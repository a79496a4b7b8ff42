"""What each call needs permission for, beyond its row in the operations table: one rule per row that has more to say.

The first line of a rule's docstring is printed in the documentation, next to the action of the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from modelyard.domain import lineage, refs
from modelyard.domain.errors import InvalidInput
from modelyard.domain.names import fold, is_id
from modelyard.domain.permissions import Action, Principal, can_somewhere
from modelyard.domain.records import ModelStage
from modelyard.ports.service import UNSET
from modelyard.wire.operations import Operation


class Kind(Enum):
    """What a need names."""

    REGISTRY = "the registry as a whole"
    MODEL = "model"
    NEW = "model that may have to be made"
    REF = "version"
    EXPERIMENT = "experiment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One thing that the caller must be allowed to do.

    Attributes:
        what: Name, ref or experiment; empty for the registry as a whole.
        stage: Where a promotion leads; ``None``: anywhere, aliases included.
        leaves: The version may be taken from where it stands, which for production needs the same permission there.
        instead: Another action that would do as well.
    """

    action: Action
    kind: Kind = Kind.REGISTRY
    what: str = ""
    stage: ModelStage | None = None
    leaves: bool = False
    instead: Action | None = None


Rule = Callable[[Any], Iterator[Need]]
KINDS: Final[Mapping[str, Kind]] = {
    "name": Kind.MODEL,
    "model": Kind.MODEL,
    "ref": Kind.REF,
    "target": Kind.REF,
    "a": Kind.REF,
    "experiment": Kind.EXPERIMENT,
    "experiment_id": Kind.EXPERIMENT,
}
"""What the parameter that a row is ``about`` names."""


def needs(row: Operation, given: Mapping[str, Any]) -> Iterator[Need]:
    """Everything that a call needs; ``given``: the method's keyword arguments."""
    asked = given.get("request")
    rule = RULES.get(row.name)
    if rule is not None:
        yield from rule(_Given(row, given) if asked is None else asked)
    elif row.about:
        value = given[row.about] if asked is None else getattr(asked, row.about)
        yield Need(action=row.action, kind=KINDS[row.about], what=str(value))
    else:
        yield Need(action=row.action)


class _Given:
    """Plain arguments, read like a request: what was left out has its default."""

    def __init__(self, row: Operation, given: Mapping[str, Any]) -> None:
        self._row, self._given = row, given

    def __getattr__(self, name: str) -> Any:
        return self._given.get(name, self._row.parameters[name].default)


def might(principal: Principal, row: Operation) -> bool:
    """Whether the caller could be allowed, whatever it names: asked before a body is read."""
    return any(can_somewhere(principal, action) for action in (row.action, *INSTEAD.get(row.name, ())))


INSTEAD: Final[Mapping[str, tuple[Action, ...]]] = {
    "promote": (Action.READ,),
    "history": (Action.AUDIT,),
    "record_check": (Action.PROMOTE,),
    "annotate": (Action.GOVERN,),
}
"""Actions that are enough for some forms of a call."""


# --- rules -----------------------------------------------------------------------------------------------------------


def _create_version(request: Any) -> Iterator[Need]:
    """`promote` too, to start in a stage or to set an alias; `read` of the versions that it names; the bytes must be
    the caller's: sent by it within a day, or such as it may download
    """
    name = request.name
    yield Need(action=Action.WRITE, kind=Kind.NEW, what=name)
    if request.stage is not ModelStage.DEVELOPMENT:
        yield Need(action=Action.PROMOTE, kind=Kind.NEW, what=name, stage=request.stage)
    if request.alias is not None:
        yield Need(action=Action.PROMOTE, kind=Kind.NEW, what=name)
    if request.parent:
        yield _read(request.parent)
    for edge in request.lineage:
        yield from _linked(edge.kind, edge.target)


def _create_versions(request: Any) -> Iterator[Need]:
    """what each entry would need alone"""
    made: dict[str, str] = {}
    for entry in request.versions:
        for need in _create_version(entry):
            yield _among(need, made)
        made.setdefault(fold(entry.name), entry.name)


def _among(need: Need, made: Mapping[str, str]) -> Need:
    """A version of a model that earlier entries may have to make is not there to be asked for: `read` of that model.

    Such a ref never leads to another model, so this allows no more than the ref would once the entries are there.
    """
    if need.kind is not Kind.REF:
        return need
    try:
        model = made.get(fold(refs.parse(need.what).model))
    except InvalidInput:
        return need  # told in its turn
    return need if model is None else replace(need, kind=Kind.NEW, what=model)


def _record_check(request: Any) -> Iterator[Need]:
    """`promote` for the check `validation`, which is the registry's own word that a version may go on"""
    decides = request.check.strip().casefold() == "validation"
    yield _ref(Action.PROMOTE if decides else Action.WRITE, request.ref)


def _annotate(request: Any) -> Iterator[Need]:
    """`govern` for what concerns the whole model, and for legal holds"""
    governs = request.whole_model or request.legal_hold is not None
    yield _ref(Action.GOVERN if governs else Action.WRITE, request.ref)


def _delete(request: Any) -> Iterator[Need]:
    """`govern` too, to delete by force what something points at"""
    yield _ref(Action.WRITE, request.ref)
    if request.force:
        yield _ref(Action.GOVERN, request.ref)


def _link(request: Any) -> Iterator[Need]:
    """`read` of the version that it leads to"""
    yield _ref(Action.WRITE, request.ref)
    yield from _linked(request.kind, request.target)


def _withdraw(request: Any) -> Iterator[Need]:
    """on the registry as a whole for data sets and the like, which belong to no model"""
    yield _of_source(Action.WRITE, request)


def _reinstate(request: Any) -> Iterator[Need]:
    """on the registry as a whole for data sets and the like, which belong to no model"""
    yield _of_source(Action.PROMOTE, request)


def _affected(request: Any) -> Iterator[Need]:
    """on the registry as a whole for data sets and the like; versions that the caller may not read are left out"""
    yield _of_source(Action.READ, request)


def _promote(request: Any) -> Iterator[Need]:
    """for the target, and for production where the version stands there; a dry run needs `read` alone; `govern` too, to
    promote by force
    """
    if request.dry_run:
        yield _ref(Action.READ, request.ref)
    else:
        yield Need(action=Action.PROMOTE, kind=Kind.REF, what=request.ref, stage=request.target, leaves=True)
    if request.force:
        yield _ref(Action.GOVERN, request.ref)
    yield from _elsewhere(request.expected)


def _roll_back(request: Any) -> Iterator[Need]:
    """for production, or for aliases where the pointer is one"""
    yield Need(action=Action.PROMOTE, kind=Kind.REF, what=request.ref, stage=_rolled(request.ref))
    yield from _elsewhere(request.target)


def _rolled(ref: str) -> ModelStage | None:
    """The stage that a rollback moves; ``None``: an alias, or something that only the registry can tell."""
    parsed = refs.parse(ref)
    if parsed.kind == "pointer" and not parsed.back and parsed.at is None:
        return ModelStage(parsed.value) if parsed.is_stage else None
    return ModelStage.PRODUCTION


def _set_alias(request: Any) -> Iterator[Need]:
    """for any stage, since an alias may be what serves; `govern` too, to move a protected one by force"""
    yield from _delete_alias(request)
    yield from _elsewhere(request.ref)
    yield from _elsewhere(request.expected)


def _delete_alias(request: Any) -> Iterator[Need]:
    """for any stage, since an alias may be what serves; `govern` too, to remove a protected one by force"""
    yield Need(action=Action.PROMOTE, kind=Kind.MODEL, what=request.model)
    if request.force:
        yield Need(action=Action.GOVERN, kind=Kind.MODEL, what=request.model)


def _begin_experiment(request: Any) -> Iterator[Need]:
    """`read` of every version that it tries"""
    yield Need(action=Action.WRITE, kind=Kind.MODEL, what=request.model)
    for ref in request.variants.values():
        yield from _elsewhere(ref)


def _promote_winner(request: Any) -> Iterator[Need]:
    """for the target and for production; a dry run too"""
    for stage in dict.fromkeys((request.target, ModelStage.PRODUCTION)):
        yield Need(action=Action.PROMOTE, kind=Kind.EXPERIMENT, what=request.experiment_id, stage=stage)


def _compare(request: Any) -> Iterator[Need]:
    """of both versions"""
    yield _read(request.a)
    yield _read(request.b)


def _history(request: Any) -> Iterator[Need]:
    """or `audit`; the registry's own history needs `audit`"""
    if request.ref:
        yield Need(action=Action.READ, kind=Kind.REF, what=request.ref, instead=Action.AUDIT)
    else:
        yield Need(action=Action.AUDIT)


def _filtered(request: Any) -> Iterator[Need]:
    """of anything; what the caller may not read is left out"""
    yield from ()


def _list_experiments(request: Any) -> Iterator[Need]:
    """of the model, if one is named; else those of models that the caller may not read are left out"""
    if request.model:
        yield Need(action=Action.READ, kind=Kind.MODEL, what=request.model)


def _lineage(request: Any) -> Iterator[Need]:
    """other models' versions that the caller may not read are left out"""
    yield _read(request.ref)


RULES: Final[Mapping[str, Rule]] = {
    "create_version": _create_version,
    "create_versions": _create_versions,
    "search": _filtered,
    "list_models": _filtered,
    "record_check": _record_check,
    "annotate": _annotate,
    "delete": _delete,
    "link": _link,
    "unlink": _link,
    "withdraw": _withdraw,
    "reinstate": _reinstate,
    "promote": _promote,
    "roll_back": _roll_back,
    "set_alias": _set_alias,
    "delete_alias": _delete_alias,
    "begin_experiment": _begin_experiment,
    "list_experiments": _list_experiments,
    "promote_winner": _promote_winner,
    "compare": _compare,
    "lineage": _lineage,
    "lineage_graph": _lineage,
    "affected": _affected,
    "history": _history,
}


def _ref(action: Action, ref: str) -> Need:
    return Need(action=action, kind=Kind.REF, what=ref)


def _read(ref: str) -> Need:
    return _ref(Action.READ, ref)


def _of_source(action: Action, request: Any) -> Need:
    return _ref(action, request.target) if request.kind == lineage.VERSION else Need(action=action)


def _linked(kind: str, target: str) -> Iterator[Need]:
    if lineage.is_version(lineage.check_kind(kind)):
        yield _read(target.strip())


def _elsewhere(ref: Any) -> Iterator[Need]:
    """Where a label of the model in question is expected, a full ref may name a version of another one."""
    if not isinstance(ref, str) or ref is UNSET or not ref:
        return
    if is_id(ref) or (ref[0] not in "#@" and any(mark in ref for mark in ":@#")):
        yield _read(ref)
