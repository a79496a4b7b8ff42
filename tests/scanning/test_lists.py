"""The two lists: exact, disjoint, and made of what they say."""

from __future__ import annotations

import importlib
import io
import sys
import types
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.scanning import denylist, rules, standard
from modelyard.scanning.scanner import TracingScanner

PRESENT = ("sklearn.", "numpy.", "scipy.", "pandas.", "builtins.", "collections.", "datetime.", "copyreg.")


def found(name: str) -> object:
    module, _, attribute = name.rpartition(".")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(importlib.import_module(module), attribute, None)


def present() -> dict[str, object]:
    things = {}
    for name in sorted(rules.allowlist()):
        if name.startswith(PRESENT):
            try:
                thing = found(name)
            except ImportError:
                continue
            if thing is not None:
                things[name] = thing
    return things


def test_allowed_names_are_classes_functions_and_constants_never_modules() -> None:
    things = present()
    assert len(things) > 900
    assert [name for name, thing in things.items() if isinstance(thing, types.ModuleType)] == []


def test_allowed_names_are_not_other_names_of_denied_things() -> None:
    aliases = {
        name: f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"
        for name, thing in present().items()
    }
    assert {name: actual for name, actual in aliases.items() if rules.denied(actual)} == {}


def test_no_allowed_class_maps_files_or_runs_text_from_its_state() -> None:
    from scipy.stats._distn_infrastructure import rv_generic

    classes = [thing for thing in present().values() if isinstance(thing, type)]
    assert [cls for cls in classes if issubclass(cls, np.memmap | rv_generic)] == []


def test_the_lists_are_disjoint_and_exact() -> None:
    assert {name for name in rules.allowlist() if rules.denied(name)} == set()
    assert not any("*" in name or name.startswith(".") or " " in name for name in rules.allowlist())
    assert not any("*" in name for name in denylist.NAMES | denylist.MODULES)


@pytest.mark.parametrize(
    "name", ["os.path.join", "subprocess.Popen", "builtins.eval", "importlib.util.find_spec"]
)
def test_what_is_below_a_denied_module_is_denied(name: str) -> None:
    assert rules.denied(name)
    assert not rules.matches("oso.x", ("os.*",))


@given(name=st.from_regex(r"[a-z_]{1,8}(\.[a-z_]{1,8}){1,3}", fullmatch=True))
def test_no_name_is_both_allowed_and_denied(name: str) -> None:
    assert not (rules.allowed(name) and rules.denied(name))


def test_patterns_match_whole_packages_only() -> None:
    assert rules.matches("my_pkg.a.B", ("my_pkg.*",))
    assert rules.matches("my_pkg.B", ("my_pkg.B",))
    assert not rules.matches("my_pkgs.B", ("my_pkg.*",))
    assert not rules.matches("my_pkg.B", ("my_pkg",))


def test_every_module_of_this_python_is_known_and_closed_unless_opened_by_name() -> None:
    assert sys.stdlib_module_names <= standard.MODULES
    closed = standard.MODULES - standard.OPENED_MODULES
    assert all(rules.denied(f"{module}.anything") for module in closed)
    assert not rules.denied("functools.partial")
    assert not rules.denied("itertools.count")


def test_what_is_opened_is_no_other_name_of_something_denied() -> None:
    opened = {name for name in rules.opened() if not name.startswith(("_pydatetime.", "pathlib._local."))}
    things = {name: thing for name in opened if (thing := found(name)) is not None}
    assert len(things) > 100
    assert not any(
        rules.denied(name) or isinstance(thing, types.ModuleType) for name, thing in things.items()
    )


@pytest.mark.parametrize(
    "name", ["my_pkg.A.__getattribute__", "a.B.__init__.__globals__", "builtins.type.__call__"]
)
def test_methods_that_every_class_inherits_are_denied(name: str) -> None:
    assert rules.denied(name)


def test_a_star_reaches_into_no_library_that_is_trusted_name_by_name() -> None:
    for pattern in ("*", "torch.*", "torch.nn.*"):
        assert not rules.matches("torch.nn.Linear", (pattern,))
    assert rules.matches("torch.nn.Linear", ("torch.nn.Linear",))
    assert rules.matches("torchy.Net", ("torchy.*",))


def test_a_list_of_words_is_no_pickle_because_a_word_is_a_module() -> None:
    text = b"cast\nhouse\nred\n"
    report = TracingScanner().scan(io.BytesIO(text), size=len(text))
    assert (report.verdict, report.globals) == ("clean", ())
