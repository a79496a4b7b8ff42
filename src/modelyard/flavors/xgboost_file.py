"""Does an xgboost file lead its reader astray? xgboost believes the indices in it, and a false one ends the process.

Written after xgboost's own description of its JSON and UBJSON form ("Introduction to Model IO"); what is checked is
what a prediction follows: children, features, categories, and which output a tree adds to.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from modelyard.domain.errors import LoadRefused
from modelyard.flavors.indices import Indices
from modelyard.scanning.boosters import read_ubjson
from modelyard.scanning.findings import Unreadable

_LEAF: Final = -1
_NOBODY: Final = (1 << 31) - 1
"""The parent of a root; trees with leaves of several values have -1 there."""
_MOST_OUTPUTS: Final = 1 << 16
_MOST_CATEGORIES: Final = 1 << 24
"""Above this xgboost could not tell categories apart: they are stored as floats of 32 bits."""


def check(content: bytes, what: str) -> None:
    """Look through a whole model.

    Args:
        content: The file, UBJSON or JSON.
        what: Its name, for errors.

    Raises:
        LoadRefused: It is damaged, or no model of xgboost.
    """
    _look(content, what, lambda root: _Model(root, what).check())


def check_pickled(content: bytes, what: str) -> None:
    """The same for what a pickled ``Booster`` holds: a model, and its configuration with the same sizes.

    Raises:
        LoadRefused: It is damaged, or the two disagree.
    """

    def inside(root: dict[str, Any]) -> None:
        model, config = root["Model"], root["Config"]
        _Model(model, what).check()
        sizes = [part["learner"]["learner_model_param"] for part in (model, config)]
        if any(
            sizes[0].get(name) != sizes[1].get(name) for name in ("num_class", "num_feature", "num_target")
        ):
            raise Indices(what).broken("configured for another model")

    _look(content, what, inside)


def _look(content: bytes, what: str, inside: Callable[[Any], None]) -> None:
    try:
        inside(_json(content) if content[:2] == b'{"' else read_ubjson(content))
    except (Unreadable, ValueError, RecursionError) as error:
        raise LoadRefused(f"{what} is not loaded: {error}") from error
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise LoadRefused(f"{what} is not loaded: it is not a model that xgboost wrote ({error})") from error


def _json(content: bytes) -> Any:
    """JSON in which no key comes twice: of two values, xgboost might take the other one."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key that comes twice")
        return found

    return json.loads(content, object_pairs_hook=once)


class _Model:
    """One model: its numbers of features and outputs, and all trees."""

    def __init__(self, root: dict[str, Any], what: str):
        self.of = Indices(what)
        self.learner = root["learner"]
        sizes = self.learner["learner_model_param"]
        self.features = self.of.number(sizes["num_feature"], "num_feature")
        classes = self.of.number(sizes["num_class"], "num_class", _MOST_OUTPUTS)
        targets = self.of.number(sizes.get("num_target", "1"), "num_target", _MOST_OUTPUTS)
        self.outputs = max(1, classes, targets)
        self.objective(classes)
        score = json.loads(sizes.get("base_score", "0"))
        if isinstance(score, list) and len(score) not in (1, self.outputs):
            raise self.of.broken(f"base_score has {len(score)} values for {self.outputs} outputs")

    def objective(self, classes: int) -> None:
        """The objective counts the classes once more, and would step through the outputs by its own count."""
        own = self.learner["objective"].get("softmax_multiclass_param", {}).get("num_class")
        if own is not None and self.of.number(own, "num_class") != classes:
            raise self.of.broken("two numbers of classes")

    def check(self) -> None:
        grower = self.learner["gradient_booster"]
        if grower["name"] == "gblinear":
            weights = self.of.length(grower["model"]["weights"])
            if weights != (self.features + 1) * self.outputs:
                raise self.of.broken(f"{weights} weights for {self.features} features")
            return
        model = grower["gbtree"]["model"] if grower["name"] == "dart" else grower["model"]
        self.forest(model)
        if grower["name"] == "dart" and self.of.length(grower["weight_drop"]) != len(model["trees"]):
            raise self.of.broken("weight_drop has another length than there are trees")

    def forest(self, model: dict[str, Any]) -> None:
        """All trees, and what says where they belong."""
        trees = model["trees"]
        groups = self.of.whole(model["tree_info"], "tree_info", len(trees))
        self.of.inside(groups, "tree_info", 0, self.outputs)
        if self.of.number(model["gbtree_model_param"]["num_trees"], "num_trees") != len(trees):
            raise self.of.broken(f"num_trees is not {len(trees)}")
        if "iteration_indptr" in model:
            rounds = self.of.whole(model["iteration_indptr"], "iteration_indptr")
            rising = len(rounds) > 0 and rounds[0] == 0 and bool((rounds[1:] >= rounds[:-1]).all())
            if not rising or rounds[-1] != len(trees):
                raise self.of.broken("iteration_indptr does not count the trees")
        if "cats" in model:
            self.categories_seen(model["cats"])
        for at, tree in enumerate(trees):
            if self.of.number(tree["id"], "id") != at:  # xgboost puts it where its id says
                raise self.of.broken(f"tree {at} has another id")
            self.tree(tree)

    def tree(self, tree: dict[str, Any]) -> None:
        """One tree: from the root every way ends in a leaf, and every split looks at a feature that there is."""
        sizes = tree["tree_param"]
        count = self.of.number(sizes["num_nodes"], "num_nodes")
        width = max(1, self.of.number(sizes.get("size_leaf_vector", "0"), "size_leaf_vector"))
        if width not in (1, self.outputs):
            raise self.of.broken(f"leaves of {width} values for {self.outputs} outputs")
        left = self.of.whole(tree["left_children"], "left_children", count)
        right = self.of.whole(tree["right_children"], "right_children", count)
        split = left != _LEAF
        self.children(left[split], right[split], count)
        self.parents(self.of.whole(tree["parents"], "parents", count), left, right)
        self.leaves(tree, right[~split], width)
        features = self.of.whole(tree["split_indices"], "split_indices", count)
        self.of.inside(features[split], "split_indices", 0, self.features)
        self.categories(tree, count)

    def children(self, left: Any, right: Any, count: int) -> None:
        """No node is the child of two, and none has the root for a child: so no way goes in a circle."""
        import numpy as np

        both = np.concatenate([left, right])
        self.of.inside(both, "children", 1, count)
        if len(np.unique(both)) != len(both):
            raise self.of.broken("a node with two parents")
        if count == 0:
            raise self.of.broken("a tree without a root")

    def parents(self, parents: Any, left: Any, right: Any) -> None:
        """Every child knows its parent, and only the root has none: xgboost asks all others, deleted ones too."""
        import numpy as np

        split = np.flatnonzero(left != _LEAF)
        self.of.inside(parents[1:], "parents", 0, len(parents))
        agree = (parents[left[split]] == split) & (parents[right[split]] == split)
        if not agree.all() or parents[0] not in (_LEAF, _NOBODY):
            raise self.of.broken("parents and children disagree")

    def leaves(self, tree: dict[str, Any], right: Any, width: int) -> None:
        """Leaves of several values say where these lie, in the place of a child."""
        if width == 1:
            self.of.inside(right, "right_children of leaves", _LEAF, 0)
            return
        values = self.of.length(tree["leaf_weights"])
        self.of.inside(right, "right_children of leaves", 0, values // width)

    def categories(self, tree: dict[str, Any], count: int) -> None:
        """Splits by category: each has its own piece of the list."""
        kinds = self.of.whole(tree.get("split_type", []), "split_type")
        if len(kinds) not in (0, count):
            raise self.of.broken("split_type has another length than there are nodes")
        self.of.inside(kinds, "split_type", 0, 2)
        listed = self.of.whole(tree.get("categories", []), "categories")
        self.of.inside(listed, "categories", 0, _MOST_CATEGORIES)
        nodes = self.of.whole(tree.get("categories_nodes", []), "categories_nodes")
        starts = self.of.whole(tree.get("categories_segments", []), "categories_segments", len(nodes))
        sizes = self.of.whole(tree.get("categories_sizes", []), "categories_sizes", len(nodes))
        self.of.inside(nodes, "categories_nodes", 0, count)
        self.of.inside(starts, "categories_segments", 0, len(listed) + 1)
        self.of.inside(sizes, "categories_sizes", 0, len(listed) + 1)
        self.of.inside(starts + sizes, "categories", 0, len(listed) + 1)
        if set(kinds.nonzero()[0].tolist()) - set(nodes.tolist()):
            raise self.of.broken("a split by category without categories")

    def categories_seen(self, seen: dict[str, Any]) -> None:
        """The categories of the training data: a piece for each feature, sorted by one list."""
        ends = self.of.whole(seen["feature_segments"], "feature_segments")
        order = self.of.whole(seen["sorted_idx"], "sorted_idx")
        if len(seen["enc"]) not in (0, self.features) or len(ends) not in (0, self.features + 1):
            raise self.of.broken("categories for another number of features")
        if len(ends) and (ends[0] != 0 or (ends[1:] < ends[:-1]).any() or ends[-1] != len(order)):
            raise self.of.broken("feature_segments does not count the categories")
        for at, one in enumerate(seen["enc"]):
            known = int(ends[at + 1] - ends[at])
            self.of.inside(order[int(ends[at]) : int(ends[at + 1])], "sorted_idx", 0, known)
            self.values_seen(one, known)

    def values_seen(self, one: dict[str, Any], known: int) -> None:
        """One feature's categories: numbers, or texts between offsets."""
        if "offsets" not in one:
            if len(self.of.whole(one["values"], "values")) != known:
                raise self.of.broken("another number of categories than counted")
            return
        offsets = self.of.whole(one["offsets"], "offsets")
        values = self.of.whole(one["values"], "values")
        if len(offsets) == 0 and known == 0:
            return
        if len(offsets) != known + 1 or offsets[0] != 0 or (offsets[1:] < offsets[:-1]).any():
            raise self.of.broken("offsets of categories that do not rise")
        if offsets[-1] != len(values):
            raise self.of.broken("offsets of categories beyond their texts")
