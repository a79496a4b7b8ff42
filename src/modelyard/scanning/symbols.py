"""The values of the symbolic pickle machine: just enough to know names and sizes, never contents.

Plain ``str``, ``int``, ``bool``, ``None`` and short tuples stand for themselves; everything else is one of the
classes below or the shared ``ANY``.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

from modelyard.scanning.findings import Unreadable

DTYPE: Final = "numpy.dtype"
WRAPPER: Final = "joblib.numpy_pickle.NumpyArrayWrapper"
WRAPPER_FIELDS: Final = frozenset(
    {"subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"}
)
FORMULA: Final = "statsmodels.formula._manager.FormulaManager"
"""The name that has to be trusted for a formula to be evaluated, which is Python: loading looks it up by itself."""
FORMULA_HOLDERS: Final = frozenset({"statsmodels.base.data.ModelData", "statsmodels.base.data.PandasData"})
FORMULA_MARKS: Final = ("restore_model_spec", "restore_design_info")
"""Keys in the state of a holder (of statsmodels 0.15, and before) that make it evaluate its formula when loaded."""
_SPEC: Final = re.compile(r"([biufcmMOSUV?])(\d{0,9})")
_HAS_OBJECT: Final = 0x01  # NPY_ITEM_REFCOUNT in numpy's ndarraytypes.h


class Anything:
    """Data whose value does not matter."""

    __slots__ = ()


class Mark:
    """The pickle machine's mark."""

    __slots__ = ()


ANY: Final = Anything()
MARK: Final = Mark()


class Name:
    """A global that was looked up."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name


class Instance:
    """An object made by calling ``cls``; one shared value per class, because only the class matters."""

    __slots__ = ("cls", "holds_formula")

    def __init__(self, cls: str):
        self.cls = cls
        self.holds_formula = cls in FORMULA_HOLDERS


class Wrapper(Instance):
    """joblib's placeholder: once its state is set, the array's bytes follow in the file."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        super().__init__(WRAPPER)
        self.state: dict[Any, Any] = {}


class Dtype(Instance):
    """A numpy dtype: ``spec`` is the constructor's first argument, ``state`` what ``__setstate__`` got."""

    __slots__ = ("spec", "state")

    def __init__(self, spec: Any):
        super().__init__(DTYPE)
        self.spec = spec
        self.state: tuple[Any, ...] | None = None

    def set_state(self, state: Any) -> None:
        """Apply a ``BUILD``.

        Raises:
            Unreadable: The state is not one that numpy writes. Forged sizes or flags would make numpy itself
                read memory that is not its own, so they are never passed on as harmless.
        """
        if not isinstance(state, tuple) or len(state) < 8:
            raise Unreadable("a numpy dtype with a state that numpy does not write")
        self.state = state
        kind, flags, size = self.kind, state[7], state[5]
        if not isinstance(flags, int) or not isinstance(size, int):
            raise Unreadable("a numpy dtype with a state that numpy does not write")
        if kind in "biufcmM?" and (size != -1 or flags != 0 or state[3] is not None or state[2] is not None):
            raise Unreadable(f"a numpy dtype of kind {kind} whose state contradicts it")
        if kind in "SUV" and size < 0:
            raise Unreadable("a numpy dtype of negative size")
        if bool(flags & _HAS_OBJECT) != self._contains_object():
            raise Unreadable("a numpy dtype whose flags contradict its fields")

    @property
    def kind(self) -> str:
        """One letter as in ``numpy.dtype.kind`` (``?`` for the old spelling of bool)."""
        return self._parse()[0]

    @property
    def has_object(self) -> bool:
        """True if elements are Python objects, so that joblib writes a nested pickle."""
        return self._contains_object()

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        kind, digits = self._parse()
        if kind in "SUV" and self.state is not None:
            return int(self.state[5])
        if kind == "?":
            return 1
        if not digits and kind in "mM":
            return 8
        if not digits:
            raise Unreadable("a numpy dtype without a size")
        return int(digits) * (4 if kind == "U" else 1)

    def _parse(self) -> tuple[str, str]:
        match = _SPEC.fullmatch(self.spec) if isinstance(self.spec, str) else None
        if match is None:
            raise Unreadable("a numpy dtype that the tracer does not know")
        return match[1], match[2]

    def _contains_object(self, depth: int = 0) -> bool:
        if self.kind == "O":
            return True
        if self.state is None or self.kind != "V" or depth > 16:
            return False
        parts = []
        if isinstance(self.state[2], tuple) and self.state[2]:
            parts.append(self.state[2][0])
        if isinstance(self.state[4], dict):
            parts += [field[0] for field in self.state[4].values() if isinstance(field, tuple) and field]
        elif self.state[4] is not None:
            raise Unreadable("a numpy dtype whose fields are computed")
        return any(isinstance(part, Dtype) and part._contains_object(depth + 1) for part in parts)


def array_bytes(dtype: Dtype, shape: Any) -> int:
    """Bytes that an array of ``dtype`` and ``shape`` occupies.

    Raises:
        Unreadable: ``shape`` is not a tuple of whole numbers, or a size is impossible.
    """
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape) or len(shape) > 64:
        raise Unreadable("an array whose shape is computed")
    size = dtype.itemsize
    if size == 0:
        raise Unreadable("an array of elements without size")
    return math.prod(shape) * size
