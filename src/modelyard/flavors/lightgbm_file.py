"""Does a lightgbm file lead its reader astray? lightgbm believes the indices in it, and a false one ends the process.

The text begins with ``key=value`` lines, among them the size of each tree in bytes; then come the trees, each a block
of such lines again. What is checked is what a prediction follows.
"""

from __future__ import annotations

import re
from typing import Any, Final

from modelyard.domain.errors import LoadRefused
from modelyard.flavors.indices import Indices

START: Final = b"tree\nversion="
_CATEGORICAL: Final = 1  # the lowest bit of decision_type
_LINES: Final = re.compile(rb"[^\x00-\x09\x0b-\x1f\x7f]*")
_ASCII: Final = re.compile(rb"[\n\x20-\x7e]*")
_NUMBERS: Final = re.compile(r"[-+0-9.eEinfaNF ]*")
"""Only what every reader splits and reads alike: no other line ends, blanks or digits."""
_PER_SPLIT: Final = ("threshold", "decision_type", "left_child", "right_child", "split_feature")


def check(content: bytes, what: str) -> None:
    """Look through a whole model.

    Args:
        content: The file.
        what: Its name, for errors.

    Raises:
        LoadRefused: It is damaged, or no model of lightgbm.
    """
    if not content.startswith(START):
        raise LoadRefused(f"{what} is not loaded: it is not a model that lightgbm wrote")
    try:
        _Model(content, what).check()
    except (ValueError, KeyError, OverflowError) as error:
        raise LoadRefused(f"{what} is not loaded: it is not a model that lightgbm wrote ({error})") from error


class _Model:
    """One model: its head, and all trees."""

    def __init__(self, content: bytes, what: str):
        self.of = Indices(what)
        start = content.find(b"\nTree=")
        self.content = content
        self.at = start + 1 if start >= 0 else len(content)
        self.head = self.lines(content[: self.at], _LINES)
        self.features = self.of.number(self.head["max_feature_idx"], "max_feature_idx") + 1

    def lines(self, block: bytes, allowed: re.Pattern[bytes]) -> dict[str, str]:
        """The ``key=value`` lines of a block, each key once."""
        if not allowed.fullmatch(block):
            raise self.of.broken("control characters")
        found: dict[str, str] = {}
        for line in block.decode("utf-8").split("\n"):
            key, _, value = line.partition("=")
            if key.strip() in found:
                raise self.of.broken(f"two values for {key[:40]!r}")
            if key.strip():
                found[key.strip()] = value
        return found

    def check(self) -> None:
        classes = self.of.number(self.head["num_class"], "num_class")
        each = self.of.number(self.head["num_tree_per_iteration"], "num_tree_per_iteration")
        sizes = self.whole(self.head.get("tree_sizes", ""), "tree_sizes")
        if not 0 < classes == each or len(sizes) % each:
            raise self.of.broken(f"{len(sizes)} trees, {each} per round, for {classes} classes")
        for word in self.head.get("objective", "").split():
            if word.startswith("num_class:") and self.of.number(word[10:], "num_class") != classes:
                raise self.of.broken("two numbers of classes")
        if not len(sizes) and self.at < len(self.content):
            raise self.of.broken("whose sizes are not told")
        for number, size in enumerate(sizes.tolist()):
            block = self.content[self.at : self.at + size]
            if size <= 0 or len(block) != size or not block.startswith(b"Tree=%d\n" % number):
                raise self.of.broken(f"tree {number} is not where tree_sizes says")
            self.tree(self.lines(block, _ASCII))
            self.at += size

    def tree(self, tree: dict[str, str]) -> None:
        """One tree: every way ends in a leaf, and every split looks at a feature that there is."""
        leaves = self.of.number(tree["num_leaves"], "num_leaves", most=1 << 24)
        if leaves == 0:
            raise self.of.broken("a tree without leaves")
        self.count(tree, "leaf_value", leaves)
        if leaves > 1:
            for name in _PER_SPLIT:
                self.count(tree, name, leaves - 1)
            self.of.inside(
                self.whole(tree["split_feature"], "split_feature"), "split_feature", 0, self.features
            )
            for name in ("left_child", "right_child"):
                self.children(self.whole(tree[name], name), name, leaves)
        self.categories(tree, leaves)
        if tree.get("is_linear", "0").strip() != "0":
            self.linear(tree, leaves)

    def children(self, child: Any, name: str, leaves: int) -> None:
        """Splits are numbered as they were made, so that every child is a leaf or comes later: no way is a circle."""
        import numpy as np

        self.of.inside(child, name, -leaves, leaves - 1)
        if ((child >= 0) & (child <= np.arange(len(child)))).any():
            raise self.of.broken("a split that leads back to an earlier one")

    def categories(self, tree: dict[str, str], leaves: int) -> None:
        """Splits by category: the threshold is the number of a piece of one long row of bits."""
        many = self.of.number(tree.get("num_cat", "0"), "num_cat")
        ends = self.whole(tree["cat_boundaries"], "cat_boundaries", many + 1) if many else self.whole("", "")
        if many:
            bits = self.whole(tree["cat_threshold"], "cat_threshold")
            if ends[0] != 0 or (ends[1:] < ends[:-1]).any() or ends[-1] != len(bits):
                raise self.of.broken("cat_boundaries does not count cat_threshold")
        if leaves > 1:
            kinds = self.whole(tree["decision_type"], "decision_type")
            self.of.inside(kinds, "decision_type", 0, 16)
            chosen = self.floats(tree["threshold"])[(kinds & _CATEGORICAL) != 0]
            if len(chosen) and not ((chosen >= 0) & (chosen < many) & (chosen % 1 == 0)).all():
                raise self.of.broken("a split by category without categories")

    def linear(self, tree: dict[str, str], leaves: int) -> None:
        """Leaves that are linear models: how many features each has, then all of these in a row."""
        each = self.whole(tree["num_features"], "num_features", leaves)
        self.count(tree, "leaf_const", leaves)
        used = self.whole(tree["leaf_features"], "leaf_features")
        self.of.inside(each, "num_features", 0, self.features + 1)
        self.of.inside(used, "leaf_features", 0, self.features)
        if int(each.sum()) != len(used):
            raise self.of.broken("num_features does not count leaf_features")
        self.count(tree, "leaf_coeff", len(used))

    def count(self, tree: dict[str, str], name: str, wanted: int) -> None:
        """A row of numbers has so many."""
        if not _NUMBERS.fullmatch(tree[name]) or len(tree[name].split()) != wanted:
            raise self.of.broken(f"{name} has not {wanted} entries")

    def whole(self, text: str, name: str, length: int | None = None) -> Any:
        """A row of whole numbers."""
        if not _NUMBERS.fullmatch(text):
            raise self.of.broken(f"{name} holds other things than numbers")
        return self.of.whole([int(word) for word in text.split()], name, length)

    def floats(self, text: str) -> Any:
        """A row of numbers."""
        import numpy as np

        return np.array([float(word) for word in text.split()])
