"""The restricted unpicklers: the one place where a pickle is ever turned into objects.

Two walls. First the file is traced without running anything, and everything that is not trusted is refused at once, by
name. Then the unpickler itself asks again for each global it is told to look up; it shares no parser with the tracer,
so a mistake there cannot become execution.
"""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import IO, Any, Final

from modelyard.domain.errors import LoadRefused, MissingDependency
from modelyard.flavors.shields import Shields
from modelyard.ports.flavors import Trust
from modelyard.scanning import rules
from modelyard.scanning.compression import compressor_of, inflated
from modelyard.scanning.findings import Findings, Unreadable
from modelyard.scanning.pickles import trace
from modelyard.scanning.source import Source, over
from modelyard.scanning.symbols import FORMULA, WRAPPER_FIELDS

OLDEST_JOBLIB: Final = (1, 6)
"""Before 1.6 an array of objects inside a joblib file was unpickled without asking ``find_class``."""


def load_pickle(path: Path, trust: Trust) -> Any:
    """Unpickle a plain or compressed pickle.

    Raises:
        LoadRefused: Something in it is not trusted; ``data["globals"]`` names all of it. Nothing was constructed.
        MissingDependency: A class it needs cannot be imported here.
    """
    refuse_untrusted(path, trust, arrays=False)
    with path.open("rb") as file:
        return _Unpickler(_content(file, path), trust, path.name).whole()


def load_joblib(path: Path, trust: Trust) -> Any:
    """Unpickle what ``joblib.dump`` wrote, with any of its compressors.

    Raises:
        LoadRefused: As ``load_pickle``.
        MissingDependency: joblib 1.6 or newer, numpy, or a class it needs is not installed.
    """
    unpickler = _joblib_unpickler()
    refuse_untrusted(path, trust, arrays=True)
    with path.open("rb") as file:
        return unpickler(_content(file, path), trust, path.name).whole()


def traced(path: Path, *, arrays: bool) -> tuple[Findings, str]:
    """Follow a pickle file without running it; returns what was found and the class of the outermost object.

    Args:
        path: A pickle, plain or compressed.
        arrays: Read it as ``joblib.load`` does instead of as ``pickle.load`` does.
    """
    findings = Findings()
    root = ""
    with path.open("rb") as file:
        try:
            root = trace(_source(file, path), findings, arrays=arrays).root
        except Unreadable as error:
            findings.doubt(str(error))
    return findings, root


def refuse_untrusted(path: Path, trust: Trust, *, arrays: bool) -> None:
    """First wall: trace, then refuse whatever the trust does not cover.

    Raises:
        LoadRefused: With every name and reason at once.
    """
    findings, _ = traced(path, arrays=arrays)
    refuse_names(findings.names, trust, path.name, also=(*findings.unsafe, *findings.unknown))


def refuse_names(names: Iterable[str], trust: Trust, what: str, *, also: Iterable[str] = ()) -> None:
    """Refuse unless every name is permitted and there is nothing else to object to.

    Raises:
        LoadRefused: ``data["globals"]`` lists the names; ``reasons`` say why each is refused.
    """
    refused = {name: reason for name in sorted(names) if (reason := objection(name, trust))}
    also = list(also)
    reasons = [*refused.values(), *(reason for reason in also if not reason.endswith("is on the deny list"))]
    if not reasons:
        return
    shown = ", ".join(list(refused)[:5]) + (" ..." if len(refused) > 5 else "")
    raise LoadRefused(
        f"{what} is not loaded: {f'it needs {shown}, which is not trusted' if refused else reasons[0]}. "
        f"Nothing in it was run; {_advice(list(refused), trust, bool(also))}.",
        reasons=reasons,
        data={"globals": list(refused)},
    )


def _advice(refused: list[str], trust: Trust, structural: bool) -> str:
    if structural or not refused or any(rules.denied(name) for name in refused):
        return "no trust opens this"
    unpinned = [name for name in refused if name not in (trust.pinned or ())]
    if unpinned:
        return "register the file again so that its globals are recorded"
    return f"if you trust where it comes from, name them: trust={refused[:5]!r}"


def objection(name: str, trust: Trust) -> str:
    """Why ``module.name`` may not be looked up, or an empty string if it may."""
    if rules.denied(name):
        return f"{name} is on the deny list"
    if name not in (trust.pinned or ()):
        return f"{name} was not recorded for these bytes at registration"
    if rules.allowed(name) or name in trust.own or rules.matches(name, tuple(trust.allowed)):
        return ""
    full = " by its full name, as this library needs" if rules.is_by_name(name) else ""
    return f"{name} is not on the allowlist and nobody trusts it{full}"


def find_class(module: str, name: str, trust: Trust, what: str) -> Any:
    """Second wall: look up one global for an unpickler.

    Raises:
        LoadRefused: It is not trusted, or turns out to be something else than its name says.
        MissingDependency: It cannot be imported here.
    """
    module, name = rules.canonical(module, name)
    full = f"{module}.{name}"
    refuse_names([full], trust, what)
    if "." in name and rules.allowed(full):
        raise LoadRefused(
            f"{what} is not loaded: {full} is reached through attributes", data={"globals": [full]}
        )
    sys.audit("pickle.find_class", module, name)
    found = _resolved(module, name, what)
    actual = _actual(found)
    if isinstance(found, types.ModuleType) or rules.denied(actual) or _is_foreign(full, actual, trust):
        raise LoadRefused(
            f"{what} is not loaded: {full} is really {actual}, which no trust opens", data={"globals": [full]}
        )
    return found


def _actual(found: Any) -> str:
    """``module.name`` by which an object knows itself; for a method written in C, by its class."""
    name = getattr(found, "__qualname__", "")
    owner = getattr(found, "__objclass__", None) or getattr(found, "__self__", None)
    module = getattr(found, "__module__", None) or getattr(owner, "__module__", None)
    return f"{module or ''}.{name}"


def _is_foreign(full: str, actual: str, trust: Trust) -> bool:
    """True if only a pattern covers the name, and what it names is another package's that nobody trusts.

    Who trusts a package trusts what it defines, not all that it happens to import.
    """
    if rules.allowed(full) or full in trust.own or full in trust.allowed:
        return False
    package = actual.partition(".")[0]
    if not package or actual.endswith(".") or package == full.partition(".")[0]:
        return False
    return not (rules.allowed(actual) or rules.matches(actual, tuple(trust.allowed)))


def _resolved(module: str, name: str, what: str) -> Any:
    try:
        __import__(module)
        found: Any = sys.modules[module]
        for part in name.split("."):
            if found is not sys.modules[module] and not isinstance(found, type):
                raise LoadRefused(
                    f"{what} is not loaded: {module}.{name} reaches through something that is no class"
                )
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise MissingDependency(
            f"{what} needs {module}.{name}, which cannot be imported here ({error}); install the package and version "
            "that the model was saved with"
        ) from error
    return found


def _shields(trust: Trust, what: str) -> Shields:
    return Shields(what, lambda: refuse_names([FORMULA], trust, what))


class _Unpickler(pickle.Unpickler):
    """CPython's unpickler, asking the guard for every global."""

    def __init__(self, file: IO[bytes], trust: Trust, what: str):
        super().__init__(file, fix_imports=False)
        self._trust = trust
        self._what = what
        self._shields = _shields(trust, what)

    def find_class(self, module: str, name: str, /) -> Any:
        found = find_class(module, name, self._trust, self._what)
        return self._shields.over(".".join(rules.canonical(module, name)), found)

    def whole(self) -> Any:
        """Load, then lift the shields."""
        model = self.load()
        self._shields.lift()
        return model


def pickle_module(trust: Trust, what: str) -> types.ModuleType:
    """What ``torch.load`` takes as its ``pickle_module``: the guarded unpickler in a module of its own."""

    class Unpickler(_Unpickler):
        def __init__(self, file: IO[bytes], **_: Any):
            super().__init__(file, trust, what)

    module = types.ModuleType("guarded_pickle")
    module.Unpickler = Unpickler  # type: ignore[attr-defined]
    return module


@cache
def _joblib_unpickler() -> Any:
    """joblib's unpickler, asking the guard for every global, inside arrays of objects too."""
    try:
        import joblib
        from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler
    except ImportError as error:
        raise MissingDependency(
            "loading a joblib file needs joblib: pip install 'modelyard[sklearn]'"
        ) from error
    version = tuple(int(part) for part in joblib.__version__.split(".")[:2])
    if version < OLDEST_JOBLIB:
        raise MissingDependency(
            f"joblib {joblib.__version__} unpickles arrays of objects unguarded; 1.6 or newer is needed: "
            "pip install 'joblib>=1.6'"
        )

    class Guarded(NumpyUnpickler):  # type: ignore[misc]
        dispatch = NumpyUnpickler.dispatch.copy()

        def __init__(self, file: IO[bytes], trust: Trust, what: str):
            super().__init__("", file, ensure_native_byte_order=True)
            self.fix_imports = False
            self._trust = trust
            self._what = what
            self._shields = _shields(trust, what)

        def find_class(self, module: str, name: str) -> Any:
            found = find_class(module, name, self._trust, self._what)
            return self._shields.over(".".join(rules.canonical(module, name)), found)

        def whole(self) -> Any:
            model = self.load()
            self._shields.lift()
            return model

        def get_extension(self, code: int) -> None:
            raise LoadRefused(f"{self._what} is not loaded: it uses extension code {code}")

        def load_build(self) -> None:
            # a placeholder calls self.read: state that replaces a method would be called in its place
            state, target = self.stack[-1], self.stack[-2]
            if isinstance(target, NumpyArrayWrapper) and not (
                isinstance(state, dict) and WRAPPER_FIELDS.issuperset(state)
            ):
                raise LoadRefused(f"{self._what} is not loaded: an array placeholder with a foreign state")
            super().load_build()

        dispatch[pickle.BUILD[0]] = load_build

    return Guarded


def _content(file: Any, path: Path) -> Any:
    method = compressor_of(file.peek(16))
    return file if method is None else inflated(file, method, size=path.stat().st_size)


def _source(file: Any, path: Path) -> Source:
    size = path.stat().st_size
    method = compressor_of(file.peek(16))
    return over(file, size) if method is None else Source(inflated(file, method, size=size), None)
