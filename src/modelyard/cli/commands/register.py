"""``modelyard register``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelyard.cli import inputs, refs
from modelyard.cli.inputs import json_object
from modelyard.cli.options import stage_option, verb
from modelyard.cli.session import Session
from modelyard.domain.errors import ModelyardError

if TYPE_CHECKING:
    from modelyard.registry import ModelRegistry


@verb("register")
@click.argument("file", required=False)
@click.option("--model-path", metavar="PATH", help="File or directory of the model.")
@click.option("--no-files", is_flag=True, help="Register facts without any file.")
@click.option("--name", required=True, help="Name of the model; made if new.")
@click.option("--version", metavar="LABEL", help="Label such as 1.4.0; without it the next one.")
@stage_option("--stage", text="Where to start; above development through the gates.")
@click.option("--description", default="", help="What it is.")
@click.option("--metrics", type=json_object, metavar="JSON|FILE", help="Such as '{\"accuracy\": 0.92}'.")
@click.option("--params", multiple=True, metavar="KEY=VALUE|JSON", help="Hyperparameters; repeat.")
@click.option(
    "--tags", "--tag", multiple=True, metavar="KEY=VALUE|JSON", help="Short texts to find it by; repeat."
)
@click.option("--attributes", type=json_object, metavar="JSON|FILE", help="Any other facts.")
@click.option("--data-lineage", type=json_object, metavar="JSON|FILE", help="What it was trained on.")
@click.option(
    "--lineage", multiple=True, metavar="KIND=TARGET", help="A link, such as dataset=s3://data; repeat."
)
@click.option("--parent", metavar="REF", help="The version it was made from.")
@click.option("--alias", help="Point this alias at it in the same step.")
@click.option(
    "--artifact", "artifacts", multiple=True, metavar="[NAME=]PATH", help="A file that travels along; repeat."
)
@click.option("--format", "format_", metavar="FLAVOR", help="How the file is written, if not plain to see.")
@click.option("--compress", metavar="LEVEL", help="0 to 9, true or false, where the format compresses.")
@click.option(
    "--signature", type=json_object, metavar="JSON|FILE", help="What it takes and gives; MLflow's JSON too."
)
@click.option("--card", type=json_object, metavar="JSON|FILE", help="Fields of the model card.")
@click.option("--bump", type=click.Choice(["major", "minor", "patch"]), help="The next label by this step.")
@click.option("--override-reason", metavar="TEXT", help="Why a rule about the version step may be broken.")
def command(
    session: Session,
    file: str | None,
    model_path: str | None,
    no_files: bool,
    format_: str | None,
    compress: str | None,
    artifacts: tuple[str, ...],
    params: tuple[str, ...],
    tags: tuple[str, ...],
    metrics: dict[str, Any] | None,
    lineage: tuple[str, ...],
    **facts: Any,
) -> None:
    """FILE may be a directory, and --model-path FILE says the same.

    Registering the same content under the same label again is harmless.

    \b
    Example:
      modelyard register --model-path model.joblib --name fraud \\
        --metrics '{"accuracy": 0.92}'
    """
    model = source(_one(file, model_path), no_files=no_files)
    registry = session.open(create=True)
    model_id = registry.register_model(
        model,
        performance_metrics=metrics,
        hyperparams=inputs.pairs(params, "--params", typed=True),
        tags=inputs.pairs(tags, "--tags"),
        lineage=inputs.links(lineage),
        artifacts=attached(artifacts),
        serialization_format=format_,
        compress=inputs.compression(compress),
        **facts,
    )
    announce(session, registry, facts["name"], model_id)


def _one(file: str | None, model_path: str | None) -> str | None:
    if file is not None and model_path is not None:
        raise click.UsageError(
            f"Both '{file}' and --model-path '{model_path}' are given; a version has one of them."
        )
    return model_path if file is None else file


def source(model_path: str | None, *, no_files: bool) -> Path | None:
    """The file or directory to register.

    Raises:
        click.UsageError: None was given without ``--no-files``, it is empty, or it is not there.
    """
    if model_path is None:
        if no_files:
            return None
        raise click.UsageError("Which file? Give its path, or --no-files to register facts alone.")
    if no_files:
        raise click.UsageError(f"--no-files contradicts the path '{model_path}'; give one of them.")
    if not model_path:
        raise click.UsageError("Expected the path of the model, found an empty text. Is a variable not set?")
    if not Path(model_path).exists():
        raise click.UsageError(f"There is nothing at '{model_path}'; expected the model's file or directory.")
    return Path(model_path)


def attached(given: tuple[str, ...]) -> dict[str, str | Path]:
    """``NAME=PATH`` words, or bare paths that keep their file name."""
    result: dict[str, str | Path] = {}
    for word in given:
        name, equals, path = word.partition("=")
        result[name if equals else Path(word).name] = Path(path if equals else word)
    for name, file in result.items():
        if not Path(file).exists():
            raise click.UsageError(f"--artifact {name}: there is nothing at '{file}'.")
    return result


def announce(session: Session, registry: ModelRegistry, name: str, model_id: str) -> None:
    """One line about a new version and the usual next step; of its warnings the registry has told.

    It is registered by now, so a look at it that fails leaves out what only that look could tell.
    """
    try:
        version = registry.get_model(model_id)
    except ModelyardError as error:
        told = {"model_id": model_id, "name": name}
        session.done(told, f"registered a version of {name}, id {model_id}", quiet_text=model_id)
        session.note(f"note: its label and number could not be read back: {error.detail}")
        return
    ref = refs.spelled(version)
    session.done(
        version,
        f"registered {ref} (#{version.number}) in {version.stage.value}, id {version.model_id}",
        quiet_text=version.model_id,
    )
    if version.stage.value in ("development", "testing"):
        session.next("promote", ref, "--target-stage", "staging")
    else:
        session.next("status", version.name)
