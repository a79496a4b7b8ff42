"""Which installed packages a model belongs to, and what those need."""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard.domain.records import FlavorRecord
from modelyard.flavors import capture, environment


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder on the path, and no memory of what was installed."""
    monkeypatch.syspath_prepend(str(tmp_path))
    cached = (
        capture.installed,
        environment._required,
        environment._dependencies,
        environment._distribution,
    )
    for known in cached:
        known.cache_clear()
    yield tmp_path
    for known in cached:
        known.cache_clear()


def install(site: Path, name: str, version: str, *requires: str) -> None:
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {line}" for line in requires)]
    (folder / "METADATA").write_text(
        "\n".join(["Metadata-Version: 2.1", *lines, "", "Version: 9\nRequires-Dist: evil"])
    )


def test_the_packages_of_the_models_modules_are_named() -> None:
    names = ("sklearn.base.X", "numpy.dtype", "os.path", "__main__.Y", "no_such.Z")
    facts = environment.capture(FlavorRecord(name="file", globals=names))
    assert set(facts) == {"python", "implementation", "platform", "host", "user", "packages", "dependencies"}
    assert set(facts["packages"]) == {"numpy", "scikit-learn"}
    assert facts["python"] == "{}.{}.{}".format(*sys.version_info)
    json.dumps(facts)


def test_the_library_that_wrote_it_and_the_framework_count_too() -> None:
    facts = environment.capture(FlavorRecord(name="joblib", framework="scikit-learn"))
    assert set(facts["packages"]) == {"joblib", "scikit-learn"}
    live = environment.capture(None, importlib.metadata.Distribution())
    assert (live["packages"], environment.capture(None)["packages"]) == ({}, {})


def test_a_file_is_not_taken_for_a_package_of_that_name(site: Path) -> None:
    install(site, "file", "1.0")
    install(site, "directory", "1.0")
    for name in ("file", "directory"):
        assert environment.capture(FlavorRecord(name=name))["packages"] == {}


def test_what_the_packages_need_is_followed_to_the_end(site: Path) -> None:
    install(
        site,
        "top",
        "1.0",
        "middle>=1",
        "Also.This",
        "absent ; sys_platform == 'nowhere'",
        "dev; extra == 'test'",
    )
    install(site, "middle", "2.0", "deep[fast] (>=1)", "top", "also-this")
    install(site, "deep", "3.0", "middle", "tool ; python_version > '3' and extra in 'a b'")
    install(site, "also-this", "4.0")
    install(site, "dev", "5.0")
    install(site, "tool", "6.0")
    assert environment.dependencies(["top"]) == {"also-this": "4.0", "deep": "3.0", "middle": "2.0"}
    assert environment.dependencies(["top", "deep", "absent"]) == {"also-this": "4.0", "middle": "2.0"}
    assert environment.dependencies([]) == {}


def test_only_the_headers_of_the_metadata_count(site: Path) -> None:
    install(site, "top", "1.0")
    assert capture.installed("top") == ("1.0", ())
    assert capture.installed("") == capture.installed("absent") == ("", ())


def test_an_egg_is_read_too(site: Path) -> None:
    folder = site / "old-1.0.egg-info"
    folder.mkdir()
    (folder / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: old\nVersion: 1.0\n")
    (folder / "requires.txt").write_text("numpy>1\n")
    assert capture.installed("old") == ("1.0", ("numpy>1",))
    assert list(environment.dependencies(["old"])) == ["numpy"]


def test_headers_are_read_as_the_standard_library_reads_them() -> None:
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        same = importlib.metadata.distribution(name)
        assert capture.installed(name) == (same.version, tuple(same.requires or ()))


def test_another_environment_is_described_in_the_terms_of_the_recorded_one() -> None:
    here = environment.here({"packages": {"numpy": "0", "no-such-thing": "1", "ü\n": "1", "": "2"}})
    assert here["packages"] == {"numpy": importlib.metadata.version("numpy")}
    assert re.fullmatch(r"3\.\d+\.\d+", here["python"])
    assert environment.here({"packages": "odd"})["packages"] == {}
