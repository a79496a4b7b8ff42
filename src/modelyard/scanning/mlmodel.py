"""``MLmodel``: the YAML that says how MLflow loads a directory. Judged as text, because it may be any text."""

from __future__ import annotations

import re
from typing import Final

from modelyard.scanning.findings import Findings
from modelyard.scanning.zips import escapes

LOADERS: Final = frozenset(
    f"mlflow.{flavor}"
    for flavor in (
        "catboost keras lightgbm onnx pytorch sklearn spacy statsmodels tensorflow transformers xgboost".split()
    )
)
"""Modules of MLflow that read model files, which are judged for themselves, and run nothing else of the directory."""
FUNCTION: Final = "_load_pyfunc"
"""What MLflow calls in a loader module."""

_MENTION: Final = re.compile(r"loader_module")
_LOADER: Final = re.compile(r"""loader_module["']?\s*:\s*["']?([A-Za-z_][\w.]*)["']?\s*(?=[\n,}#]|\Z)""")
_PATH: Final = re.compile(
    r"""\b(?:model_path|model_data|model_binary|pickled_model|python_model|model_file|data|code|path)["']?"""
    r"""[ \t]*:[ \t]*["']?([^\s"',}]+)"""
)


def loader_name(module: str) -> str:
    """The name to trust for a loader module, ``my_pkg.loader._load_pyfunc``."""
    return f"{module}.{FUNCTION}"


def scan_mlmodel(text: str, findings: Findings) -> None:
    """Record loader modules that run code of their own, and refuse paths that leave the directory."""
    loaders = _LOADER.findall(text)
    if len(loaders) != len(_MENTION.findall(text)):
        findings.doubt("an MLmodel file whose loader_module cannot be read")
    for module in loaders:
        if module not in LOADERS:
            findings.look_up(loader_name(module))
    for path in _PATH.findall(text):
        if escapes(path.partition("://")[2] if "://" in path else path):
            findings.refuse(f"an MLmodel file with the path {path[:100]!r}, which leaves its directory")
