"""From a version to a model in memory or files on disk: verified first, then opened, under the load contract."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from modelyard.adapters.blobs.faults import storage_errors
from modelyard.domain.answers import Rollback
from modelyard.domain.errors import AlreadyExists, LoadRefused, NotFound
from modelyard.domain.names import check_path
from modelyard.domain.records import FlavorRecord, ModelVersion, ScanReport
from modelyard.flavors import named, origin
from modelyard.ports.flavors import Trust
from modelyard.ports.service import ProgressFactory, RegistryService, RollBack
from modelyard.scanning import rules
from modelyard.settings import Settings

_FIELDS = tuple(field.name for field in fields(ModelVersion))
_VALUES = attrgetter(*_FIELDS)
_PUT = {name: getattr(ModelVersion, name).__set__ for name in _FIELDS}
RAW = ("file", "directory")
"""Flavors whose load gives a path, so the files have to stay."""


def locate(service: RegistryService, version: ModelVersion) -> ModelVersion:
    """The version with ``artifact_path``: the local file its flavor opens, else an opaque address."""
    if not version.files:
        return version
    entry = version.flavor.entry if version.flavor else ""
    main = next((f for f in version.files if f.path == entry), version.files[0])
    path = service.location(main.digest)
    return placed(version, str(path) if path else f"modelyard:{version.digest}/{main.path}")


def placed(version: ModelVersion, path: str) -> ModelVersion:
    """``replace(version, artifact_path=path)`` at half its price, which a list pays for every version."""
    copy = object.__new__(ModelVersion)
    for put, value in zip(_PUT.values(), _VALUES(version), strict=True):
        put(copy, value)
    _PUT["artifact_path"](copy, path)
    return copy


def load(
    service: RegistryService,
    version: ModelVersion,
    settings: Settings,
    *,
    trust: tuple[str, ...] = (),
    form: str = "",
    progress: ProgressFactory | None = None,
) -> Any:
    """Verify every model file against the manifest, then let the flavor build the model, in another form if asked."""
    record = _loadable(version)
    allowance = _trust(version, record, settings, trust)
    if record.name in RAW:
        return named.load(_kept(service, version, progress), record, allowance, form)
    _compare(service, version)
    with _folder(service, version, record, progress) as folder:
        try:
            return named.load(folder, record, allowance, form)
        except LoadRefused as refused:
            raise _advised(refused, service.get_model(version.name).policy.trust) from refused


def _compare(service: RegistryService, version: ModelVersion) -> None:
    """Warn of another environment, or refuse it."""
    from modelyard.client import environments  # 2 ms that only loading pays

    environments.check(service, version)


def _advised(refused: LoadRefused, declared: tuple[str, ...]) -> LoadRefused:
    """The refusal, with what the model's team says that it needs, where that would help.

    It is a declaration only: whoever can write to a registry could otherwise open the loader for everybody else.
    """
    names = refused.data.get("globals", ())
    helpful = any(rules.matches(name, declared) for name in names)
    if not helpful or any(rules.denied(name) for name in names):
        return refused
    return LoadRefused(
        f"{refused.detail} The model's policy says it needs trust={list(declared)!r}; whether you trust that is "
        "for you to say.",
        reasons=refused.reasons,
        data={**refused.data, "declared": list(declared)},
    )


def _loadable(version: ModelVersion) -> FlavorRecord:
    """The flavor's record, unless there is nothing to load or the scan forbids it."""
    subject = f"{version.name}:{version.version}"
    if version.flavor is None or not version.files:
        raise NotFound(f"{subject} has no model files to load; it holds facts only")
    for path, report in version.scans.items():
        if report.verdict in ("unsafe", "error"):
            raise LoadRefused(
                f"{subject} is not loaded: {path} was judged {report.verdict!r} at registration",
                reasons=report.reasons,
                data={"globals": list(report.globals), "check": "scan"},
            )
    return version.flavor


def _trust(
    version: ModelVersion,
    record: FlavorRecord,
    settings: Settings,
    trust: tuple[str, ...],
) -> Trust:
    """What may be looked up: pinned at registration, and allowed by the call, the settings or this user's own origin.

    Nothing that lies in the registry takes part: a policy or an import could come from anybody.
    """
    report = version.scans.get(record.entry) or ScanReport(verdict="unknown")
    pinned = set(report.globals) if report.globals else set(record.globals)
    opened = origin.subject(record.entry, version.files)
    proof = str(record.options.get("origin", ""))
    own = bool(opened and proof and origin.proves(opened, record.globals, proof))
    return Trust(
        pinned=frozenset(pinned),
        allowed=(*settings.security.trust, *trust),
        own=frozenset(record.globals) if own else frozenset(),
    )


@contextmanager
def _folder(
    service: RegistryService, version: ModelVersion, record: FlavorRecord, progress: ProgressFactory | None
) -> Iterator[Path]:
    """The model files, for as long as the flavor needs them: some models import code from theirs much later."""
    if record.options.get("keeps_files"):
        yield _kept(service, version, progress)
        return
    with _opened(service, version, progress) as folder:
        yield folder


@contextmanager
def _opened(
    service: RegistryService, version: ModelVersion, progress: ProgressFactory | None
) -> Iterator[Path]:
    """A folder in which the model files have their own names: links to verified bytes, or verified copies."""
    with tempfile.TemporaryDirectory(prefix="modelyard-load-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for entry in version.files:
            if entry.role != "model":
                continue
            target = folder / check_path(entry.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            path = service.verified(entry.digest)
            if path is not None:
                target.symlink_to(path)
            else:
                _copy(service, entry.digest, target, entry.path, entry.size, progress)
        yield folder


def _copy(
    service: RegistryService,
    digest: str,
    target: Path,
    title: str,
    size: int,
    progress: ProgressFactory | None,
) -> None:
    service.materialise(digest, target, progress(title, size) if progress else None)


def _kept(service: RegistryService, version: ModelVersion, progress: ProgressFactory | None) -> Path:
    """Verified files that outlive this call, in the user's cache.

    A copy that is there and still has the right bytes is used again; one that somebody changed is left to them, and
    a new one is made beside it.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelyard" / "files"
    with storage_errors("making a folder in the user's cache"):
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        target = root / version.model_id
        if target.exists():
            if _is_intact(version, target):
                return target
            target = Path(tempfile.mkdtemp(prefix=f"{version.model_id}-", dir=root))
    return download(service, version, target, progress=progress)


def _is_intact(version: ModelVersion, folder: Path) -> bool:
    """Whether a folder holds exactly a version's files, read to the last byte."""
    wanted = {entry.path: entry.digest for entry in version.files}
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return found.keys() == wanted.keys() and all(
        f"sha256:{_sha256(path)}" == wanted[name] for name, path in found.items()
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(
    service: RegistryService,
    version: ModelVersion,
    target: Path,
    *,
    progress: ProgressFactory | None = None,
) -> Path:
    """All files, verified, below ``target``: whole or not at all. ``target`` must be new or an empty directory."""
    if not version.files:
        raise NotFound(f"{version.name}:{version.version} has no files to download; it holds facts only")
    with storage_errors(f"downloading to {str(target)!r}"):
        return _download(service, version, target, progress)


def _download(
    service: RegistryService, version: ModelVersion, target: Path, progress: ProgressFactory | None
) -> Path:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise AlreadyExists(f"{str(target)!r} exists and is not an empty directory; choose a new one")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for entry in version.files:
            place = partial / check_path(entry.path)
            place.parent.mkdir(parents=True, exist_ok=True)
            _copy(service, entry.digest, place, entry.path, entry.size, progress)
        partial.chmod(0o755)
        partial.replace(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return target


def roll_back(
    service: RegistryService,
    request: RollBack,
    settings: Settings,
    *,
    trust: tuple[str, ...] = (),
    check_load: bool = True,
) -> Rollback:
    """Plan, prove by loading in a subprocess, then move.

    A candidate that does not load ends it: the plan is made again only to say what could be gone back to instead.
    """
    plan = service.roll_back(replace(request, drill=True))
    candidate = plan.candidate
    evidence = check(service, candidate, settings, trust) if candidate and check_load else None
    if candidate is not None and evidence is not None and not evidence["ok"]:
        skip = {candidate.model_id: f"it does not load: {evidence['error']}"}
        plan = service.roll_back(replace(request, drill=True, skip=skip))
    if request.drill:
        return replace(plan, load_check=evidence)
    if plan.candidate is None:
        raise plan.refusal()
    return service.roll_back(replace(request, load_check=evidence, expected=plan.incumbent.model_id))


def check(
    service: RegistryService, version: ModelVersion, settings: Settings, trust: tuple[str, ...] = ()
) -> dict[str, Any] | None:
    """Load a version in a subprocess and say how that went; ``None`` if it has nothing to load."""
    from modelyard.flavors import loadcheck

    if version.flavor is None or not version.files or version.flavor.name in RAW:
        return None
    try:
        record = _loadable(version)
        allowance = _trust(version, record, settings, trust)
        _compare(service, version)
    except LoadRefused as refused:
        return {"ok": False, "error": str(refused)}
    with _opened(service, version, None) as folder:
        return loadcheck.run(folder, record, allowance)
