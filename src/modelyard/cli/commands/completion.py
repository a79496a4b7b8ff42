"""``modelyard completion``."""

from __future__ import annotations

import click

from modelyard.cli.options import verb
from modelyard.cli.session import Session

SHELLS = ("bash", "zsh", "fish")


@verb("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(session: Session, shell: str) -> None:
    """\b
    Examples:
      modelyard completion bash > /etc/bash_completion.d/modelyard
      modelyard completion zsh > "${fpath[1]}/_modelyard"
      modelyard completion fish > ~/.config/fish/completions/modelyard.fish
    """
    script = _script(shell)
    session.answer({"shell": shell, "script": script}, lambda: [script])


def _script(shell: str) -> str:
    from click.shell_completion import BashComplete, ShellComplete, get_completion_class

    from modelyard.cli.main import program

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - the choices above are all known
    maker = kind(program, {}, "modelyard", "_MODELYARD_COMPLETE")
    # Bash's own class first runs bash to learn its version, which need not be the machine the script is for.
    return ShellComplete.source(maker) if isinstance(maker, BashComplete) else maker.source()
