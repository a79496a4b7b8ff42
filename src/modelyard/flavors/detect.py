"""Which flavor? For a live object by its class, for a file by its content."""

from __future__ import annotations

from pathlib import Path
from typing import Final, cast

from modelyard.domain.errors import InvalidInput, NotSupported
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import capture, guard
from modelyard.flavors.joblib import JoblibFlavor
from modelyard.flavors.numpy import NumpyFlavor
from modelyard.flavors.pickle import PickleFlavor
from modelyard.flavors.raw import DirectoryFlavor, FileFlavor
from modelyard.flavors.safetensors import SafetensorsFlavor
from modelyard.flavors.skops import SkopsFlavor
from modelyard.ports.flavors import Flavor
from modelyard.scanning import sniff
from modelyard.scanning.compression import inflated
from modelyard.scanning.findings import Unreadable
from modelyard.scanning.scanner import TracingScanner
from modelyard.scanning.symbols import WRAPPER

GROUP: Final = "modelyard.flavors"
"""Entry-point group for flavors of other packages: each names a class without arguments that has a flavor's methods."""

BUILT_IN: Final[tuple[Flavor, ...]] = (
    FileFlavor(),
    DirectoryFlavor(),
    JoblibFlavor(),
    SafetensorsFlavor(),
    NumpyFlavor(),
    SkopsFlavor(),
    PickleFlavor(),
)
"""In the order in which they are asked; pickle takes everything and so comes last."""

_BY_FORMAT: Final = {
    "joblib": "joblib",
    "pickle": "pickle",
    "skops": "skops",
    "safetensors": "safetensors",
    "npy": "numpy",
    "npz": "numpy",
}


def flavor_for(model: object, serialization_format: str | None = None) -> Flavor:
    """The flavor that writes this object.

    Args:
        model: A live object, or a ``Path``.
        serialization_format: A flavor's name; ``None`` takes the natural one.

    Raises:
        InvalidInput: No flavor has that name.
    """
    if serialization_format is None:
        return next(flavor for flavor in BUILT_IN if flavor.accepts(model))
    try:
        return by_name(serialization_format)
    except NotSupported as error:
        raise InvalidInput(
            f"serialization_format={serialization_format!r} is not known; give one of {', '.join(_names())}"
        ) from error


def by_name(name: str) -> Flavor:
    """The flavor that reads what was written under this name.

    Raises:
        NotSupported: Neither built in nor installed.
    """
    for flavor in BUILT_IN:
        if flavor.name == name:
            return flavor
    import importlib.metadata

    for point in importlib.metadata.entry_points(group=GROUP, name=name):
        return cast(Flavor, point.load()())
    raise NotSupported(f"flavor {name!r} is not known here; built in are {', '.join(_names())}")


def flavor_of_file(path: Path) -> FlavorRecord:
    """How a file that somebody else wrote can be loaded, judged by its content alone.

    Pickles and joblib files become models again (under the guard), so do skops, safetensors and array files without
    objects; everything else is a plain file.
    """
    with path.open("rb") as file:
        form = sniff.sniff(file.read(sniff.HEAD), path.stat().st_size)
        if form == "pickle" or (form in sniff.COMPRESSED and _is_packed_pickle(path, form)):
            return _pickled(path, form)
        file.seek(0)
        report = TracingScanner().scan(file, size=path.stat().st_size)
    name = _BY_FORMAT.get(report.format, "file")
    if form in sniff.COMPRESSED or (name == "numpy" and report.globals):
        name = "file"
    if name == "pickle":
        return _pickled(path, "pickle")
    return FlavorRecord(name=name, entry=path.name, globals=report.globals)


def flavor_of_directory(path: Path) -> FlavorRecord:
    """A directory is kept as it is."""
    return FlavorRecord(name="directory", entry=".")


def _pickled(path: Path, form: str) -> FlavorRecord:
    findings, root = guard.traced(path, arrays=True)
    is_joblib = WRAPPER in findings.names or form not in ("pickle", "gzip")
    module, _, algorithm = root.rpartition(".")
    package = capture.DISTRIBUTIONS.get(module.partition(".")[0], module.partition(".")[0])
    return FlavorRecord(
        name="joblib" if is_joblib else "pickle",
        entry=path.name,
        options={} if form == "pickle" else {"compress": form},
        framework="" if package in ("builtins", "collections") else package,
        algorithm=algorithm,
        globals=tuple(sorted(findings.names)),
    )


def _is_packed_pickle(path: Path, method: str) -> bool:
    try:
        with path.open("rb") as file:
            head = inflated(file, method, size=path.stat().st_size).peek(2)
    except Unreadable:
        return False
    return len(head) > 1 and head[0] == 0x80 and head[1] <= 5


def _names() -> list[str]:
    return sorted(flavor.name for flavor in BUILT_IN)
