"""``modelyard experiment``."""

from __future__ import annotations

from typing import Any

import click

from modelyard.cli import experiments, refs
from modelyard.cli.commands import gates
from modelyard.cli.inputs import json_object
from modelyard.cli.options import group, reason_option, stage_option
from modelyard.cli.session import Session


@group("experiment")
def command() -> None:
    """Users are assigned by a hash, so that each always gets the same variant. A verdict may be looked at any time.

    Wherever an EXPERIMENT is asked for: its id, or its name where only one has it.
    """


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not (name and equals and value):
        raise click.BadParameter(f"expected NAME=VALUE, found '{given}'")
    return name, value


def _pairs(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in map(_pair, given):
        if name in found:
            raise click.BadParameter(f"'{name}' is given twice: {found[name]} and {value}")
        found[name] = value
    return found


def _numbers(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, float]:
    try:
        return {name: float(value) for name, value in _pairs(context, parameter, given).items()}
    except ValueError as error:
        raise click.BadParameter(f"expected NAME=NUMBER: {error}") from error


@command.command("start")
@click.argument("model")
@click.option(
    "--variant",
    "variants",
    multiple=True,
    callback=_pairs,
    metavar="NAME=VERSION",
    help="Two or more; repeat.",
)
@click.option(
    "--weight",
    "weights",
    multiple=True,
    callback=_numbers,
    metavar="NAME=SHARE",
    help="Shares; else all alike.",
)
@click.option("--name", default="", metavar="TEXT", help="Tells tests of the same versions apart.")
@click.option("--metric", default="accuracy", show_default=True, help="What an outcome measures.")
@click.option("--numeric", is_flag=True, help="Outcomes are numbers, not right or wrong.")
@click.option("--higher/--lower", "higher", default=None, help="Which way the metric improves.")
@click.option(
    "--guardrail",
    "guardrails",
    multiple=True,
    callback=_numbers,
    metavar="RULE=LIMIT",
    help="max_X, min_X or no_worse_X; repeat.",
)
@click.option(
    "--minimum-sample", default=100, show_default=True, help="Users with an outcome, per variant: 20 or more."
)
@click.option("--alpha", default=0.05, show_default=True, help="Chance of ever naming a winner among equals.")
@click.pass_obj
def start(session: Session, /, model: str, numeric: bool, higher: bool | None, **how: Any) -> None:
    """Begin an experiment; the same arguments continue the one there is.

    \b
    Example:
      modelyard experiment start fraud --variant A=4 --variant B=5
    """
    from modelyard.experiments import ModelABTest

    kind = "numeric" if numeric else "binary"
    test = ModelABTest(model, registry=session.open(), kind=kind, higher_is_better=higher, **how)
    found = test.experiment
    text = f"{'running' if found.running else 'stopped'}: experiment {found.experiment_id} of {found.model}"
    session.done(found, f"{text} ({found.title})", quiet_text=found.experiment_id)
    session.next("experiment", "show", found.experiment_id)


@command.command("list")
@click.argument("model", required=False)
@click.pass_obj
def list_(session: Session, model: str | None) -> None:
    """Experiments of one model, or all, oldest first."""
    found = session.open().service.list_experiments(model)
    session.answer({"experiments": found}, lambda: experiments.listed(session, found))
    if not found:
        session.next("experiment", "start", model or "NAME", "--variant", "A=1", "--variant", "B=2")


@command.command("show")
@click.argument("experiment")
@click.pass_obj
def show(session: Session, experiment: str) -> None:
    """The verdict as it stands, and what it rests on."""
    service = session.open().service
    found = service.get_experiment(experiment)
    verdict = service.judge_experiment(found.experiment_id)
    session.answer(
        {"experiment": found, "verdict": verdict}, lambda: experiments.shown(session, found, verdict)
    )
    if verdict.winner and found.running:
        session.next("experiment", "promote", found.experiment_id, "--dry-run")


@command.command("assign")
@click.argument("experiment")
@click.argument("user")
@click.option("--request", metavar="TEXT", help="The same user and request give the same assignment again.")
@click.pass_obj
def assign(session: Session, experiment: str, user: str, request: str | None) -> None:
    """Which variant USER gets, and the id to record the outcome by."""
    from modelyard.experiments import ModelABTest

    test = ModelABTest.open(experiment, registry=session.open())
    found = test.assign(user, request=request)
    answer = {
        "variant": str(found),
        "version": found.version,
        "model_id": found.model_id,
        "assignment_id": found.assignment_id,
    }
    session.answer(answer, lambda: [found] if session.quiet else experiments.assigned(session, answer))
    came = ("--correct",) if test.experiment.kind == "binary" else ("--value", "1.0")
    session.next("experiment", "record", found.assignment_id, *came)


@command.command("record")
@click.argument("assignment")
@click.option("--correct/--wrong", "correct", default=None, help="Whether the prediction was right.")
@click.option("--value", type=float, help="The value of a numeric metric.")
@click.option(
    "--measured", multiple=True, callback=_numbers, metavar="METRIC=VALUE", help="For guardrails; repeat."
)
@click.option("--experiment", metavar="EXPERIMENT", help="Needed where ASSIGNMENT is only a variant's name.")
@click.pass_obj
def record(
    session: Session, /, assignment: str, experiment: str | None, measured: dict[str, float], **outcome: Any
) -> None:
    """Store what came of an assignment."""
    from modelyard.experiments import ModelABTest

    if experiment is None and "." not in assignment:
        raise click.UsageError(
            f"'{assignment}' is no assignment id, as 'experiment assign' gives it. If it is a variant's name, "
            "add --experiment."
        )
    test = ModelABTest.open(experiment or assignment.partition(".")[0], registry=session.open())
    done = test.record_outcome(assignment, guardrails=measured, **outcome)
    text = (
        "recorded"
        if done.recorded
        else "was recorded already"
        if done.repeated
        else "recorded, too late to count"
    )
    session.done(done, text)


@command.command("stop")
@click.argument("experiment")
@reason_option()
@click.pass_obj
def stop(session: Session, experiment: str, reason: str) -> None:
    """End an experiment without promoting anything."""
    from modelyard.experiments import ModelABTest

    found = ModelABTest.open(experiment, registry=session.open()).stop(reason)
    session.done(found, f"stopped: experiment {found.experiment_id} ({found.title})")


@command.command("promote")
@click.argument("experiment")
@stage_option("--target-stage", text="Where it goes; production unless said.")
@click.option(
    "--requirements", type=json_object, metavar="JSON|FILE", help="Yours; they add to the policy's."
)
@click.option("--dry-run", is_flag=True, help="Judge and move nothing.")
@reason_option()
@click.pass_obj
def promote(
    session: Session,
    experiment: str,
    target_stage: str | None,
    requirements: dict[str, Any] | None,
    dry_run: bool,
    reason: str,
) -> int | None:
    """Promote the winner through the gates, and stop the experiment. Exit code 4: there is none, or a gate refuses."""
    from modelyard.experiments import ModelABTest

    test = ModelABTest.open(experiment, registry=session.open())
    promotion = test.promote_winner(
        target_stage or "production", requirements, reason=reason, dry_run=dry_run
    )
    if dry_run:
        return gates.show(session, promotion)
    version = promotion.version
    session.done(
        promotion, f"{refs.spelled(version)} (#{version.number}) won and is in {version.stage.value} now"
    )
    return None
