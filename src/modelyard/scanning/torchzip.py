"""Zip archives that torch writes: pickled objects, TorchScript programs, exported programs.

torch takes the first path component of the first entry as the archive's root and looks for its records below it
(caffe2/serialize/inline_container.cc). TorchScript's pickles are read by an unpickler in C++ that knows only the
archive's own types; they are followed here all the same, so that nothing hides in them from those who read them
differently.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from modelyard.scanning.findings import Findings, Unreadable
from modelyard.scanning.pickles import trace
from modelyard.scanning.source import Source

SCRIPT: Final = "torchscript.program"
"""The name to trust for TorchScript: its code is called with the model, and partly while it is loaded. It can write
files (``aten::save``)."""
EXPORT: Final = "torch_export.program"
"""The name to trust for exported programs: torch evaluates text in them and unpickles weights without a guard."""
FORMATS: Final = frozenset({"torch", "torchscript", "torch_export"})
_OWN: Final = ("__torch__.", "torch.jit._pickle.")
_PERSISTENT: Final = "refers to objects outside the file (persistent id)"
_EXPORTED: Final = re.compile(r"(?:[^/]+/)?(?:archive_format|serialized_exported_program\.json)")


def kind_of(names: Sequence[str]) -> str:
    """``torch``, ``torchscript``, ``torch_export``, or an empty string for any other archive."""
    if any(_EXPORTED.fullmatch(name) for name in names):
        return "torch_export"
    last = {name.rpartition("/")[2] for name in names if name.count("/") <= 1}
    if "data.pkl" not in last:
        return ""
    return "torchscript" if "constants.pkl" in last else "torch"


def root_of(names: Sequence[str]) -> str:
    """The archive's root: the first component of the first name."""
    return names[0].partition("/")[0] if names else ""


def is_storage(root: str, name: str) -> bool:
    """True for raw numbers: ``root/data/0``, and nothing that could be another record."""
    start = f"{root}/data/"
    return name.startswith(start) and "/" not in name[len(start) :]


def is_weight(root: str, name: str) -> bool:
    """True for the tensors of an exported program, which may be raw numbers or pickles."""
    return name.startswith((f"{root}/data/weights/", f"{root}/data/constants/")) and not name.endswith(
        ".json"
    )


def scan_objects(source: Source, findings: Findings) -> None:
    """Follow the ``data.pkl`` of ``torch.save``, whose tensors are persistent ids."""
    findings.absorb(_traced(source))


def scan_script(source: Source, findings: Findings) -> None:
    """Follow a pickle of TorchScript: types of the archive itself are no globals, everything else is."""
    found = _traced(source)
    for name in found.names:
        if not name.startswith(_OWN):
            findings.look_up(name)
    for reason in found.unsafe:
        if not reason.endswith("is on the deny list"):
            findings.refuse(reason)
    for reason in found.unknown:
        findings.doubt(reason)


def _traced(source: Source) -> Findings:
    found = Findings()
    try:
        trace(source, found, arrays=False)
    except Unreadable as error:
        found.doubt(str(error))
    found.unknown.pop(_PERSISTENT, None)
    return found
