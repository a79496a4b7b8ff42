"""What a ``.keras`` archive would construct: its ``config.json`` names every class (Keras 3, ``serialization_lib``)."""

from __future__ import annotations

import functools
import json
from typing import Any, Final

from modelyard.scanning import rules
from modelyard.scanning.allowed import keras
from modelyard.scanning.findings import Findings

WEIGHTS: Final = "model.weights.h5"
MEMBERS: Final = frozenset({"config.json", WEIGHTS})
MAX_CONFIG: Final = 32 << 20
LAMBDA: Final = "keras.layers.Lambda"
"""The name to trust for layers whose configuration holds Python byte code."""
_VALUES: Final = frozenset(
    {"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"}
)
_BY_PATH: Final = ("vocabulary", "idf_weights", "filepath")
_KERAS: Final = frozenset({"keras", "builtins"})
_FUNCTIONS: Final = ("activations", "losses", "metrics", "initializers", "regularizers", "constraints")


def scan_config(raw: bytes, findings: Findings) -> None:
    """Record every class and function outside Keras, and the layers that are Python code."""
    try:
        json.loads(raw, object_pairs_hook=lambda pairs: _visit(dict(pairs), findings))
    except (ValueError, RecursionError):
        findings.doubt("config.json is not JSON")


def custom_classes(raw: bytes) -> dict[str, tuple[str, str]]:
    """Names by which a ``config.json`` refers to classes and functions outside Keras -> their module and name.

    Raises:
        ValueError: It is not JSON.
    """
    found: dict[str, tuple[str, str]] = {}

    def visit(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        given = dict(pairs)
        module, kind, config = given.get("module"), given.get("class_name"), given.get("config")
        name = config if kind == "function" else kind
        if isinstance(module, str) and isinstance(name, str) and module.partition(".")[0] not in _KERAS:
            found[name] = (module, name)
            if isinstance(given.get("registered_name"), str):
                found[given["registered_name"]] = (module, name)
        return given

    json.loads(raw, object_pairs_hook=visit)
    return found


def _visit(found: dict[str, Any], findings: Findings) -> dict[str, Any]:
    """Judge one object; only its texts are kept, so that memory stays near the size of the JSON."""
    for key in _BY_PATH:
        if isinstance(found.get(key), str):
            findings.doubt(f"reads {key} from the file {found[key][:100]!r} while it is loaded")
    if isinstance(found.get("class_name"), str):
        for name in _names(found):
            if name not in _known():
                findings.look_up(name)
    return {key: value for key, value in found.items() if isinstance(value, str)}


def _names(found: dict[str, Any]) -> tuple[str, ...]:
    """What one serialised object makes Keras look up.

    A registered name goes first when Keras looks (``_retrieve_class_or_fn``): beside a module of Keras it could only
    be there to stand for something else, so it is then a name of its own.
    """
    kind, module = found["class_name"], found.get("module")
    if kind in _VALUES:
        return ()
    if kind == "__lambda__":
        return (LAMBDA,)
    name = {"function": found.get("config"), "__typespec__": found.get("spec_name")}.get(kind, kind)
    if not isinstance(name, str):
        return ("keras.unnamed",)
    registered = found.get("registered_name")
    registered = registered if isinstance(registered, str) else ""
    if not isinstance(module, str):
        return (registered_name(registered or name),)
    full = _builtin(name) if module == "builtins" else f"{module}.{name}"
    if full.startswith("keras.") and ">" in registered:
        return full, registered_name(registered)
    return (full,)


def registered_name(registered: str) -> str:
    """``package>Name`` as a dotted name that can be trusted; Keras' own default package is ``Custom``."""
    package, mark, name = registered.partition(">")
    return f"{package}.{name}" if mark else f"Custom.{package}"


def _builtin(name: str) -> str:
    """A function that Keras finds by its bare name in its own modules."""
    known = (f"keras.{module}.{name}" for module in _FUNCTIONS)
    return next((full for full in known if full in _known()), f"keras.{name}")


@functools.cache
def _known() -> frozenset[str]:
    return frozenset(rules.listed(keras.NAMES))
