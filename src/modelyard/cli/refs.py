"""Which version a command line means, and how to write a version so that it can be typed back."""

from __future__ import annotations

import click

from modelyard.domain.records import ModelVersion
from modelyard.domain.refs import Ref


def labelled(name: str, label: str) -> str:
    """The ref of a model's label, such as ``fraud:1.4.0``."""
    return str(Ref("label", model=name, value=label))


def spelled(version: ModelVersion) -> str:
    """The ref that people type for a version."""
    return labelled(version.name, version.version)


def chosen(ref: str | None, model_name: str | None, label: str | None, *, exact: bool = False) -> str:
    """One ref from the two ways to name a version.

    Args:
        exact: A label must be given with ``--model-name``: for verbs that should not guess "the latest".

    Raises:
        click.UsageError: Neither or both ways were used, or a half of one.
    """
    if ref is not None and (model_name or label):
        raise click.UsageError("Give a ref, or --model-name and --version, not both.")
    if ref is not None:
        return ref
    if not model_name:
        raise click.UsageError(
            "Which version? Give a ref such as fraud:1.2.0, or --model-name fraud --version 1.2.0."
        )
    if label is None and exact:
        raise click.UsageError("Which version of it? Add --version LABEL.")
    return model_name if label is None else labelled(model_name, label)
