"""Can who uses the old one use the new one? One word, and one reason for each field that differs.

A caller sends inputs and reads outputs. So an input may come to accept more and never less; an output that anyone
reads may not change at all, since one byte more or less in a number is enough to break a reader. What nobody stated
(the type ``any``, a part that is not described) cannot be said to have changed: it never breaks, and is never called
identical to what was stated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from modelyard.domain.canonical import canonical
from modelyard.domain.dataclass import dataclass
from modelyard.domain.errors import InvalidInput
from modelyard.domain.records import JSON, ModelVersion
from modelyard.domain.signature import FREE, Field, Param, Signature
from modelyard.domain.signature_given import parse, stored
from modelyard.domain.spelling import quoted
from modelyard.domain.versioning import Level

Word: TypeAlias = Literal["identical", "compatible", "breaking"]

_NUMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "boolean": ("int8", "uint8"),
    "uint8": ("uint16", "int16", "float16"),
    "int8": ("int16", "float16"),
    "uint16": ("uint32", "int32", "float32"),
    "int16": ("int32", "float32"),
    "uint32": ("uint64", "int64", "float64"),
    "int32": ("int64", "float64"),
    "uint64": ("float64",),
    "int64": ("float64",),
    "float16": ("float32",),
    "bfloat16": ("float32",),
    "float32": ("float64", "complex64"),
    "float64": ("complex128",),
    "complex64": ("complex128",),
}
"""Type -> the next ones that take all its values: NumPy's ``can_cast(..., "safe")``, which counts every whole number
as a float64 although those beyond 2**53 are rounded.
"""


def _reached(name: str) -> frozenset[str]:
    return frozenset({inner for wider in _NUMBERS.get(name, ()) for inner in (wider, *_reached(wider))})


WIDER: Final = {name: _reached(name) for name in _NUMBERS}
"""Type -> every type that takes all its values."""

_LEVELS: Final[Mapping[Word, Level]] = {"identical": "patch", "compatible": "minor", "breaking": "major"}
_UNREADABLE: Final = "they differ, and at least one is not in the form that can be compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """What became of one field.

    Attributes:
        part: ``inputs``, ``outputs`` or ``params``; empty for a difference that no single field has.
        name: The field's; empty for one without a name, and where a whole part is meant.
        verdict: ``compatible`` or ``breaking``.
        reason: For people; begins with the field.
    """

    part: str
    name: str
    verdict: Word
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureVerdict:
    """What `verdict` found.

    Attributes:
        verdict: ``identical``, ``compatible`` (who used the old one can use the new one as before) or ``breaking``.
        changes: One entry per field that differs, breaking ones first, then by part and name.
    """

    verdict: Word
    changes: tuple[FieldChange, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """One line per field that differs."""
        return tuple(change.reason for change in self.changes)

    @property
    def breaking(self) -> tuple[str, ...]:
        """The lines of those fields that break somebody."""
        return tuple(change.reason for change in self.changes if change.verdict == "breaking")

    @property
    def level(self) -> Level:
        """The step of a version that the change calls for: ``patch``, ``minor`` or ``major``."""
        return _LEVELS[self.verdict]

    def __str__(self) -> str:
        return self.verdict

    def to_mapping(self) -> dict[str, JSON]:
        """JSON."""
        changes = [
            {"part": c.part, "name": c.name, "verdict": c.verdict, "reason": c.reason} for c in self.changes
        ]
        return {"verdict": self.verdict, "changes": changes}


def signature_verdict(a: Any, b: Any) -> SignatureVerdict:
    """Whether who uses ``a`` can use ``b`` instead.

    Args:
        a: The old one: a `Signature`, its JSON, MLflow's signature, or a `ModelVersion` that has one.
        b: The new one, likewise.

    Raises:
        InvalidInput: A side is no signature, or a version without one.

    >>> old, new = ({"inputs": [{"name": "age", "type": kind}]} for kind in ("int64", "int32"))
    >>> signature_verdict(old, new).reasons
    ("input 'age': type narrowed from int64 to int32",)
    >>> str(signature_verdict(new, old))
    'compatible'
    """
    return verdict(_side(a), _side(b))


def _side(given: Any) -> Signature:
    if not isinstance(given, ModelVersion):
        return parse(given)
    if not given.signature:
        raise InvalidInput(f"{given.name}:{given.version} has no signature, so there is nothing to compare.")
    return parse(given.signature)


def recorded(a: Mapping[str, JSON] | None, b: Mapping[str, JSON] | None) -> SignatureVerdict | None:
    """The verdict on two stored signatures; ``None`` where a side has none.

    Never fails: what was stored in a form that cannot be read any more is identical to itself and breaks all else.
    """
    if not a or not b:
        return None
    if repr(a) == repr(b):  # nearly always; ``==`` would take ``True`` for ``1``
        return SignatureVerdict(verdict="identical")
    old, new = stored(a), stored(b)
    if old and new:
        return verdict(old, new)
    if a == b:
        return SignatureVerdict(verdict="identical")
    change = FieldChange(part="", name="", verdict="breaking", reason=f"signature: {_UNREADABLE}")
    return SignatureVerdict(verdict="breaking", changes=(change,))


def verdict(a: Signature, b: Signature) -> SignatureVerdict:
    """Whether who uses ``a`` can use ``b`` instead; the order of fields means nothing.

    ``identical`` is symmetric. Where neither direction breaks, the two differ only in what one of them does not
    state, and in defaults.

    Args:
        a: The old one.
        b: The new one.
    """
    changes = sorted(
        [
            *_part("inputs", a.inputs, b.inputs, _input_change),
            *_part("outputs", a.outputs, b.outputs, _output_change),
            *_params(a.params, b.params),
        ],
        key=lambda change: (change.verdict != "breaking", change.part, change.name),
    )
    word: Word = changes[0].verdict if changes else "identical"
    return SignatureVerdict(verdict=word, changes=tuple(changes))


# --- parts --------------------------------------------------------------------------------------------------

_Piece: TypeAlias = tuple[bool, str]
"""(does it break, words)."""

_Rule: TypeAlias = Callable[[Field, Field, bool], Iterator[_Piece]]
"""(old, new, inside a row) -> what differs."""


def _part(
    part: str, old: Sequence[Field] | None, new: Sequence[Field] | None, rule: _Rule
) -> Iterator[FieldChange]:
    if old is None and new is None:
        return
    if old is None or new is None:
        which = "the old" if old is None else "the new"
        reason = f"{part}: {which} signature does not describe them, so they are not compared"
        yield FieldChange(part=part, name="", verdict="compatible", reason=reason)
        return
    before, after = ({field.name: field for field in fields} for fields in (old, new))
    for name in {**before, **after}:
        if pieces := list(_pieces(before.get(name), after.get(name), part, rule)):
            yield _change(part, name, pieces)


def _change(part: str, name: str, pieces: Sequence[_Piece]) -> FieldChange:
    breaks = any(breaking for breaking, _ in pieces)
    words = "; ".join(text for _, text in sorted(pieces, key=lambda piece: not piece[0]))
    subject = f"{part[:-1]} {quoted(name)}" if name else f"the {part[:-1]} without a name"
    return FieldChange(
        part=part, name=name, verdict="breaking" if breaks else "compatible", reason=f"{subject}: {words}"
    )


def _pieces(
    old: Field | None, new: Field | None, part: str, rule: _Rule, inside: bool = False
) -> Iterator[_Piece]:
    if new is None:
        yield True, "removed"
    elif old is None:
        asked = part == "inputs" and not new.optional
        yield asked, "added, and required" if asked else "added"
    else:
        yield from rule(old, new, inside)


def _nested(old: Field, new: Field, part: str, rule: _Rule) -> Iterator[_Piece]:
    """What differs inside an object or a map."""
    before, after = ({field.name: field for field in whole.fields} for whole in (old, new))
    for name in sorted({**before, **after}):
        for breaking, words in _pieces(before.get(name), after.get(name), part, rule, inside=True):
            yield breaking, f"{quoted(name)} {words}" if name else f"its values: {words}"


# --- one field ----------------------------------------------------------------------------------------------


def _input_change(old: Field, new: Field, inside: bool) -> Iterator[_Piece]:
    if old.type != new.type:
        yield _input_type(old.type, new.type)
    elif old.fields or new.fields:
        yield from _nested(old, new, "inputs", _input_change)
    if (before := _axes(old, inside)) != (after := _axes(new, inside)):
        yield _input_shape(before, after)
    if old.optional != new.optional:
        yield old.optional, "now required" if old.optional else "no longer required"


def _input_type(old: str, new: str) -> _Piece:
    if "any" in (old, new):
        return _unstated(old, new)
    if new in WIDER.get(old, ()):
        return False, f"type widened from {old} to {new}"
    return True, f"type {'narrowed' if old in WIDER.get(new, ()) else 'changed'} from {old} to {new}"


def _unstated(old: str, new: str) -> _Piece:
    return False, f"type now stated: {new}" if old == "any" else f"type {old} no longer stated"


def _input_shape(old: tuple[int, ...], new: tuple[int, ...]) -> _Piece:
    freed = len(old) == len(new) and all(after in (FREE, axis) for axis, after in zip(old, new, strict=True))
    return not freed, f"shape {'freed' if freed else 'changed'} from {list(old)} to {list(new)}"


def _output_change(old: Field, new: Field, inside: bool) -> Iterator[_Piece]:
    if "any" in (old.type, new.type) and old.type != new.type:
        yield _unstated(old.type, new.type)
    elif old.type != new.type:
        yield True, f"type changed from {old.type} to {new.type}"
    elif old.fields or new.fields:
        yield from _nested(old, new, "outputs", _output_change)
    if (before := _axes(old, inside)) != (after := _axes(new, inside)):
        yield True, f"shape changed from {list(before)} to {list(after)}"
    if old.optional != new.optional:
        yield new.optional, "may be missing now" if new.optional else "always there now"


def _axes(field: Field, inside: bool) -> tuple[int, ...]:
    """The shape as it is compared: without one, a value per row, or a single value inside a row."""
    if field.shape is not None:
        return field.shape
    return () if inside else (FREE,)


def _params(old: Sequence[Param], new: Sequence[Param]) -> Iterator[FieldChange]:
    before, after = ({param.name: param for param in params} for params in (old, new))
    for name in {**before, **after}:
        if pieces := list(_param_pieces(before.get(name), after.get(name))):
            yield _change("params", name, pieces)


def _param_pieces(old: Param | None, new: Param | None) -> Iterator[_Piece]:
    before, after = (None if param is None else param.as_field() for param in (old, new))
    yield from _pieces(before, after, "params", _input_change, inside=True)
    if old is not None and new is not None and canonical(old.default) != canonical(new.default):
        yield False, f"default changed from {quoted(old.default, 40)} to {quoted(new.default, 40)}"
