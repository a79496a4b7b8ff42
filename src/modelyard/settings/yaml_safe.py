"""YAML from a stranger, read as plain text with line numbers, within limits.

The parser's events are turned into a small tree here instead of being composed or constructed by PyYAML:
nothing is ever instantiated, nesting is checked before anything recurses, and an alias costs one reference
however much it stands for. This module imports PyYAML; import it only where a file is really read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml

from modelyard.domain.errors import InvalidConfig

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_ALIASES = 100
"""Anchors and aliases together."""
MAX_NODES = 10_000
"""Bounds the time of the slow parser too, which PyYAML falls back to where it was built without libyaml."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A word or text. ``plain`` means it was written without quotes; ``line`` counts from 1."""

    text: str
    plain: bool
    line: int

    @property
    def is_null(self) -> bool:
        return self.plain and self.text in _NULLS


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A YAML sequence."""

    items: tuple[Node, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A YAML mapping in file order, repeated keys included."""

    entries: tuple[tuple[Scalar, Node], ...]
    line: int


Node = Scalar | Listing | Table


def parse(data: bytes, name: str) -> Node | None:
    """Read one YAML document.

    Args:
        data: The file's bytes, UTF-8 with or without a byte order mark.
        name: What to call the file in messages.

    Returns:
        The tree, or ``None`` for a file without content.

    Raises:
        InvalidConfig: Not UTF-8, not YAML, or beyond a limit: ``MAX_BYTES``, ``MAX_DEPTH``, ``MAX_ALIASES``,
            ``MAX_NODES``, one document, no tags, keys that are text.
    """
    if len(data) > MAX_BYTES:
        raise InvalidConfig(
            f"{name}: expected at most {MAX_BYTES} bytes, found more; is this a configuration file?"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidConfig(
            f"{name}:{line}: expected UTF-8, found the byte 0x{data[error.start]:02x}"
        ) from None
    return _parse_text(text, name)


def _parse_text(text: str, name: str) -> Node | None:
    tree = _Tree(name=name)
    # Neither loader constructs anything here: parse() stops at events.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for event in yaml.parse(text, Loader=loader):
            tree.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise InvalidConfig(f"{name}:{line}: not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:  # a character that YAML forbids; this class carries no line
        raise InvalidConfig(f"{name}: not valid YAML: {getattr(error, 'reason', 'unreadable')}") from None
    return tree.root


@dataclass(slots=True, kw_only=True)
class _Open:
    """A collection whose end has not been read yet."""

    mapping: bool
    anchor: str | None
    line: int
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class _Tree:
    """Grows the tree from events, without recursion."""

    name: str
    root: Node | None = None
    open: list[_Open] = field(default_factory=list)
    anchors: dict[str, Node] = field(default_factory=dict)
    documents: int = 0
    nodes: int = 0
    aliases: int = 0

    def take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            self._count_document(line)
        elif isinstance(event, yaml.AliasEvent):
            self._place(self._aliased(event.anchor or "", line), None)
        elif isinstance(event, yaml.NodeEvent):
            self._start(event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            done = self.open.pop()
            self._place(self._finished(done), done.anchor)

    def _start(self, event: yaml.NodeEvent, line: int) -> None:
        self._check(event, line)
        if isinstance(event, yaml.ScalarEvent):
            self._place(Scalar(text=event.value, plain=not event.style, line=line), event.anchor)
            return
        mapping = isinstance(event, yaml.MappingStartEvent)
        self.open.append(_Open(mapping=mapping, anchor=event.anchor, line=line))
        if len(self.open) > MAX_DEPTH:
            raise self._refused(line, f"expected at most {MAX_DEPTH} levels, found more")

    def _check(self, event: yaml.NodeEvent, line: int) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise self._refused(line, f"expected plain values, found the tag {tag[:60]!r}; remove the tag")
        self._count_alias(line, 1 if event.anchor else 0)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self._refused(line, f"expected at most {MAX_NODES} values, found more")

    def _count_document(self, line: int) -> None:
        self.documents += 1
        if self.documents > 1:
            raise self._refused(line, "expected one document, found a second one after '---'")

    def _count_alias(self, line: int, more: int) -> None:
        self.aliases += more
        if self.aliases > MAX_ALIASES:
            raise self._refused(line, f"expected at most {MAX_ALIASES} anchors and aliases, found more")

    def _aliased(self, anchor: str, line: int) -> Node:
        self._count_alias(line, 1)
        if anchor not in self.anchors:  # unknown, or still open: a value that contains itself
            raise self._refused(line, f"the alias {anchor[:60]!r} names nothing that is complete before it")
        return self.anchors[anchor]

    def _place(self, node: Node, anchor: str | None) -> None:
        if anchor:
            self.anchors[anchor] = node
        if self.open:
            self.open[-1].items.append(node)
        else:
            self.root = node

    def _finished(self, done: _Open) -> Node:
        if not done.mapping:
            return Listing(items=tuple(done.items), line=done.line)
        entries = []
        for key, value in zip(done.items[::2], done.items[1::2], strict=True):
            if not isinstance(key, Scalar):
                raise self._refused(key.line, "expected a key that is text, found a list or a section")
            entries.append((key, value))
        return Table(entries=tuple(entries), line=done.line)

    def _refused(self, line: int, problem: str) -> InvalidConfig:
        return InvalidConfig(f"{self.name}:{line}: {problem}")
