"""The attacks that a configuration can name, below a command's help."""

from __future__ import annotations

import click


class HelpWithAttacks(click.Command):
    """A command whose help ends with the attacks and sets of attacks."""

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        formatter.write(_attack_help() + "\n")


def _attack_help() -> str:
    from tfx_privacy.attacks.registry import describe_attacks

    lines = ["Attacks and sets of attacks that `attacks` in the configuration can name:", "\b"]
    return "\n".join(lines + [f"  {name:22s} {text}" for name, text in describe_attacks()])
