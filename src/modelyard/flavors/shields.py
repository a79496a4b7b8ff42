"""What is harmless only behind a check of ours: classes that evaluate text, functions that believe sizes.

Four libraries need it. pyarrow, which pandas 3 keeps its texts in, builds arrays over buffers without comparing the
sizes; xgboost's and lightgbm's boosters follow the indices of their trees wherever these lead. statsmodels' data
objects evaluate a formula, which is Python, in ``__setstate__``, and results evaluate it again when they predict. Their
classes are on the allowlist because every load goes through here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

from modelyard.domain.errors import LoadRefused
from modelyard.flavors import lightgbm_file, xgboost_file
from modelyard.scanning.symbols import FORMULA_MARKS

_FORMULA_TRACES: Final = (*FORMULA_MARKS, "formula", "model_spec", "design_info")
_BUFFER_COUNTS: Final = (1, 2, 3)


class Shields:
    """One load: hands out shields instead of what the pickle names, and lifts them when everything is built.

    Args:
        what: Name of the file, for errors.
        formula_refused: Raises ``LoadRefused`` unless the caller trusts formulas.
    """

    def __init__(self, what: str, formula_refused: Callable[[], None]):
        self._what = what
        self._formula_refused = formula_refused
        self._shielded: dict[type, type] = {}
        self._built: dict[int, tuple[Any, type]] = {}

    def over(self, full: str, found: Any) -> Any:
        """The shield over ``found``, which the pickle names ``full``; ``found`` itself if it needs none."""
        if full == "pyarrow.lib._restore_array":
            return self._restored
        if full == "pyarrow.lib.py_buffer":
            return self._buffer
        if not isinstance(found, type):
            return found
        if issubclass(found, _boosters()) or issubclass(found, _guarded_classes()):
            if found not in self._shielded:
                self._shielded[found] = self._shield(found)
            return self._shielded[found]
        return found

    def lift(self) -> None:
        """Give every object its own class back, if nothing in it would be evaluated.

        Raises:
            LoadRefused: A formula is in it, and nobody trusts that.
        """
        for built, cls in self._built.values():
            object.__setattr__(built, "__class__", cls)
        statistical = [built for built, cls in self._built.values() if issubclass(cls, _guarded_classes())]
        if any(_holds_formula(built) for built in statistical):
            self._formula_refused()
        for built in statistical:
            _finish(built, self._what)

    def _shield(self, cls: type) -> type:
        """A subclass that can be made and filled, and nothing else."""
        built, what = self._built, self._what

        def init(self: Any, *args: Any, **kwargs: Any) -> None:
            raise LoadRefused(f"{what} is not loaded: it calls {cls.__name__} instead of restoring one")

        def set_state(self: Any, state: Any) -> None:
            if not isinstance(state, dict):
                raise LoadRefused(f"{what} is not loaded: the state of a {cls.__name__} is no dict")
            built[id(self)] = (self, cls)
            if issubclass(cls, _boosters()):
                _check_booster(state, what)
                cls.__setstate__(self, state)  # type: ignore[attr-defined]
            else:
                self.__dict__.update(state)

        return type(cls.__name__, (cls,), {"__init__": init, "__setstate__": set_state})

    def _buffer(self, content: Any) -> Any:
        if not isinstance(content, bytes | bytearray):
            raise LoadRefused(f"{self._what} is not loaded: an Arrow buffer over a {type(content).__name__}")
        return sys.modules["pyarrow"].py_buffer(bytes(content))  # a copy: nobody changes it afterwards

    def _restored(self, data: Any) -> Any:
        """An Arrow array of numbers or texts, compared with the sizes of its buffers."""
        pyarrow: Any = sys.modules["pyarrow"]
        try:
            kind, length, _, offset, buffers, children, dictionary = data
            plain = (
                isinstance(kind, pyarrow.DataType)
                and kind.num_fields == 0
                and not (children or dictionary)
                and type(length) is type(offset) is int
                and min(length, offset) >= 0
                and len(buffers) == kind.num_buffers in _BUFFER_COUNTS
            )
            if not plain:
                raise ValueError("not a plain array")
            array = pyarrow.Array.from_buffers(kind, length, buffers, -1, offset)  # nulls are counted again
            array.validate(full=True)
        except (ValueError, TypeError, OverflowError, pyarrow.ArrowException) as error:
            raise LoadRefused(f"{self._what} is not loaded: a damaged Arrow array ({error})") from error
        return array


def _guarded_classes() -> tuple[type, ...]:
    """statsmodels' models, results and data, if it is here at all; it is not imported for this."""
    model: Any = sys.modules.get("statsmodels.base.model")
    data: Any = sys.modules.get("statsmodels.base.data")
    return (*((model.Model, model.Results) if model else ()), *((data.ModelData,) if data else ()))


def _boosters() -> tuple[type, ...]:
    """The same for the boosters of xgboost and lightgbm."""
    here = [sys.modules.get(name) for name in ("xgboost.core", "lightgbm.basic")]
    return tuple([module.Booster for module in here if module is not None])


def _check_booster(state: dict[str, Any], what: str) -> None:
    """The model inside a pickled booster, as bytes of xgboost's or as lightgbm's text."""
    model = state.get("_handle", state.get("handle"))
    if isinstance(model, bytes | bytearray):
        xgboost_file.check_pickled(bytes(model), what)
    elif isinstance(model, str):
        lightgbm_file.check(model.encode(), what)
    elif model is not None:
        raise LoadRefused(f"{what} is not loaded: a booster over a {type(model).__name__}")


def _holds_formula(built: Any) -> bool:
    """True if a formula could be evaluated now or later: it is there, or something else is where it would be."""
    model, data = sys.modules["statsmodels.base.model"], sys.modules["statsmodels.base.data"]
    state = vars(built)
    if isinstance(built, model.Results):
        return not isinstance(state.get("model"), model.Model | None)
    if isinstance(built, model.Model) and not isinstance(state.get("data"), data.ModelData | None):
        return True
    return any(name in state for name in _FORMULA_TRACES)


def _finish(built: Any, what: str) -> None:
    """What restoring does beyond filling in the state."""
    state = vars(built)
    marks = [mark for mark in FORMULA_MARKS if state.pop(mark, False)]
    if marks:
        _restore_formula(state, what)
    elif type(built).__name__ == "NegativeBinomial":
        built._initialize()  # methods that are not pickled are chosen again


def _restore_formula(state: dict[str, Any], what: str) -> None:
    """Make the design again from formula and data. Names beyond ``np`` and ``pd`` are not known here."""
    import numpy
    import pandas
    from statsmodels.formula._manager import FormulaManager

    manager = FormulaManager()
    try:
        data = state["frame"] if "frame" in state else state["orig_endog"].join(state["orig_exog"])
        known = {"np": numpy, "pd": pandas}
        manager.get_matrices(state["formula"], data, eval_env=known, pandas=True)
    except Exception as error:  # a formula is a program, and fails as it likes
        raise LoadRefused(
            f"{what} is not loaded: its formula {state.get('formula')!r} cannot be evaluated here "
            f"({' '.join(str(error).split())[:200]}); "
            "formulas that need more than np and pd cannot be restored from a file"
        ) from error
    state["model_spec"] = manager.spec
