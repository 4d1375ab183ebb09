"""Progress as the command line shows it."""

from rich.console import Console

from liqstrat.progress import SILENT, ConsoleProgress, Progress


def said(progress: bool) -> Progress:
    """Bars or lines on standard error, or nothing."""
    return ConsoleProgress(Console(stderr=True, highlight=False)) if progress else SILENT
