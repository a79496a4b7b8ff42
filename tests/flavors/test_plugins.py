"""Flavors of other packages: found by their metadata, loaded when needed, harmless when broken."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelyard import ModelRegistry
from modelyard.domain.errors import InvalidInput, ModelyardWarning, NotSupported
from modelyard.flavors import detect, plugins
from modelyard.ports.flavors import SaveOptions, Trust

GOOD = """
from modelyard.domain.records import FlavorRecord

class Model:
    def __init__(self, text): self.text = text
    def __eq__(self, other): return type(other) is Model and other.text == self.text
    __hash__ = None

class {cls}:
    name = "{name}"
    forms = ("shout",)
    def accepts(self, model): return type(model).__name__ == "Model"
    def save(self, model, directory, options):
        (directory / "model.txt").write_text(model.text)
        return FlavorRecord(name=self.name, entry="model.txt", framework="{package}")
    def audit(self, directory, record): return ()
    def load(self, directory, record, trust, *, form=""):
        text = (directory / record.entry).read_text()
        return text.upper() if form else Model(text)
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a distribution on ``sys.path`` as an installer would: a module and its ``.dist-info``."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)

    def put(package: str, points: dict[str, str], code: str) -> None:
        (site / f"{package}.py").write_text(code)
        info = site / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = "".join(f"{name} = {target}\n" for name, target in points.items())
        (info / "entry_points.txt").write_text(f"[modelyard.flavors]\n{lines}")
        forget()

    yield put
    for name in set(sys.modules) - before:
        if name.startswith("toy_"):
            del sys.modules[name]
    forget()


def forget() -> None:
    plugins._points.cache_clear()
    plugins._flavor.cache_clear()


def good(name: str = "toytext", cls: str = "ToyFlavor", package: str = "toy_good") -> str:
    return GOOD.format(name=name, cls=cls, package=package)


def test_an_installed_flavor_saves_and_loads_its_own_objects(install: Install, tmp_path: Path) -> None:
    install("toy_good", {"toytext": "toy_good:ToyFlavor"}, good())
    import toy_good

    registry = ModelRegistry(tmp_path / "registry")
    version = registry.get_model(registry.register_model(toy_good.Model("hello"), "greeting"))
    assert (version.flavor.name, version.framework) == ("toytext", "toy_good")
    assert registry.load_model("greeting") == toy_good.Model("hello")
    assert registry.load_model("greeting", form="shout") == "HELLO"


def test_a_file_is_kept_under_the_flavor_that_the_caller_names(install: Install, tmp_path: Path) -> None:
    install("toy_good", {"toytext": "toy_good:ToyFlavor"}, good())
    (tmp_path / "note.txt").write_text("hello")
    registry = ModelRegistry(tmp_path / "registry")
    registry.register_model(tmp_path / "note.txt", "note", serialization_format="toytext")
    assert registry.load_model("note").text == "hello"


def test_it_is_loaded_only_when_an_object_may_be_its_own(install: Install, tmp_path: Path) -> None:
    install("toy_good", {"toytext": "toy_good:ToyFlavor"}, good())
    for model in ({"a": 1}, [1, 2], tmp_path):
        detect.flavor_for(model)
    detect.by_name("joblib")
    with pytest.raises(NotSupported, match="installed beside them: toytext"):
        detect.by_name("nobodys")
    assert "toy_good" not in sys.modules
    assert detect.by_name("toytext").name == "toytext"
    assert "toy_good" in sys.modules


class Foreign:
    """An object of a package, which no built-in flavor knows."""


Foreign.__module__ = "toy_elsewhere"

BROKEN = {
    "cannot be imported": ("import nothing_of_that_name\n", "cannot be loaded"),
    "raises when made": ("class F:\n    def __init__(self): raise RuntimeError('oops')\n", "oops"),
    "has no methods": ("class F:\n    name = 'toytext'\n", "it has no accepts, save, audit, load"),
    "calls itself otherwise": (good("other", "F"), "calls itself 'other'"),
    "fails when asked": (
        good(cls="F").replace('return type(model).__name__ == "Model"', "raise KeyError('oops')"),
        "accepts",
    ),
}


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_a_broken_one_is_named_in_a_warning_and_harms_nothing(kind: str, install: Install) -> None:
    code, words = BROKEN[kind]
    install("toy_bad", {"toytext": "toy_bad:F"}, code)
    with pytest.warns(ModelyardWarning, match=f"'toytext' of the package 'toy_bad' is not used: .*{words}"):
        assert detect.flavor_for(Foreign()).name == "pickle"


def test_a_version_of_a_broken_flavor_says_whom_to_repair(install: Install) -> None:
    install("toy_bad", {"toytext": "toy_bad:F"}, "import nothing_of_that_name\n")
    with (
        pytest.warns(ModelyardWarning, match="toy_bad"),
        pytest.raises(NotSupported, match=r"'toytext' comes from the package 'toy_bad', which is broken"),
    ):
        detect.by_name("toytext")


def test_a_broken_one_leaves_the_next_one_its_turn(install: Install) -> None:
    install("toy_bad", {"abc": "toy_bad:F"}, "import nothing_of_that_name\n")
    install("toy_good", {"toytext": "toy_good:ToyFlavor"}, good())
    import toy_good

    with pytest.warns(ModelyardWarning, match="abc"):
        assert detect.flavor_for(toy_good.Model("x")).name == "toytext"


def test_names_that_are_taken_are_not_given_away(install: Install) -> None:
    install("toy_bad", {"joblib": "toy_bad:F"}, good("joblib", "F"))
    assert detect.by_name("joblib").__class__.__module__ == "modelyard.flavors.joblib"
    with pytest.warns(ModelyardWarning, match="'joblib' of the package 'toy_bad'.*taken"):
        assert plugins.names(taken=["joblib"]) == []


def test_of_two_with_one_name_the_first_found_stays(install: Install) -> None:
    install("toy_one", {"toytext": "toy_one:ToyFlavor"}, good(package="toy_one"))
    install("toy_two", {"toytext": "toy_two:ToyFlavor"}, good(package="toy_two"))
    with pytest.warns(ModelyardWarning, match="taken"):
        assert detect.by_name("toytext").name == "toytext"


def test_without_plugins_nothing_is_said() -> None:
    forget()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert detect.flavor_for(Foreign()).name == "pickle"
        with pytest.raises(InvalidInput, match="nobodys"):
            detect.flavor_for(Foreign(), "nobodys")


def test_a_flavor_that_another_process_needs_is_found_there_too(install: Install, tmp_path: Path) -> None:
    from modelyard.flavors import loadcheck

    install("toy_good", {"toytext": "toy_good:ToyFlavor"}, good())
    import toy_good

    record = detect.by_name("toytext").save(toy_good.Model("x"), tmp_path, SaveOptions())
    answer: dict[str, Any] = loadcheck.run(tmp_path, record, Trust())
    assert (answer["ok"], answer["error"]) == (True, "")
