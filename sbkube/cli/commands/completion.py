"""`completion`: a script that lets a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from sbkube.cli.options import Command
from sbkube.cli.session import Session

SHELLS = ("bash", "zsh", "fish")
_WHERE = {
    "bash": "~/.local/share/bash-completion/completions/sbkube",
    "zsh": '"${fpath[1]}/_sbkube"',
    "fish": "~/.config/fish/completions/sbkube.fish",
}


@click.command("completion", cls=Command)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(session: Session, shell: str) -> int:
    """Print the completion script of a shell. For bash: sbkube completion bash > FILE, and start a new shell.

    FILE is ~/.local/share/bash-completion/completions/sbkube for bash, ~/.config/fish/completions/sbkube.fish for
    fish, and _sbkube in a folder of $fpath for zsh.
    """
    from sbkube.cli.main import ROOT

    kind = get_completion_class(shell)
    assert kind is not None, shell
    script = kind(ROOT, {}, "sbkube", "_SBKUBE_COMPLETE").source()
    content = {"shell": shell, "script": script, "file": _WHERE[shell]}
    session.emit("completion", lambda: content, lambda: script, raw=True)
    return 0
