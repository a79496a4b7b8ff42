"""Many registrations at a time: models packed and uploaded one after the other, versions made in batches."""

from __future__ import annotations

import hashlib
import json
import mimetypes
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Final

from modelyard.adapters import git
from modelyard.client import arguments, pack, requests
from modelyard.domain import names
from modelyard.domain.canonical import plain
from modelyard.domain.errors import BlobNotFound, InvalidInput, ModelyardError
from modelyard.domain.records import FileEntry, FlavorRecord
from modelyard.domain.spelling import hint, quoted
from modelyard.ports.service import Created, CreateVersion, CreateVersions, RegistryService
from modelyard.settings import Settings

PACKING: Final = ("artifacts", "serialization_format", "compress", "follow_symlinks")
KNOWN: Final = ("files", "flavor", "environment")
"""Keys of an entry whose bytes are in the registry already."""


@dataclass(slots=True)
class Ready:
    """A version that can be registered: what is asked, and the package it was made from, if there was one."""

    request: CreateVersion
    package: pack.Package | None = None


class Batch:
    """Versions that become one commit. A context: packed models lie in temporary folders until it ends.

    Args:
        service: Where they are to be registered.
        settings: As for a single registration.
        location: The registry's own place, which no model may hold.
        progress: Told of every file that is sent.
    """

    def __init__(
        self,
        service: RegistryService,
        settings: Settings,
        location: str,
        progress: pack.ProgressFactory | None = None,
    ) -> None:
        self._service, self._location, self._progress = service, location, progress
        self._settings = settings
        # The work tree is looked at once, not by every package.
        without = replace(settings.versioning, git=replace(settings.versioning.git, enabled=False))
        self._packing = replace(settings, versioning=without)
        self._stack = ExitStack()

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def _commit(self) -> Mapping[str, Any] | None:
        return git.Lookup.start().result() if self._settings.versioning.git.enabled else None

    def add(self, entry: Mapping[str, Any], *, keyed: bool = False) -> Ready:
        """Pack and upload the model of one entry.

        Args:
            entry: Arguments of ``register_model``, or ``files`` and what goes with them.
            keyed: Give it a key that is the same whenever name, facts and bytes are, so that it may be repeated.

        Raises:
            InvalidInput: It has an unknown key, or neither a model nor files.
            BlobNotFound: There are no bytes of that digest.
        """
        given = dict(entry)
        ready = self._over_files(given) if "files" in given else self._over_model(given)
        if keyed:
            ready.request = replace(ready.request, idempotency_key=_key(ready.request))
        return ready

    def _over_model(self, given: dict[str, Any]) -> Ready:
        if "model" not in given:
            raise InvalidInput(
                "expected 'model', or 'files' of which the registry has the bytes; found neither"
            )
        model = given.pop("model")
        packing = {name: given.pop(name, None) for name in PACKING}
        package = self._stack.enter_context(
            pack.open_package(
                model,
                arguments.paths(packing["artifacts"] or {}, "artifacts"),
                self._packing,
                registry=self._location,
                serialization_format=packing["serialization_format"],
                compress=packing["compress"],
                follow_symlinks=bool(packing["follow_symlinks"]),
            )
        )
        request = _built(package, self._settings, given)
        files = pack.upload(self._service, package, self._progress)
        environment = package.environment()
        if self._commit:
            environment["git"] = dict(self._commit)
        ready = replace(
            request, files=files, flavor=pack.with_origin(package, files), environment=environment
        )
        return Ready(ready, package)

    def _over_files(self, given: dict[str, Any]) -> Ready:
        files, flavor, environment = (given.pop(name, None) for name in KNOWN)
        if not isinstance(files, Sequence) or isinstance(files, str) or not files:
            raise InvalidInput(
                'files: expected a list such as [{"path": "model.onnx", "digest": "sha256:..."}]'
            )
        entries = tuple(map(self._file, files))
        package = pack.Package(flavor=_flavor(flavor, entries))
        request = _built(package, self._settings, given)
        return Ready(replace(request, files=entries, environment=environment or {}))

    def _file(self, given: Any) -> FileEntry:
        if isinstance(given, FileEntry):
            return given
        known = {field.name for field in fields(FileEntry)}
        if not isinstance(given, Mapping) or not {"path", "digest"} <= given.keys() <= known:
            raise InvalidInput(
                "files: expected objects with path and digest, and with size, media_type and role if they are known, "
                f"found {given!r:.200}"
            )
        path, digest = names.check_path(given["path"]), names.check_digest(given["digest"])
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        size = given["size"] if given.get("size") is not None else self._size(path, digest)
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise InvalidInput(
                f"files: size of {quoted(path)}: expected a whole number of bytes, found {size!r:.80}"
            )
        return FileEntry(**{"media_type": kind, **given, "path": path, "digest": digest, "size": size})

    def _size(self, path: str, digest: str) -> int:
        info = self._service.find_blob(digest)
        if info is None:
            raise BlobNotFound(
                f"the bytes of {path!r} ({digest}) are not in the store; give the file itself as 'model'",
                data={"digest": digest},
            )
        return info.size

    def send(self, ready: Sequence[Ready]) -> tuple[Created, ...]:
        """Register them, all or none; upload again what a collector took in between.

        Raises:
            ModelyardError: One was refused; ``data["entry"]`` is its place among them, from 1.
        """
        request = CreateVersions(versions=tuple(one.request for one in ready))
        for _ in range(pack.UPLOADS - 1):
            try:
                return self._service.create_versions(request)
            except BlobNotFound:
                packages = [one.package for one in ready if one.package is not None]
                if not packages:
                    raise
                for package in packages:
                    pack.upload(self._service, package, self._progress)
        return self._service.create_versions(request)


def register(
    service: RegistryService,
    settings: Settings,
    location: str,
    entries: Sequence[Mapping[str, Any]],
    *,
    size: int,
    progress: pack.ProgressFactory | None,
) -> list[str]:
    """Register entries batch by batch; see ``ModelRegistry.register_models``."""
    if size < 1:
        raise InvalidInput(f"batch: expected a whole number from 1 to 1,000, found {size}")
    made: list[str] = []
    for start in range(0, len(entries), size):
        with Batch(service, settings, location, progress) as batch:
            ready = [
                _added(batch, start + n, entry) for n, entry in enumerate(entries[start : start + size], 1)
            ]
            try:
                made += [one.model_id for one in batch.send(ready)]
            except ModelyardError as error:
                _place_anew(error, start)
                raise
    return made


def _place_anew(error: ModelyardError, start: int) -> None:
    """Count the entry that an error names among all, not among those of its batch."""
    if (place := error.data.get("entry")) is None:
        return
    error.data["entry"] = place + start
    if (rest := error.detail.removeprefix(f"entry {place} ")) != error.detail:
        error.detail = f"entry {place + start} {rest}"
        error.args = (error.detail,)


def _added(batch: Batch, place: int, entry: Mapping[str, Any]) -> Ready:
    try:
        return batch.add(entry)
    except ModelyardError as error:
        error.data.setdefault("entry", place)
        raise


def _built(package: pack.Package, settings: Settings, given: Mapping[str, Any]) -> CreateVersion:
    if unknown := given.keys() - requests.ARGUMENTS:
        name = min(unknown, key=str)
        raise InvalidInput(f"unknown key {quoted(str(name))}.{hint(str(name), requests.ARGUMENTS)}")
    if "name" not in given:
        raise InvalidInput("'name' is missing: say which model this is a version of")
    return requests.build(package, settings, **given)


def _flavor(given: Any, files: Sequence[FileEntry]) -> FlavorRecord:
    """As given, else plain files that are handed out as they are."""
    if isinstance(given, FlavorRecord):
        return given
    known = {field.name for field in fields(FlavorRecord)}
    if isinstance(given, Mapping) and {"name", "entry"} <= given.keys() <= known:
        return FlavorRecord(**{**given, "globals": tuple(given.get("globals", ()))})
    if given is not None:
        raise InvalidInput(
            f'flavor: expected an object such as {{"name": "onnx", "entry": "model.onnx"}}, found {given!r:.80}'
        )
    if len(files) == 1:
        return FlavorRecord(name="file", entry=files[0].path)
    return FlavorRecord(name="directory", entry=".")


def _key(request: CreateVersion) -> str:
    body = plain(replace(request, environment={}, flavor=None))
    return f"bulk-{hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()}"
