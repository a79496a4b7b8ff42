"""``modelyard load``: a verified copy of the model itself."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelyard.cli import figures, refs
from modelyard.cli.options import verb, version_options
from modelyard.cli.session import Session
from modelyard.domain.errors import AlreadyExists, NotFound, StorageError
from modelyard.domain.records import ModelVersion

if TYPE_CHECKING:
    from modelyard.registry import ModelRegistry


@verb("load")
@version_options
@click.option("--output", required=True, metavar="PATH", help="File to write; or a directory to put it into.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
def command(
    session: Session,
    ref: str | None,
    model_name: str | None,
    label: str | None,
    output: str,
    overwrite: bool,
) -> None:
    """Nothing is unpickled: what arrives are the bytes that were registered, checked against their digests.

    Example: modelyard load fraud@production --output model.joblib
    """
    wanted = refs.chosen(ref, model_name, label)
    registry = session.open()
    version = registry.get_model(wanted)
    target = copy_out(registry, version, Path(output), overwrite=overwrite)
    session.done(
        {"path": str(target), "version": version},
        f"wrote {target} ({figures.size(_model_size(version))}) from {refs.spelled(version)}, verified",
    )


def _model_size(version: ModelVersion) -> int:
    return sum(file.size for file in version.files if file.role == "model")


def copy_out(registry: ModelRegistry, version: ModelVersion, output: Path, *, overwrite: bool) -> Path:
    """The model's one file at ``output``, or its several files in a directory there; whole or not at all.

    Raises:
        NotFound: The version has no model file.
        AlreadyExists: Something is at ``output``.
        StorageError: The folder cannot be written.
    """
    names = [file.path for file in version.files if file.role == "model"]
    if not names:
        raise NotFound(f"{refs.spelled(version)} has no model file: it was registered with facts alone.")
    single = version.flavor is None or version.flavor.name != "directory"
    single = single and len(names) == 1
    target = output / Path(names[0]).name if single and output.is_dir() else output
    _check_free(target, overwrite=overwrite and single)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".modelyard-", dir=target.parent) as scratch:
            copied = registry.download(version.model_id, Path(scratch) / "files")
            if single:
                os.replace(copied / names[0], target)
            else:
                _drop_others(copied, set(names))
                copied.rename(target)
    except FileExistsError as error:
        raise AlreadyExists(f"'{target}' appeared while copying; nothing was written.") from error
    except OSError as error:
        raise StorageError(f"'{target}' cannot be written: {error.strerror or error}.") from error
    return target


def _check_free(target: Path, *, overwrite: bool) -> None:
    if target.is_dir() and any(target.iterdir()):
        raise AlreadyExists(f"'{target}' is a directory with files in it; name a new one.")
    if target.exists() and not target.is_dir() and not overwrite:
        raise AlreadyExists(f"'{target}' is there already; give another --output, or --overwrite.")


def _drop_others(directory: Path, wanted: set[str]) -> None:
    """Leave only the model's own files: what travelled along is got with ``download``."""
    for path in [p for p in directory.rglob("*") if p.is_file()]:
        if path.relative_to(directory).as_posix() not in wanted:
            path.unlink()
    for folder in sorted((p for p in directory.rglob("*") if p.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            shutil.rmtree(folder)
