"""A pickle machine that runs nothing: follow the opcodes, resolve every global, know where the data lies.

It mirrors CPython's ``pickle._Unpickler`` (3.11 to 3.13) and joblib's ``NumpyUnpickler`` (1.6) opcode by opcode.
Wherever those two, or their C twin, could read the same bytes differently, it stops and the verdict is ``unknown``.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from typing import Any, Final

from modelyard.scanning.findings import Unreadable
from modelyard.scanning.machine import LONGEST, MAX_OPERATIONS, Machine
from modelyard.scanning.symbols import ANY, MARK, Instance, Name, Wrapper

_WIDEST: Final = 64  # items of a tuple or dict whose content is kept

Handler = Callable[[Machine], Any]


def _flat(items: Sequence[Any], depth: int = 3) -> Any:
    """A tuple of limited width and depth, or ``ANY``: nothing that matters is nested deeper than a dtype's state."""
    if len(items) > _WIDEST or depth == 0:
        return ANY
    return tuple([_flat(item, depth - 1) if type(item) is tuple else item for item in items])


def _stop(m: Machine) -> bool:
    value = m.pop()
    m.root = value.cls if isinstance(value, Instance) else ""
    if m.frame is not None and m.frame.read(1):
        raise Unreadable("bytes after the end of a pickle, inside its last frame")
    return True


def _constant(value: Any) -> Handler:
    return lambda m: m.push(value)


def _binary_int(width: int, *, signed: bool = False) -> Handler:
    return lambda m: m.push(int.from_bytes(m.take(width), "little", signed=signed))


def _long(width: int) -> Handler:
    def handler(m: Machine) -> None:
        size = m.number(width)
        if size <= 16:
            m.push(int.from_bytes(m.take(size), "little", signed=True))
        else:
            m.pass_over(size)
            m.push(ANY)

    return handler


def _text_int(m: Machine) -> None:
    line = m.line().rstrip(b"L")
    value = int(line) if len(line) <= 32 else ANY
    m.push({b"00": False, b"01": True}.get(line, value))


def _text_float(m: Machine) -> None:
    float(m.line())
    m.push(ANY)


def _bytes(width: int) -> Handler:
    def handler(m: Machine) -> None:
        m.pass_over(m.number(width))
        m.push(ANY)

    return handler


def _unicode(width: int) -> Handler:
    def handler(m: Machine) -> None:
        size = m.number(width)
        if size <= LONGEST:
            m.push(m.take(size).decode("utf-8", "surrogatepass"))
        else:
            m.pass_over(size)
            m.push(ANY)

    return handler


def _byte_string(width: int) -> Handler:
    """Python 2's ``str``: loaded with the encoding ASCII, so it can be a name."""

    def handler(m: Machine) -> None:
        size = m.number(width)
        if size <= LONGEST:
            m.push(m.take(size).decode("latin-1"))
        else:
            m.pass_over(size)
            m.push(ANY)

    return handler


def _text_string(m: Machine) -> None:
    line = m.line()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in b"\"'":
        raise Unreadable("malformed pickle: a string without quotes")
    text, _ = codecs.escape_decode(line[1:-1])
    m.push(text.decode("latin-1") if len(text) <= LONGEST else ANY)


def _text_unicode(m: Machine) -> None:
    text = m.line().decode("raw-unicode-escape")
    m.push(text if len(text) <= LONGEST else ANY)


def _put_text(m: Machine) -> None:
    m.remember(_index(m.line()))


def _get_text(m: Machine) -> None:
    m.recall(_index(m.line()))


def _index(line: bytes) -> int:
    index = int(line)
    if index < 0:
        raise Unreadable("malformed pickle: a negative memo index")
    return index


def _tuple(m: Machine) -> None:
    items = m.above_mark()
    m.push(_flat(items))


def _short_tuple(count: int) -> Handler:
    def handler(m: Machine) -> None:
        items = tuple(m.stack[-count:])
        if len(items) != count or MARK in items:
            raise Unreadable("malformed pickle: too few values")
        del m.stack[-count:]
        m.push(_flat(items))

    return handler


def _marked(m: Machine) -> None:
    m.above_mark()
    m.push(ANY)


def _empty_dict(m: Machine) -> None:
    m.push(_fresh_dict(m))


def _fresh_dict(m: Machine) -> Any:
    """Content is kept only where it can become the state of a placeholder or formula holder, or a dtype's fields."""
    below = m.stack[-1] if m.stack else None
    wanted = m.open_dtypes > 0 or type(below) is Wrapper or (type(below) is Instance and below.holds_formula)
    return {} if wanted and m.keeps() else ANY


def _dict(m: Machine) -> None:
    items = m.above_mark()
    target = _fresh_dict(m)
    m.push(target)
    _store(m, target, items)


def _set_item(m: Machine) -> None:
    value, key = m.pop(), m.pop()
    _store(m, m.top(), [key, value])


def _set_items(m: Machine) -> None:
    items = m.above_mark()
    _store(m, m.top(), items)


def _store(m: Machine, target: Any, items: list[Any]) -> None:
    if isinstance(target, Name):
        m.findings.refuse(f"changes the global {target.name} instead of an object")
    elif isinstance(target, dict):
        if len(target) + len(items) // 2 <= _WIDEST and m.keeps(len(items) // 2):
            # keys of other types are kept too, under what they are: a placeholder's state may not have any
            target.update({key if isinstance(key, str) else None: value for key, value in _pairs(items)})
        else:
            target[None] = ANY


def _pairs(items: list[Any]) -> Any:
    if len(items) % 2:
        raise Unreadable("malformed pickle: a key without a value")
    return zip(items[::2], items[1::2], strict=True)


def _append(m: Machine) -> None:
    m.pop()
    _not_global(m)


def _appends(m: Machine) -> None:
    m.above_mark()
    _not_global(m)


def _not_global(m: Machine) -> None:
    target = m.top()
    if isinstance(target, Name):
        m.findings.refuse(f"changes the global {target.name} instead of an object")


def _pop(m: Machine) -> None:
    m.stack.pop()


def _global(m: Machine) -> None:
    m.look_up(m.line().decode("utf-8"), m.line().decode("utf-8"))


def _stack_global(m: Machine) -> None:
    name, module = m.pop(), m.pop()
    m.look_up(module, name)


def _inst(m: Machine) -> None:
    m.look_up(m.line().decode("ascii"), m.line().decode("ascii"))
    callee = m.pop()
    args = m.above_mark()
    m.call(callee, tuple(args[:_WIDEST]))


def _obj(m: Machine) -> None:
    items = m.above_mark()
    m.call(items[0], tuple(items[1 : _WIDEST + 1]))


def _reduce(m: Machine) -> None:
    args, callee = m.pop(), m.pop()
    m.call(callee, args)


def _newobj_ex(m: Machine) -> None:
    m.pop()
    _reduce(m)


def _extension(width: int) -> Handler:
    def handler(m: Machine) -> None:
        code = m.number(width)
        m.findings.doubt(f"uses extension code {code}, which stands for any global")
        m.push(ANY)

    return handler


def _persistent(m: Machine) -> None:
    m.pop()
    m.findings.doubt("refers to objects outside the file (persistent id)")
    m.push(ANY)


def _persistent_text(m: Machine) -> None:
    m.line()
    m.push(ANY)
    _persistent(m)


def _out_of_band(m: Machine) -> None:
    m.findings.doubt("needs buffers that are not in the file")
    m.push(ANY)


def _protocol(m: Machine) -> None:
    if m.number(1) > 5:
        raise Unreadable("a pickle protocol above 5")


def _binary_float(m: Machine) -> None:
    m.take(8)
    m.push(ANY)


def _unknown_opcode(_: Machine) -> None:
    raise Unreadable("malformed pickle: an unknown opcode")


_BY_CODE: Final[dict[bytes, Handler]] = {
    b"(": lambda m: m.push(MARK),
    b".": _stop,
    b"0": _pop,
    b"1": lambda m: m.above_mark() and None,
    b"2": lambda m: m.push(m.top()),
    b"F": _text_float,
    b"G": _binary_float,
    b"I": _text_int,
    b"L": _text_int,
    b"J": _binary_int(4, signed=True),
    b"K": _binary_int(1),
    b"M": _binary_int(2),
    b"\x8a": _long(1),
    b"\x8b": _long(4),
    b"N": _constant(None),
    b"\x88": _constant(True),
    b"\x89": _constant(False),
    b"S": _text_string,
    b"T": _byte_string(4),
    b"U": _byte_string(1),
    b"B": _bytes(4),
    b"C": _bytes(1),
    b"\x8e": _bytes(8),
    b"\x96": _bytes(8),
    b"V": _text_unicode,
    b"X": _unicode(4),
    b"\x8c": _unicode(1),
    b"\x8d": _unicode(8),
    b")": _constant(()),
    b"t": _tuple,
    b"\x85": _short_tuple(1),
    b"\x86": _short_tuple(2),
    b"\x87": _short_tuple(3),
    b"]": _constant(ANY),
    b"l": _marked,
    b"a": _append,
    b"e": _appends,
    b"}": _empty_dict,
    b"d": _dict,
    b"s": _set_item,
    b"u": _set_items,
    b"\x8f": _constant(ANY),
    b"\x90": _appends,
    b"\x91": _marked,
    b"p": _put_text,
    b"q": lambda m: m.remember(m.number(1)),
    b"r": lambda m: m.remember(m.number(4)),
    b"\x94": lambda m: m.remember(m.next_index()),
    b"g": _get_text,
    b"h": lambda m: m.recall(m.number(1)),
    b"j": lambda m: m.recall(m.number(4)),
    b"c": _global,
    b"\x93": _stack_global,
    b"i": _inst,
    b"o": _obj,
    b"\x81": _reduce,
    b"\x92": _newobj_ex,
    b"R": _reduce,
    b"b": lambda m: m.build(),
    b"\x82": _extension(1),
    b"\x83": _extension(2),
    b"\x84": _extension(4),
    b"P": _persistent_text,
    b"Q": _persistent,
    b"\x80": _protocol,
    b"\x95": lambda m: m.enter_frame(),
    b"\x97": _out_of_band,
    b"\x98": lambda m: None,
}
HANDLERS: Final[tuple[Handler, ...]] = tuple(
    _BY_CODE.get(bytes([code]), _unknown_opcode) for code in range(256)
)


class Tracer(Machine):
    """The machine with its opcodes."""

    __slots__ = ()

    def run(self, most: int = MAX_OPERATIONS) -> None:
        """Follow the stream to its ``STOP``, for at most ``most`` operations.

        Raises:
            Unreadable: It is truncated or malformed, or passes a limit. What was found before that stays found.
        """
        handlers = HANDLERS
        try:
            for _ in range(most):
                code = self.read(1)
                if not code:
                    self._leave_frame()
                elif handlers[code[0]](self):
                    return
        except (IndexError, KeyError, UnicodeDecodeError, ValueError) as error:
            raise Unreadable(f"malformed pickle: {type(error).__name__}") from error
        raise Unreadable(f"a pickle of more than {most} operations")
