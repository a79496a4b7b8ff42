"""From a parsed YAML file to values: every key known, every value of its kind, every problem located."""

from __future__ import annotations

from modelyard.domain.errors import InvalidConfig
from modelyard.settings.findings import Findings
from modelyard.settings.kinds import Kind, looks_bare
from modelyard.settings.table import Setting, quoted, sections, table, unknown_key
from modelyard.settings.yaml_safe import Listing, Node, Scalar, Table, parse


def read_yaml(data: bytes, name: str, found: Findings) -> None:
    """Put a file's settings into ``found``.

    A key may be nested or written in full (``registry.path: ...``). A key without a value, or with ``null``,
    counts as not written.

    Args:
        data: The file's bytes.
        name: What to call the file in messages and sources.
        found: Receives values, sources and problems; a file that is no YAML is one problem.
    """
    try:
        root = parse(data, name)
    except InvalidConfig as error:
        found.problems.append(error.detail)
        return
    if isinstance(root, Table):
        _read_section(root, "", name, found)
    elif root is not None and not _is_null(root):
        found.problems.append(
            f"{name}:{root.line}: expected sections such as 'registry:', found {_described(root)}"
        )


def _read_section(section: Table, prefix: str, name: str, found: Findings) -> None:
    for key, node in section.entries:
        dotted, where = prefix + key.text, f"{name}:{key.line}"
        if dotted in found.lines:
            first = found.lines[dotted]
            found.problems.append(
                f"{where}: {quoted(dotted)} is given twice, first on line {first}; keep one"
            )
            continue
        found.lines[dotted] = key.line
        if dotted in table():
            _read_setting(table()[dotted], node, where, found)
        elif dotted not in sections():
            found.problems.append(f"{where}: {unknown_key(dotted)}")
        elif isinstance(node, Table):
            _read_section(node, f"{dotted}.", name, found)
        elif not _is_null(node):
            problem = f"{where}: {dotted!r}: expected indented keys below it, found {_described(node)}"
            found.problems.append(problem)


def _read_setting(setting: Setting, node: Node, where: str, found: Findings) -> None:
    if _is_null(node):
        return
    try:
        value: object = _many(setting.kind, node) if setting.kind.many else _one(setting.kind, node)
    except _IllTypedError as error:
        shown = _described(error.node, hidden=setting.is_confidential)
        found.problems.append(
            f"{where}: {setting.key!r}: expected {setting.kind.expects}, found {shown}{error.hint}"
        )
    else:
        found.put(setting.key, value, where)


class _IllTypedError(Exception):
    """A value is not of the setting's kind. Stays inside this module: it becomes one of the problems."""

    def __init__(self, node: Node, hint: str = ""):
        super().__init__(hint)
        self.node = node
        self.hint = hint


def _many(kind: Kind, node: Node) -> tuple[object, ...]:
    if not isinstance(node, Listing):
        raise _IllTypedError(node)
    return tuple(_one(kind, item) for item in node.items)


def _one(kind: Kind, node: Node) -> object:
    if not isinstance(node, Scalar) or node.is_null:
        raise _IllTypedError(node)
    if kind.text and node.plain and looks_bare(node.text):
        raise _IllTypedError(node, "; put it in quotes if it is meant as text")
    if kind.bare and not node.plain:
        raise _IllTypedError(node, "; write it without quotes")
    try:
        return kind.read(node.text)
    except ValueError:
        raise _IllTypedError(node) from None


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.is_null


def _described(node: Node, *, hidden: bool = False) -> str:
    """What a node is, for people: ``the text 'often'``, ``the value 5``, ``a list``."""
    if isinstance(node, Table):
        return "a section"
    if isinstance(node, Listing):
        return "a list"
    if node.is_null:
        return "nothing"
    word = "value" if node.plain and looks_bare(node.text) else "text"
    if hidden:
        return f"another {word}"
    return f"the {word} {node.text[:60] if word == 'value' else quoted(node.text)}"
