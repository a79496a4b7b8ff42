"""What torch itself writes: whole objects as a guarded pickle, TorchScript and exported programs as what they are.

The two kinds of programs are code. TorchScript runs in an interpreter of its own, partly while it is loaded, and can
write files (``aten::save``). An exported program is worse than its name: while loading one, torch evaluates text from
it (``sympy.sympify``) and unpickles tensors without a guard. So both need trust, given by the name
``torchscript.program`` or ``torch_export.program``, unless this user made the version from a live object.
"""

from __future__ import annotations

import itertools
import pickle
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from modelyard.domain.errors import InvalidInput
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import capture, files, guard
from modelyard.flavors.torch import bases_of, full_name, is_tensor, torch_here
from modelyard.ports.flavors import SaveOptions, Trust

ENTRY: Final = "model.pt"
"""Always this name, because torch writes the file's name into the archive and equal models should be equal bytes."""
EXPORTED: Final = "model.pt2"
_DEEP: Final = 5
_WIDE: Final = 10_000


class TorchPickleFlavor:
    """Anything that ``torch.save`` takes: checkpoints of nested dicts, and whole modules on request."""

    name = "torch_pickle"

    def accepts(self, model: object) -> bool:
        """True for tensors, and for lists and dicts that hold some."""
        return _holds_tensors(model)

    def save(self, model: object, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Write ``model.pt`` with ``torch.save``.

        Raises:
            InvalidInput: The object cannot be pickled.
        """
        torch = torch_here()
        try:
            torch.save(model, directory / ENTRY)
        except (pickle.PicklingError, AttributeError, TypeError, RecursionError) as error:
            raise files.cannot_pickle(model, error) from error
        return _record(model, self.name, directory / ENTRY)

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """Every global in the file; tensors in lists and dicts need only names of the allowlist."""
        return files.names_in(files.entry_of(directory, record))

    def load(self, directory: Path, record: FlavorRecord, trust: Trust) -> Any:
        """Unpickle under the guard, tensors on the CPU."""
        path = files.entry_of(directory, record)
        files.permitted(path, trust, format_="torch")
        return torch_here().load(
            path, map_location="cpu", weights_only=False, pickle_module=guard.pickle_module(trust, path.name)
        )


class TorchScriptFlavor:
    """A scripted or traced module."""

    name = "torchscript"

    def accepts(self, model: object) -> bool:
        """True for ``torch.jit.ScriptModule`` and what descends from it."""
        return "torch.jit._script.ScriptModule" in bases_of(model)

    def save(self, model: Any, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Write ``model.pt``.

        Raises:
            InvalidInput: It is no TorchScript.
        """
        if not self.accepts(model):
            raise InvalidInput(f"expected a torch.jit.ScriptModule, found {type(model).__name__}")
        model.save(str(directory / ENTRY))
        record = _record(model, self.name, directory / ENTRY)
        return replace(record, algorithm=str(getattr(model, "original_name", record.algorithm)))

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """``torchscript.program``, and the globals of its pickles."""
        return files.names_in(files.entry_of(directory, record))

    def load(self, directory: Path, record: FlavorRecord, trust: Trust) -> Any:
        """``torch.jit.load`` on the CPU. Runs what the archive says is run on loading."""
        path = files.entry_of(directory, record)
        files.permitted(path, trust, format_="torchscript")
        return torch_here().jit.load(str(path), map_location="cpu")


class TorchExportFlavor:
    """An ``ExportedProgram``."""

    name = "torch_export"

    def accepts(self, model: object) -> bool:
        """True for what ``torch.export.export`` returns."""
        return "torch.export.exported_program.ExportedProgram" in bases_of(model)

    def save(self, model: object, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Write ``model.pt2``.

        Raises:
            InvalidInput: It is no exported program.
        """
        if not self.accepts(model):
            raise InvalidInput(f"expected an ExportedProgram of torch.export, found {type(model).__name__}")
        torch_here().export.save(model, directory / EXPORTED)
        return _record(model, self.name, directory / EXPORTED)

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """``torch_export.program``, and the globals of its example inputs."""
        return files.names_in(files.entry_of(directory, record))

    def load(self, directory: Path, record: FlavorRecord, trust: Trust) -> Any:
        """``torch.export.load``; ``.module()`` of the result can be called."""
        path = files.entry_of(directory, record)
        files.permitted(path, trust, format_="torch_export")
        return torch_here().export.load(path)


def _record(model: Any, name: str, path: Path) -> FlavorRecord:
    record = capture.describe(model, name=name, entry=path.name, options={"class": full_name(model)})
    return replace(
        record,
        framework="torch",
        framework_version=capture.version_of("torch") or capture.module_version("torch"),
        algorithm="" if isinstance(model, dict | list | tuple) else type(model).__name__,
        globals=files.names_in(path),
    )


def _holds_tensors(value: object) -> bool:
    """True if there is a tensor among the first values of nested lists and dicts, level by level."""
    if "torch" not in sys.modules:
        return False
    level = [value]
    for _ in range(_DEEP):
        if any(is_tensor(item) for item in level):
            return True
        level = list(itertools.islice(itertools.chain.from_iterable(map(_items, level)), _WIDE))
    return False


def _items(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()
