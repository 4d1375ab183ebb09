"""`python -m liqstrat`, and what the installed command runs: the command line.

Signals are heard before anything that takes time is imported.
"""

from liqstrat.ending import open_streams, run


def main() -> None:
    """Run the command line and leave the program, see `ending.run`."""
    open_streams()
    run(_command, at_last=True)


def _command() -> None:
    from liqstrat.cli import command

    command()


if __name__ == "__main__":
    main()
