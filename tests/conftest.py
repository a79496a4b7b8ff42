"""What every test gets: which outside services there are, and the rule that a required one may not be missing.

``MODELYARD_REQUIRE=all`` (or a comma-separated list of names) turns a skip that names such a service into a failure,
so that a green run where everything is required has really run everything.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

# Machines are busy; how long one example takes says nothing about the law.
settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")

HEAVY = (
    "flavors/test_keras.py",
    "flavors/test_spacy.py",
    "flavors/test_torch.py",
    "flavors/test_transformers.py",
    "registry/test_frameworks.py",
)

SERVICES: Mapping[str, tuple[Callable[[], bool], str]] = {
    "strace": (lambda: shutil.which("strace") is not None, "injects failing and interrupted system calls"),
    "mkfs.xfs": (lambda: shutil.which("mkfs.xfs") is not None, "makes a file system that shares blocks"),
    "root": (lambda: os.geteuid() == 0, "mounts small and read-only disks"),
}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the files of heavy frameworks out of a quick run: all in them is ``long``, and one need not import to know."""
    quick = config.option.markexpr == "not long"
    return True if quick and collection_path.as_posix().endswith(HEAVY) else None


def required() -> set[str]:
    """Names of services that must be there, from the environment."""
    named = {word.strip() for word in os.environ.get("MODELYARD_REQUIRE", "").split(",")} - {""}
    if unknown := named - set(SERVICES) - {"all"}:
        raise pytest.UsageError(
            f"MODELYARD_REQUIRE names {', '.join(sorted(unknown))}; known are all, {', '.join(SERVICES)}"
        )
    return set(SERVICES) if "all" in named else named


def pytest_report_header() -> list[str]:
    """One line per service: is it there, must it be, what for."""
    must = required()
    return [
        f"service {name}: {'present' if there() else 'MISSING'}, "
        f"{'required' if name in must else 'optional'} ({purpose})"
        for name, (there, purpose) in SERVICES.items()
    ]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: pytest.TestReport = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr)
        missing = [name for name in required() if name in reason]
        if missing:
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: {', '.join(missing)} is required here, but: {reason}"
    return report
