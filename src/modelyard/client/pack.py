"""From what the user has (an object, a file, a folder, a stream) to files in the store and a version over them."""

from __future__ import annotations

import mimetypes
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from modelyard.adapters import git
from modelyard.client.staging import staging
from modelyard.domain import names
from modelyard.domain.errors import BlobNotFound, InvalidInput, InvalidPath
from modelyard.domain.records import FileEntry, FlavorRecord, ModelVersion
from modelyard.flavors import detect, environment, origin
from modelyard.ports.flavors import SaveOptions
from modelyard.ports.service import CreateVersion, RegistryService
from modelyard.ports.service import ProgressFactory as ProgressFactory
from modelyard.settings import Settings

UPLOADS = 3
"""Tries at uploading what a collector took away between upload and registration."""


@dataclass(slots=True)
class Package:
    """A model ready to be uploaded.

    Attributes:
        sources: Path inside the version -> local file and role.
        flavor: How the model files are read; ``None`` for a version without files.
        live: The object it was made from, if it was one.
        git: Commit, branch and dirty flag, being looked up while the model is packed.
    """

    sources: dict[str, tuple[Path, str]] = field(default_factory=dict)
    flavor: FlavorRecord | None = None
    live: object | None = None
    git: git.Lookup | None = None

    @property
    def framework(self) -> str:
        return self.flavor.framework if self.flavor else ""

    @property
    def algorithm(self) -> str:
        return self.flavor.algorithm if self.flavor else ""

    @property
    def hyperparams(self) -> Mapping[str, Any]:
        return self.flavor.hyperparams if self.flavor else {}

    def environment(self) -> dict[str, Any]:
        """Where it was made: interpreter, packages that its classes belong to, code commit."""
        facts = environment.capture(self.flavor, self.live)
        commit = self.git.result() if self.git else None
        return {**facts, "git": commit} if commit else facts


@contextmanager
def open_package(
    model: Any,
    artifacts: Mapping[str, str | os.PathLike[str]],
    settings: Settings,
    *,
    registry: str,
    serialization_format: str | None,
    compress: Any,
    follow_symlinks: bool,
) -> Iterator[Package]:
    """Pack a model into a temporary folder, or point at files where they are; cleaned up afterwards.

    Raises:
        InvalidInput: An empty path, or a directory that is, holds or lies inside the folder ``registry``.
    """
    package = Package(git=git.Lookup.start() if settings.versioning.git.enabled else None)
    options = SaveOptions(compress=settings.compress_level if compress is None else compress)
    wanted = serialization_format or settings.persistence.serialization_format
    with ExitStack() as stack:
        if package.git is not None:
            stack.callback(package.git.abandon)
        if isinstance(model, str | os.PathLike):
            _pack_path(package, _outside(_path_of(model), registry), follow_symlinks, serialization_format)
        elif model is not None:
            _pack_object(package, model, stack.enter_context(staging()), wanted, options)
        for path, source in artifacts.items():
            _add(package, names.check_path(path), Path(source), "artifact")
        names.check_paths(package.sources)
        yield package


def _path_of(given: str | os.PathLike[Any]) -> Path:
    """``Path("")`` is the working directory, which nobody means who passes an empty variable."""
    text = os.fspath(given)
    if not isinstance(text, str) or not text:
        raise InvalidInput(
            f"model: expected a path, found {text!r}. Pass a file, a directory or the object itself."
        )
    return Path(text)


def _outside(path: Path, registry: str) -> Path:
    """Refuse a directory that would put the registry into itself."""
    if "://" in registry or not path.is_dir():
        return path
    given, own = path.resolve(), Path(registry).expanduser().resolve()
    if given.is_relative_to(own) or own.is_relative_to(given):
        relation = "is" if given == own else "lies inside" if given.is_relative_to(own) else "holds"
        raise InvalidInput(
            f"the directory {str(path)!r} {relation} the registry's own folder {str(own)!r}; "
            "register a directory that holds the model alone"
        )
    return path


def _pack_object(
    package: Package, model: Any, folder: Path, wanted: str | None, options: SaveOptions
) -> None:
    """A live object by its flavor, or a readable binary file by its content."""
    if hasattr(model, "read"):
        _pack_path(package, _spool(model, folder), follow_symlinks=False)
        return
    package.flavor = detect.flavor_for(model, wanted).save(model, folder, options)
    package.live = model
    entries = list(os.scandir(folder))
    if any(entry.is_dir() for entry in entries):
        _add_folder(package, folder, follow_symlinks=False)
    else:  # Nearly always: and walking with all its checks costs four times this.
        package.sources |= {entry.name: (Path(entry.path), "model") for entry in entries}


def _pack_path(package: Package, path: Path, follow_symlinks: bool, wanted: str | None = None) -> None:
    if path.is_dir():
        package.flavor = detect.flavor_of_path(path, wanted)
        _add_folder(package, path, follow_symlinks)
        if not package.sources:
            raise InvalidInput(f"the directory {str(path)!r} holds no files")
        return
    if not path.exists():
        raise InvalidInput(
            f"there is no file or directory {str(path)!r}. A text is taken as a path; "
            "to register an object, pass the object itself"
        )
    _add(package, names.check_path(path.name), path, "model")
    package.flavor = detect.flavor_of_path(path, wanted)


def _spool(stream: Any, folder: Path) -> Path:
    """A readable binary file, copied in pieces. Its name's last part is kept where it has one."""
    given = getattr(stream, "name", None)
    name = Path(given).name if isinstance(given, str) and given else "model.bin"
    target = folder / names.check_path(name)
    with target.open("xb") as copy:
        first = stream.read(0)
        if not isinstance(first, bytes):
            raise InvalidInput("a model file must be opened in binary mode ('rb'), not as text")
        shutil.copyfileobj(stream, copy, 1 << 20)
    return target


def _add_folder(package: Package, root: Path, follow_symlinks: bool) -> None:
    """Every regular file below a folder; links, sockets and devices are named and refused."""
    inside = root.resolve()
    for folder, folders, filenames in os.walk(root, onerror=_unreadable, followlinks=follow_symlinks):
        for entry in (Path(folder) / d for d in folders if (Path(folder) / d).is_symlink()):
            _check_link(entry, inside, follow_symlinks)
        for filename in sorted(filenames):
            source = Path(folder) / filename
            path = source.relative_to(root).as_posix()
            if source.is_symlink():
                _check_link(source, inside, follow_symlinks)
                source = source.resolve()
            _add(package, names.check_path(path), source, "model")


def _unreadable(error: OSError) -> NoReturn:
    """A folder that cannot be listed would be left out in silence: the version would be less than what was given."""
    raise InvalidInput(f"{str(error.filename)!r} cannot be read: {error.strerror}") from error


def _check_link(link: Path, inside: Path, follow_symlinks: bool) -> None:
    target = link.resolve()
    if not follow_symlinks:
        raise InvalidPath(
            f"{str(link)!r} is a symbolic link (to {str(target)!r}); copy the file in, or pass follow_symlinks=True "
            "for links that stay inside the directory"
        )
    if not target.is_relative_to(inside):
        raise InvalidPath(f"{str(link)!r} leads out of the directory, to {str(target)!r}; it is not followed")


def _add(package: Package, path: str, source: Path, role: str) -> None:
    try:
        mode = source.stat().st_mode
    except OSError as error:
        raise InvalidInput(f"{str(source)!r} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise InvalidPath(
            f"{str(source)!r} is not a regular file (a socket, pipe or device?) and cannot be registered"
        )
    if path in package.sources:
        raise InvalidPath(f"two files of the version would be called {path!r}; rename one")
    package.sources[path] = (source, role)


def upload_and_create(
    service: RegistryService, package: Package, request: CreateVersion, progress: ProgressFactory | None
) -> ModelVersion:
    """Upload what is missing and register; upload again if a collector came in between."""
    environment: dict[str, Any] | None = None
    for attempt in range(UPLOADS):
        files = upload(service, package, progress)
        if environment is None:  # after the upload: looking for the code commit goes on beside it
            environment = package.environment()
        ready = replace(request, environment=environment, files=files, flavor=with_origin(package, files))
        try:
            return service.create_version(ready)
        except BlobNotFound:
            if attempt == UPLOADS - 1:
                raise
    raise AssertionError("unreachable")


def upload(
    service: RegistryService, package: Package, progress: ProgressFactory | None
) -> tuple[FileEntry, ...]:
    """Store every file of a package; what is there already is not sent again."""
    return tuple(_upload(service, path, *source, progress) for path, source in package.sources.items())


def _upload(
    service: RegistryService, path: str, source: Path, role: str, progress: ProgressFactory | None
) -> FileEntry:
    callback = progress(path, source.stat().st_size) if progress else None
    info = service.put_file(source, progress=callback)
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return FileEntry(path=path, size=info.size, digest=info.digest, media_type=kind, role=role)


def with_origin(package: Package, files: tuple[FileEntry, ...]) -> FlavorRecord | None:
    """Proof that this user made these bytes from a live object, so that the classes in them are this user's own."""
    flavor = package.flavor
    if flavor is None or package.live is None or not flavor.globals:
        return flavor
    opened = origin.subject(flavor.entry, files)
    proof = origin.sign(opened, flavor.globals) if opened else ""
    return replace(flavor, options={**flavor.options, "origin": proof}) if proof else flavor
