"""The order of words: people name the server first, and then what they want of it."""

from __future__ import annotations

import click


class TargetFirst(click.Group):
    """Puts ``TARGET COMMAND …`` into the order in which click reads it, ``COMMAND TARGET …``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Move the target behind the command. No command's name can be a target."""
        first = args[0] if args else ""
        if first and not first.startswith("-") and first not in self.commands:
            second = args[1] if len(args) > 1 else ""
            if second in ctx.help_option_names:
                args = args[1:]
            elif second not in self.commands:
                known = ", ".join(self.commands)
                wrong = f"{second!r} is none" if second else "there is none"
                text = f"after TARGET stands one of {known}; {wrong}"
                raise click.UsageError(text, ctx)
            else:
                args = [second, first, *args[2:]]
        elif first == "--":
            text = "-- PROGRAM stands behind the command: client COMMAND -- PROGRAM"
            raise click.UsageError(text, ctx)
        return super().parse_args(ctx, args)
