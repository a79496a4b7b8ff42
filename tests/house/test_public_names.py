"""Public means listed: the package's names, its ``__all__`` and its documentation are the same set."""

from __future__ import annotations

import importlib.metadata
import inspect
import subprocess
import sys

import pytest

import modelyard

from .tree import ROOT

NAMES = [name for name in getattr(modelyard, "__all__", ()) if not name.startswith("__")]
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]


def test_every_listed_name_can_be_imported() -> None:
    assert NAMES, "modelyard lists its public names in __all__"
    missing = [name for name in modelyard.__all__ if not hasattr(modelyard, name)]
    assert missing == []
    assert len(set(modelyard.__all__)) == len(modelyard.__all__)


def test_no_unlisted_name_is_offered_by_a_fresh_import() -> None:
    code = (
        "import modelyard, types; print(*[n for n in dir(modelyard) if not n.startswith('_') "
        "and n not in modelyard.__all__ and not isinstance(getattr(modelyard, n), types.ModuleType)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"annotations"}


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        modelyard.no_such_name  # noqa: B018


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_has_a_docstring_and_a_place_in_the_documentation(name: str) -> None:
    value = getattr(modelyard, name)
    if inspect.isclass(value) or inspect.isroutine(value):
        assert inspect.getdoc(value), f"modelyard.{name} has no docstring"
    assert any(name in page.read_text("utf-8") for page in PAGES), f"no page mentions {name}"


@pytest.mark.parametrize("name", NAMES)
def test_public_methods_of_a_public_class_have_docstrings(name: str) -> None:
    value = getattr(modelyard, name)
    if not inspect.isclass(value) or not value.__module__.startswith("modelyard"):
        return
    bare = [
        method
        for method, function in vars(value).items()
        if inspect.isfunction(function) and not method.startswith("_") and not function.__doc__
    ]
    assert bare == []


def test_the_version_is_the_one_in_the_metadata() -> None:
    assert modelyard.__version__ == importlib.metadata.version("modelyard")
