"""Prints the text of one allowlist file from the installed library: ``python allowlist_source.py sklearn``.

What it prints is reviewed by a person and pasted; nothing reads it at run time.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
import types
import warnings
from collections import defaultdict

SKIPPED = (
    "tests", "_testing", "conftest", "datasets", "externals", "parallel", "_mocking", "callback", "experimental",
    "_build_utils", "setup", "io", "weave", "misc", "f2py", "distutils", "testing", "_plotting", "_show_versions",
    "_joblib", "_user_interface", "computation", "plotting", "_config", "_version", "_repr_html", "_pprint",
    "_array_api", "api", "_numba", "window", "clipboard", "formats", "_test_internals",
)  # fmt: skip
FUNCTION_MODULES = (
    "sklearn.metrics._", "sklearn.metrics.pairwise", "sklearn.metrics.cluster", "sklearn.feature_selection._univ",
    "sklearn.feature_selection._mutual",
)  # fmt: skip
PACKAGES = {
    "sklearn": "sklearn.",
    "scipy": "scipy.sparse. scipy.spatial. scipy.interpolate. scipy._lib._bunch",
    "pandas": "pandas.core.arrays pandas.core.dtypes pandas.core.indexes pandas.core.internals pandas.core.frame "
    "pandas.core.series pandas._libs",
}
STATE_METHODS = (
    "__init__",
    "__new__",
    "__setstate__",
    "__setattr__",
    "__call__",
    "__del__",
    "append",
    "extend",
)
SUSPICIOUS = (
    "exec(",
    "eval(",
    "open(",
    "import_module",
    "subprocess",
    "Popen",
    "getattr(sys",
    "tempfile",
    "os.",
)


def modules(package: str):
    root = importlib.import_module(package)
    for found in pkgutil.walk_packages(root.__path__, package + ".", onerror=lambda name: None):
        if any(part in SKIPPED for part in found.name.split(".")):
            continue
        try:
            yield importlib.import_module(found.name)
        except BaseException as error:
            print("#", found.name, type(error).__name__, file=sys.stderr)


def wanted(module: types.ModuleType, name: str, value: object) -> bool:
    if getattr(value, "__module__", None) != module.__name__:
        return False
    if isinstance(value, type):
        return not issubclass(value, BaseException) and getattr(value, "__name__", "") == name
    if name == "newObj" or name.startswith("__pyx_unpickle"):
        return True
    plain = inspect.isfunction(value) and value.__qualname__ == name and not name.startswith("_")
    return plain and module.__name__.startswith(FUNCTION_MODULES) and "plot" not in module.__name__


def review(name: str, value: object) -> None:
    for method in STATE_METHODS:
        found = value.__dict__.get(method) if isinstance(value, type) else None
        try:
            source = inspect.getsource(found) if found else ""
        except (TypeError, OSError):
            continue
        hits = [word for word in SUSPICIOUS if word in source]
        if hits:
            print("# look at", name, method, hits, file=sys.stderr)


def main(package: str) -> None:
    warnings.simplefilter("ignore")
    found: dict[str, set[str]] = defaultdict(set)
    prefixes = tuple(PACKAGES[package].split())
    for module in modules(package):
        if not module.__name__.startswith(prefixes):
            continue
        for name, value in vars(module).items():
            if wanted(module, name, value):
                found[module.__name__].add(name)
                review(f"{module.__name__}.{name}", value)
    for module in sorted(found):
        print(f"{module}: {' '.join(sorted(found[module]))}")


if __name__ == "__main__":
    main(sys.argv[1])
