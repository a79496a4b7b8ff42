"""From objects, files, folders and streams to versions."""

import io
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from modelyard import BlobNotFound, InvalidInput, InvalidPath, ModelRegistry, Settings
from modelyard.client import pack
from modelyard.settings.model import GitSettings


class Odd:
    """A stream with any name."""

    def __init__(self, data, name):
        self.file, self.name = io.BytesIO(data), name

    def read(self, size=-1):
        return self.file.read(size)


def test_an_object_is_written_by_the_flavor_that_fits_it(registry):
    version = registry.get_model(registry.register_model({"a": [1, 2]}, "fraud"))
    assert version.flavor.name == "pickle"
    assert registry.load_model("fraud") == {"a": [1, 2]}


def test_a_file_keeps_its_name_and_bytes(registry, tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"weights")
    version = registry.get_model(registry.register_model(tmp_path / "net.onnx", "fraud"))
    assert [(f.path, f.size, f.role) for f in version.files] == [("net.onnx", 7, "model")]
    assert registry.get_model(
        registry.register_model(str(tmp_path / "net.onnx"), "fraud")
    ).content_digest == (version.content_digest)


def test_a_folder_keeps_its_shape(registry, tmp_path):
    for name in ("b/deep/w.bin", "a.json", "c.txt"):
        (tmp_path / "net" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "net" / name).write_text(name)
    version = registry.get_model(registry.register_model(tmp_path / "net", "fraud"))
    assert [f.path for f in version.files] == ["a.json", "b/deep/w.bin", "c.txt"]
    assert [f.media_type for f in version.files] == [
        "application/json",
        "application/octet-stream",
        "text/plain",
    ]


@pytest.mark.parametrize("empty", ["", b"model.bin"])
def test_an_empty_path_is_not_the_working_directory(registry, empty, tmp_path):
    class Given(os.PathLike):
        def __fspath__(self):
            return empty

    (tmp_path / "secret.txt").write_text("of the working directory")
    for given in (empty, Given()) if isinstance(empty, str) else (Given(),):
        with pytest.raises(InvalidInput, match="expected a path"):
            registry.register_model(given, "fraud")
    assert registry.list_names() == []


def test_a_registry_is_never_registered_into_itself(tmp_path):
    with ModelRegistry(tmp_path / "team" / "registry") as registry:
        registry.register_model({"a": 1}, "small")
        (tmp_path / "link").symlink_to(tmp_path / "team")
        inside = next(p for p in (tmp_path / "team" / "registry").iterdir() if p.is_dir())
        for given in (registry.location, tmp_path / "team", inside, tmp_path / "link", "."):
            with pytest.raises(InvalidInput, match="the registry's own folder"):
                registry.register_model(given, "fraud")
        (tmp_path / "team" / "registry-2").mkdir()
        (tmp_path / "team" / "registry-2" / "w.bin").write_bytes(b"weights")
        assert registry.register_model(tmp_path / "team" / "registry-2", "fraud")


def test_an_empty_folder_and_a_missing_file_are_refused(registry, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="holds no files"):
        registry.register_model(tmp_path / "empty", "fraud")
    with pytest.raises(InvalidInput, match="to register an object, pass the object itself"):
        registry.register_model("no such file", "fraud")


@pytest.mark.parametrize(
    ("name", "path"),
    [("/deep/down/net.bin", "net.bin"), ("", "model.bin"), (7, "model.bin"), (None, "model.bin")],
)
def test_a_stream_is_called_by_the_last_part_of_its_name(registry, name, path):
    version = registry.get_model(registry.register_model(Odd(b"weights", name), "fraud"))
    assert [f.path for f in version.files] == [path]


def test_a_stream_without_a_name_and_an_open_file_will_do(registry, tmp_path):
    assert (
        registry.get_model(registry.register_model(io.BytesIO(b"x" * 3_000_000), "fraud")).size == 3_000_000
    )
    (tmp_path / "net.bin").write_bytes(b"weights")
    with (tmp_path / "net.bin").open("rb") as file:
        assert registry.get_model(registry.register_model(file, "fraud")).files[0].path == "net.bin"


def test_text_is_no_model_file(registry):
    with pytest.raises(InvalidInput, match="binary mode"):
        registry.register_model(io.StringIO("text"), "fraud")


def test_artifacts_travel_along_and_may_not_take_a_name_twice(registry, tmp_path):
    (tmp_path / "net.bin").write_bytes(b"weights")
    (tmp_path / "plot.png").write_bytes(b"picture")
    version = registry.get_model(
        registry.register_model(
            tmp_path / "net.bin", "fraud", artifacts={"plots/roc.png": tmp_path / "plot.png"}
        )
    )
    assert [(f.path, f.role) for f in version.files] == [("net.bin", "model"), ("plots/roc.png", "artifact")]
    with pytest.raises(InvalidPath, match="two files"):
        registry.register_model(tmp_path / "net.bin", "fraud", artifacts={"net.bin": tmp_path / "plot.png"})
    with pytest.raises(InvalidInput, match="cannot be read"):
        registry.register_model(None, "fraud", artifacts={"a": tmp_path / "nowhere"})


def test_facts_alone_make_a_version_too(registry):
    version = registry.get_model(registry.register_model(None, "fraud", hyperparams={"depth": 3}))
    assert (version.files, version.flavor, version.artifact_path) == ((), None, "")
    assert version.environment["python"]


def test_nothing_is_left_of_a_packing_that_failed(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", None)
    with pytest.raises((InvalidInput, pickle.PicklingError, AttributeError, TypeError)):
        registry.register_model(lambda: None, "fraud")
    assert list((tmp_path / "scratch").iterdir()) == []
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_bytes_that_a_collector_took_are_uploaded_again(registry, monkeypatch):
    service, create = registry._service, registry._service.create_version
    left = [2]

    def collected_first(request):
        left[0] -= 1
        if left[0] >= 0:
            raise BlobNotFound("collected meanwhile")
        return create(request)

    monkeypatch.setattr(service, "create_version", collected_first)
    assert registry.register_model(io.BytesIO(b"weights"), "fraud")
    left[0] = 99
    with pytest.raises(BlobNotFound):
        registry.register_model(io.BytesIO(b"weights"), "fraud")
    assert left[0] == 99 - pack.UPLOADS


def test_progress_is_told_per_file_in_bytes(registry, tmp_path):
    told = {}
    registry.progress = lambda title, size: lambda done: told.setdefault((title, size), []).append(done)
    (tmp_path / "net.bin").write_bytes(os.urandom(3_000_000))
    registry.register_model(tmp_path / "net.bin", "fraud")
    registry.download("fraud", tmp_path / "copy")
    assert {key: sum(done) for key, done in told.items()} == {("net.bin", 3_000_000): 6_000_000}


def test_git_is_looked_up_only_where_it_is_wanted(folder):
    settings = Settings()
    assert settings.versioning.git.enabled
    with ModelRegistry(folder, config=settings) as registry:
        assert "git" not in registry.get_model(registry.register_model(None, "fraud")).environment
    Path(".git").mkdir()  # none that git could read
    with ModelRegistry(folder, config=settings) as registry:
        state = registry.get_model(registry.register_model(None, "fraud")).environment["git"]
        assert list(state) == ["unknown"]
    settings = replace(settings, versioning=replace(settings.versioning, git=GitSettings(enabled=False)))
    with ModelRegistry(folder, config=settings) as registry:
        assert "git" not in registry.get_model(registry.register_model(None, "fraud")).environment


WITHOUT_POWERS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--")


def test_a_folder_that_cannot_be_read_to_its_end_is_refused_and_not_cut_short(tmp_path):
    """In a process of its own, because to root every folder is open."""
    if os.geteuid() == 0 and shutil.which(WITHOUT_POWERS[0]) is None:
        pytest.skip("root needs setpriv to be like anybody")
    (tmp_path / "net" / "inner").mkdir(parents=True)
    (tmp_path / "net" / "w.bin").write_bytes(b"weights")
    (tmp_path / "net" / "inner").chmod(0)
    program = [sys.executable, "-m", "modelyard", "register", "net", "--name", "fraud"]
    command = [*WITHOUT_POWERS, *program] if os.geteuid() == 0 else program
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    (tmp_path / "net" / "inner").chmod(0o700)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "'net/inner' cannot be read: Permission denied" in ran.stderr
