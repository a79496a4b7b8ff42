"""The load contract: what may be looked up, and that nothing else ever is, whoever calls."""

from __future__ import annotations

import importlib
import io
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from corpus.hostile import Payload, payloads
from modelyard.domain.errors import LoadRefused, MissingDependency
from modelyard.flavors import guard
from modelyard.flavors.pickle import PickleFlavor
from modelyard.ports.flavors import SaveOptions, Trust
from modelyard.scanning import rules, standard

LABELS = sorted(payload.name for payload in payloads(Path("/nowhere")))
RUNNING = sorted(payload.name for payload in payloads(Path("/nowhere")) if payload.runs)


@pytest.fixture
def corpus(tmp_path: Path) -> dict[str, Payload]:
    return {payload.name: payload for payload in payloads(tmp_path)}


@pytest.fixture
def user_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An importable package of the user's own, with a class, a nested class and dangerous imports."""
    root = tmp_path / "site"
    (root / "my_pkg").mkdir(parents=True)
    (root / "my_pkg" / "__init__.py").write_text(
        "import os\nfrom os import system as harmless\nfrom json import JSONDecoder\nfrom click import echo\n"
        "from numpy import put as stored\nfrom pathlib import PosixPath\n"
        "class Place(PosixPath): pass\n"
        "class Model:\n    weight = 1\n    class Inner:\n        pass\n    def method(self): pass\n"
    )
    monkeypatch.syspath_prepend(str(root))
    yield __import__("my_pkg")
    sys.modules.pop("my_pkg", None)


def everything(path: Path) -> frozenset[str]:
    return frozenset(guard.traced(path, arrays=True)[0].names)


@pytest.mark.parametrize("load", [guard.load_pickle, guard.load_joblib])
@pytest.mark.parametrize("label", LABELS)
def test_A52_a_hostile_file_is_refused_even_where_all_its_names_are_pinned_and_trusted(
    label: str, load: Any, corpus: dict[str, Payload], tmp_path: Path
) -> None:
    payload = corpus[label]
    path = tmp_path / f"model{payload.suffix}"
    path.write_bytes(payload.data)
    allowed = ("*",) if payload.denied else ()
    with pytest.raises(LoadRefused):
        load(path, Trust(pinned=everything(path), allowed=allowed))
    assert not payload.canary.exists()


@pytest.mark.parametrize("label", RUNNING)
def test_A52_the_unpickler_alone_refuses_what_the_tracer_would_have_missed(
    label: str, corpus: dict[str, Payload], tmp_path: Path
) -> None:
    """The second wall without the first: no parser is shared, so this holds even if the tracer were wrong."""
    payload = corpus[label]
    path = tmp_path / "model"
    path.write_bytes(payload.data)
    names = everything(path)
    trust = Trust(pinned=names, allowed=("*",) if payload.denied else ())
    for unpickler in (guard._Unpickler, guard._joblib_unpickler()):
        with path.open("rb") as file, pytest.raises((LoadRefused, pickle.UnpicklingError)):
            unpickler(guard._content(file, path), trust, "model").load()
    assert not payload.canary.exists()


def test_refusal_names_every_global_at_once_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04(cmy_pkg\nA\ncmy_pkg\nB\ncother\nC\nt.")
    names = everything(path)
    with pytest.raises(LoadRefused) as refused:
        guard.load_pickle(path, Trust(pinned=names))
    assert refused.value.data["globals"] == ["my_pkg.A", "my_pkg.B", "other.C"]
    assert len(refused.value.reasons) == 3
    assert "trust=['my_pkg.A', 'my_pkg.B', 'other.C']" in str(refused.value)
    assert "my_pkg" not in sys.modules


def test_a_users_class_loads_by_pattern_by_name_and_by_origin(user_package: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(user_package.Model()))
    names = everything(path)
    for trust in (
        Trust(pinned=names, allowed=("my_pkg.*",)),
        Trust(pinned=names, allowed=("my_pkg.Model",)),
        Trust(pinned=names, own=names),
    ):
        assert type(guard.load_pickle(path, trust)) is user_package.Model
    for trust in (Trust(pinned=names), Trust(pinned=names, allowed=("my_pk.*", "my_pkg")), Trust(own=names)):
        with pytest.raises(LoadRefused):
            guard.load_pickle(path, trust)


def test_a_nested_class_of_a_trusted_package_loads(user_package: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(user_package.Model.Inner()))
    assert type(guard.load_pickle(path, Trust(pinned=everything(path), allowed=("my_pkg.*",)))) is (
        user_package.Model.Inner
    )


@pytest.mark.parametrize(
    "name",
    """os.system os harmless Model.method.__globals__ os.environ.get Model.__getattribute__ Model.__subclasses__
    JSONDecoder echo Place.write_text""".split(),
)
def test_a_trusted_package_is_no_way_to_what_it_imported(
    name: str, user_package: Any, tmp_path: Path
) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04\x8c\x06my_pkg\x8c" + bytes([len(name)]) + name.encode() + b"\x93.")
    with pytest.raises(LoadRefused):
        guard.load_pickle(path, Trust(pinned=everything(path), allowed=("my_pkg.*", "*")))


def test_trust_in_a_package_is_no_trust_in_the_libraries_it_imported(
    user_package: Any, tmp_path: Path
) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04cmy_pkg\nstored\n.")
    for patterns in (("my_pkg.*",), ("my_pkg.*", "numpy.*", "*")):
        with pytest.raises(LoadRefused, match=r"really numpy\.put"):
            guard.load_pickle(path, Trust(pinned=everything(path), allowed=patterns))
    named = Trust(pinned=everything(path), allowed=("my_pkg.stored",))
    assert guard.load_pickle(path, named) is np.put


@pytest.mark.parametrize(
    "name",
    """typing._eval_type typing.ForwardRef typing.get_type_hints typing.NamedTuple dataclasses.make_dataclass
    dataclasses._create_fn inspect.signature contextlib.ExitStack weakref.finalize functools.update_wrapper
    collections.namedtuple enum.Enum._convert_ types.FunctionType types.CodeType pathlib.Path.unlink
    builtins.object.__getattribute__ builtins.type.__subclasses__ logging.config.dictConfig
    mako.template.Template alembic.util.pyfiles.load_python_file click.edit pytest.main _pytest.pathlib.import_path
    sqlalchemy.util.langhelpers._exec_code_in_env hypothesis.find cloudpickle.loads
    joblib.parallel.Parallel joblib.externals.loky.get_reusable_executor pkg_resources.run_script
    modelyard.flavors.guard.load_pickle yaml.unsafe_load""".split(),
)
def test_A52_no_pattern_and_no_exact_name_opens_what_runs_text(name: str, tmp_path: Path) -> None:
    module, _, last = name.partition(".")
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04c%s\n%s\n." % tuple(part.encode() for part in (module, last)))
    trust = Trust(pinned={name}, own={name}, allowed=(name, f"{module}.*", "*"))
    with pytest.raises(LoadRefused, match="no trust opens this"):
        guard.load_pickle(path, trust)
    with pytest.raises(LoadRefused):
        guard.find_class(module, last, trust, "model")


def test_A52_the_widest_pattern_reaches_into_no_package_that_we_bring() -> None:
    """Everything that can be called in the standard library and in what is installed with us, imported or not."""
    brought = {
        "alembic",
        "click",
        "joblib",
        "mako",
        "numpy",
        "pandas",
        "pytest",
        "scipy",
        "sklearn",
        "sqlalchemy",
    }
    for package in brought:
        importlib.import_module(package)
    brought |= sys.stdlib_module_names
    modules = [m for m in list(sys.modules.values()) if isinstance(m, types.ModuleType)]
    names = {
        f"{m.__name__}.{name}" for m in modules for name, thing in list(vars(m).items()) if callable(thing)
    }
    names = {name for name in names if name.partition(".")[0] in brought}
    reached = {name for name in names if not guard.objection(name, Trust(pinned={name}, allowed=("*",)))}
    harmless = rules.allowlist() | rules.opened()
    pure = tuple(f"{module}." for module in standard.OPENED_MODULES)
    assert len(names) > 10_000
    assert {name for name in reached - harmless if not name.startswith(pure)} == set()


def test_own_origin_does_not_open_the_deny_list(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(LoadRefused, match="no trust opens this"):
        guard.load_pickle(path, Trust(pinned={"os.system"}, own={"os.system"}, allowed=("os.*", "*")))


def test_an_array_of_objects_in_a_joblib_file_asks_the_guard(user_package: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    joblib.dump({"w": np.arange(3), "o": np.array([user_package.Model(), None], dtype=object)}, path)
    names = everything(path)
    assert "my_pkg.Model" in names
    with pytest.raises(LoadRefused) as refused:
        guard.load_joblib(path, Trust(pinned=names))
    assert refused.value.data["globals"] == ["my_pkg.Model"]
    with path.open("rb") as file, pytest.raises(LoadRefused):
        guard._joblib_unpickler()(file, Trust(pinned=names), "model").load()
    loaded = guard.load_joblib(path, Trust(pinned=names, allowed=("my_pkg.*",)))
    assert type(loaded["o"][0]) is user_package.Model


def test_an_older_joblib_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joblib, "__version__", "1.5.3")
    guard._joblib_unpickler.cache_clear()
    try:
        with pytest.raises(MissingDependency, match=r"1\.6"):
            guard._joblib_unpickler()
    finally:
        guard._joblib_unpickler.cache_clear()


def test_a_class_that_is_gone_is_a_missing_dependency(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    for module in (b"no_such_package_here", b"iniconfig"):
        path.write_bytes(b"\x80\x04c" + module + b"\nNoSuchClass\n)\x81.")
        with pytest.raises(MissingDependency, match="NoSuchClass"):
            guard.load_pickle(path, Trust(pinned=everything(path), allowed=("*",)))


def test_a_truncated_file_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    file = io.BytesIO()
    joblib.dump({"w": np.arange(1000)}, file)
    path.write_bytes(file.getvalue()[:-100])
    with pytest.raises(LoadRefused, match="truncated"):
        guard.load_joblib(path, Trust(pinned=everything(path), allowed=("*",)))


def test_python_2_names_are_judged_by_what_they_mean_today(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(b"c__builtin__\nset\n((lp0\nI1\natR.")
    assert everything(path) == {"builtins.set"}
    assert guard.load_pickle(path, Trust(pinned={"builtins.set"})) == {1}


def test_a_class_with_letters_of_another_script_is_pinned_under_its_own_name(
    user_package: Any, tmp_path: Path
) -> None:
    user_package.Modèle = type("Modèle", (), {"__module__": "my_pkg"})
    record = PickleFlavor().save(user_package.Modèle(), tmp_path, SaveOptions())
    assert record.globals == ("my_pkg.Modèle",)
    loaded = PickleFlavor().load(tmp_path, record, Trust(pinned=record.globals, own=record.globals))
    assert type(loaded) is user_package.Modèle
