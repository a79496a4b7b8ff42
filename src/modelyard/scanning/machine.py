"""The state of a pickle machine that runs nothing, and what reading, stack, memo, calls and states mean to it."""

from __future__ import annotations

import io
import sys
from typing import Any, Final

from modelyard.scanning import rules
from modelyard.scanning.findings import MAX_NAMES, Findings, Unreadable
from modelyard.scanning.source import Source
from modelyard.scanning.symbols import (
    ANY,
    DTYPE,
    FORMULA,
    FORMULA_MARKS,
    MARK,
    WRAPPER,
    WRAPPER_FIELDS,
    Dtype,
    Instance,
    Name,
    Wrapper,
    array_bytes,
)

MAX_OPERATIONS: Final = 20_000_000
MAX_STACK: Final = 1_000_000
MAX_MEMO: Final = 4_000_000
MAX_FRAME: Final = 16 << 20
MAX_LINE: Final = 1 << 20
MAX_NESTING: Final = 8
LONGEST: Final = 512
"""Characters of a string that could still be a name."""
# What is kept of values, so that memory stays below 100 MB whatever the stream holds:
_PRECISE: Final = 200_000  # memo entries up to which every short string and tuple is kept
_SHALLOW: Final = 10_000  # stack depth up to which they are kept
_LONGEST_MEMO: Final = 100  # the same, once it is in the memo
_REMEMBERED: Final = 200_000  # placeholders, dtypes and their dicts (and items of those)
_WIDEST_MEMO: Final = 4

_MAKERS: Final = frozenset({"copyreg._reconstructor", "copyreg.__newobj__"})


class Machine:
    """One pickle stream.

    Args:
        source: Read from its current position.
        findings: Where names and reasons go.
        arrays: Whether joblib's array bytes follow a wrapper, as they do for ``joblib.load``.
        nesting: How many streams this one lies inside.
    """

    __slots__ = (
        "arrays", "called", "findings", "frame", "instances", "memo", "names", "nesting", "open_dtypes", "read",
        "remembered", "root", "source", "sparse", "stack", "wrapped",
    )  # fmt: skip

    def __init__(self, source: Source, findings: Findings, *, arrays: bool, nesting: int = 0):
        self.source = source
        self.findings = findings
        self.arrays = arrays
        self.nesting = nesting
        self.stack: list[Any] = []
        self.memo: list[Any] = []
        self.sparse: dict[int, Any] = {}
        self.instances: dict[str, Instance] = {}
        self.names: dict[str, Name] = {}
        self.open_dtypes = 0
        self.root = ""
        self.frame: io.BytesIO | None = None
        self.read = source.read
        self.remembered = 0
        self.wrapped = False
        self.called = False

    def run(self, most: int = MAX_OPERATIONS) -> None:
        """Follow the stream to its ``STOP``; the tracer says how."""
        raise NotImplementedError

    # reading ---------------------------------------------------------------------------------------------------

    def _leave_frame(self) -> None:
        if self.frame is None:
            raise Unreadable("truncated pickle")
        self.frame = None
        self.read = self.source.read

    def take(self, count: int) -> bytes:
        """Exactly ``count`` bytes of an argument, which may not cross the end of a frame."""
        if count > sys.maxsize:  # which no buffer has, and which reading would not take for a number
            raise Unreadable("truncated pickle")
        data = self.read(count)
        if len(data) != count:
            raise Unreadable("truncated pickle")
        return data

    def number(self, width: int) -> int:
        """An unsigned little-endian argument."""
        data = self.read(width)
        if len(data) != width:
            raise Unreadable("truncated pickle")
        return data[0] if width == 1 else int.from_bytes(data, "little")

    def line(self) -> bytes:
        """A text argument up to its newline, which is not returned."""
        data = self.frame.readline() if self.frame is not None else self.source.readline(MAX_LINE)
        if not data.endswith(b"\n"):
            raise Unreadable("truncated pickle")
        return data[:-1]

    def pass_over(self, count: int) -> None:
        """Skip the bytes of a long value."""
        if self.frame is not None:
            self.take(count)
        else:
            self.source.skip(count)

    def enter_frame(self) -> None:
        """``FRAME``: the next bytes form a unit that no argument and no array may cross."""
        size = self.number(8)
        if self.frame is not None:
            if self.frame.read(1):
                raise Unreadable("a frame inside a frame")
            self._leave_frame()
        if size > MAX_FRAME:
            raise Unreadable("a frame larger than any pickler writes")
        self.frame = io.BytesIO(self.take(size))
        self.read = self.frame.read

    # stack and memo --------------------------------------------------------------------------------------------

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        depth = len(self.stack)
        if depth >= _SHALLOW:
            if depth >= MAX_STACK:
                raise Unreadable(f"more than {MAX_STACK} values on the stack")
            value = _coarse(value)
        self.stack.append(value)

    def above_mark(self) -> list[Any]:
        """Remove and return what lies above the topmost mark, and the mark."""
        stack = self.stack
        for at in range(len(stack) - 1, -1, -1):
            if stack[at] is MARK:
                items = stack[at + 1 :]
                del stack[at:]
                return items
        raise Unreadable("a mark that is missing")

    def top(self) -> Any:
        """The topmost value, which may not be a mark."""
        value = self.stack[-1]
        if value is MARK:
            raise Unreadable("a mark used as a value")
        return value

    def pop(self) -> Any:
        """Remove and return the topmost value, which may not be a mark."""
        value = self.stack.pop()
        if value is MARK:
            raise Unreadable("a mark used as a value")
        return value

    def remember(self, index: int) -> None:
        """Store the topmost value in the memo."""
        value = self.top()
        memo = self.memo
        if type(value) is str:
            if len(value) > _LONGEST_MEMO or len(memo) >= _PRECISE:
                value = _coarse(value)
        elif type(value) is tuple and (len(value) > _WIDEST_MEMO or len(memo) >= _PRECISE):
            value = ANY
        if index == len(memo):
            if index >= MAX_MEMO:
                raise Unreadable(f"more than {MAX_MEMO} memo entries")
            memo.append(value)
        elif index < len(memo):
            memo[index] = value
        else:
            if len(self.sparse) >= _PRECISE:
                raise Unreadable("a memo with too many holes")
            self.sparse[index] = value

    def recall(self, index: int) -> None:
        """Push a memo entry."""
        if index < len(self.memo):
            self.push(self.memo[index])
        else:
            self.push(self.sparse[index])

    def next_index(self) -> int:
        """The index that ``MEMOIZE`` uses: the number of entries so far."""
        if self.sparse:
            raise Unreadable("a memo that mixes two ways of numbering")
        return len(self.memo)

    # meaning ---------------------------------------------------------------------------------------------------

    def keeps(self, count: int = 1) -> bool:
        """Whether the content of ``count`` more values is remembered; bounds memory."""
        self.remembered += count
        return self.remembered <= _REMEMBERED

    def look_up(self, module: Any, name: Any) -> None:
        """A global by module and name."""
        if not isinstance(module, str) or not isinstance(name, str) or len(module) + len(name) > 2 * LONGEST:
            self.findings.doubt("a global whose name is computed")
            self.push(ANY)
            return
        full = ".".join(rules.canonical(module, name))
        known = self.names.get(full)
        if known is None:
            if len(self.names) >= MAX_NAMES:
                raise Unreadable(f"more than {MAX_NAMES} different globals")
            known = self.names[full] = Name(full)
            self.findings.look_up(full)
            if "." in name and rules.allowed(full):
                self.findings.doubt(f"{full} is reached through attributes")
        self.push(known)

    def call(self, callee: Any, args: Any) -> None:
        """A call: push what comes out, as far as it matters."""
        self.called = True
        if not isinstance(callee, Name):
            self.findings.doubt("a call of something that is computed")
            self.push(ANY)
            return
        self.push(self.made(callee.name, args))

    def made(self, name: str, args: Any) -> Instance:
        """The instance that calling the global ``name`` gives."""
        if name in _MAKERS and isinstance(args, tuple) and args and isinstance(args[0], Name):
            return self.made(args[0].name, ()) if args[0].name not in _MAKERS else Instance("")
        if name == DTYPE:
            self.open_dtypes += 1
            return Dtype(args[0] if isinstance(args, tuple) and args and self.keeps() else None)
        if name == WRAPPER and self.keeps():
            return Wrapper()
        found = self.instances.get(name)
        if found is None:
            found = self.instances[name] = Instance(name)
        return found

    def build(self) -> None:
        """``BUILD``: set the state of the object below it."""
        state, target = self.pop(), self.top()
        self.called = True
        if isinstance(target, Name):
            self.findings.refuse(f"changes the global {target.name} instead of an object")
        elif isinstance(target, Wrapper):
            self.wrap(target, state)
        elif isinstance(target, Dtype):
            self.open_dtypes -= 1
            target.set_state(state)
        elif isinstance(target, Instance):
            if target.holds_formula:
                self.formula(state)
        else:
            self.findings.doubt("sets the state of something that is computed")

    def formula(self, state: Any) -> None:
        """A formula holder got its state: unless it plainly has no formula, loading evaluates one."""
        if not isinstance(state, dict) or None in state or not state.keys().isdisjoint(FORMULA_MARKS):
            self.findings.look_up(FORMULA)
        if isinstance(state, dict):
            self.remembered -= len(state) + 1
            state.clear()

    def wrap(self, target: Wrapper, state: Any) -> None:
        """joblib's placeholder got its state: the array's bytes follow here."""
        if not isinstance(state, dict) or not set(state) <= WRAPPER_FIELDS:
            raise Unreadable("an array placeholder with a state that joblib does not write")
        target.state.update(state)
        self.remembered -= len(state) + 1
        state.clear()
        self.wrapped = True
        if self.arrays:
            if self.frame is not None and self.frame.read(1):
                raise Unreadable("array data inside a frame")
            self.array(target.state)
            target.state = {}
            self.stack[-1] = self.made("numpy.ndarray", ())

    def array(self, state: dict[Any, Any]) -> None:
        """Skip one array's bytes, or follow the pickle that stands for an array of objects."""
        dtype = state.get("dtype")
        if not isinstance(dtype, Dtype):
            raise Unreadable("an array whose dtype is computed")
        if dtype.has_object:
            if self.nesting >= MAX_NESTING:
                raise Unreadable("pickles nested too deeply")
            type(self)(self.source, self.findings, arrays=False, nesting=self.nesting + 1).run()
            return
        if state.get("numpy_array_alignment_bytes") is not None:
            padding = self.source.read(1)
            if not padding:
                raise Unreadable("truncated: data ends before it is complete")
            self.source.skip(padding[0])
        self.source.skip(array_bytes(dtype, state.get("shape")))


def _coarse(value: Any) -> Any:
    """What is kept of a value where there are too many: names of the lists, and nothing else that takes space."""
    if type(value) is str:
        return value if value in rules.words() else ANY
    return ANY if type(value) is tuple else value
