"""Progress as the command line shows it, and remarks as warnings."""

import warnings

from rich.console import Console

from liqstrat.progress import SILENT, ConsoleProgress, Progress
from liqstrat.remarks import listen

listen(lambda text: warnings.warn(text, stacklevel=3))


def said(progress: bool) -> Progress:
    """Bars or lines on standard error, or nothing."""
    return ConsoleProgress(Console(stderr=True, highlight=False)) if progress else SILENT
