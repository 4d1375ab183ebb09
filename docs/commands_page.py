"""Puts every command's options on the page of commands, and the list of changes on its page, when the site is built."""

import inspect
from pathlib import Path
from typing import Any

from typer.main import get_command

from liqstrat.cli.program import app

PLACE = "<!-- commands -->"
CHANGES = Path(__file__).parents[1] / "CHANGELOG.md"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    if page.file.src_uri == "changes.md":
        # Its links are from where the file lies, outside of the site's folder.
        return CHANGES.read_text(encoding="utf-8").replace("](docs/", "](")
    return markdown.replace(PLACE, _commands()) if PLACE in markdown else markdown


def _commands() -> str:
    import liqstrat.cli  # noqa: F401  the commands are known once it is read

    commands: Any = get_command(app)
    by_subject: dict[str, list[str]] = {}
    for name, command in commands.commands.items():
        by_subject.setdefault(command.rich_help_panel, []).append(_command(name, command))
    return "\n".join(f"## {subject}\n\n" + "\n".join(parts) for subject, parts in by_subject.items())


def _command(name: str, command: Any) -> str:
    text, _, example = inspect.cleandoc(command.help).partition("Example: ")
    rows = [f"| {_named(one)} | {one.help or ''}{_default(one)} |" for one in command.params if one.name != "help"]
    table = "\n".join(["| argument, option | |", "|---|---|", *rows])
    return f"### {name}\n\n{text}\n```sh\n{example}\n```\n\n{table}\n"


def _named(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    value = "" if parameter.is_flag else f" {parameter.metavar or ''}".rstrip()
    return ", ".join(f"`{option}{value}`" for option in [*parameter.opts, *parameter.secondary_opts])


def _default(parameter: Any) -> str:
    if parameter.required or parameter.default in (None, ()) or isinstance(parameter.default, bool):
        return ""
    return f" Default: `{parameter.default}`."
