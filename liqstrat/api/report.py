"""The report of a run from Python."""

import sys
import webbrowser
from html import escape
from pathlib import Path
from typing import Any

_HEIGHT = 900


class Report:
    """A run's report: one HTML page that needs no network.

    Examples:
        >>> report = lq.load(folder).report
        >>> report.path.name
        'report.html'
        >>> report.html().startswith("<!doctype html>")
        True
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def path(self) -> Path:
        """The page; it is written now where the run was made without."""
        path = self._folder / "report.html"
        if not path.exists():
            from liqstrat.report.report import write_report

            write_report(self._folder)
        return path

    def html(self) -> str:
        """The page's text."""
        return self.path.read_text(encoding="utf-8")

    def show(self) -> None:
        """Show it: in the notebook this runs in, else in the browser."""
        notebook = _notebook()
        if notebook is None:
            webbrowser.open(self.path.resolve().as_uri())
        else:
            notebook.display.display(self)

    def _repr_html_(self) -> str:
        """A frame of its own, so that the page's styles and the notebook's do not mix."""
        return f'<iframe srcdoc="{escape(self.html())}" style="width:100%;height:{_HEIGHT}px;border:0"></iframe>'

    def __repr__(self) -> str:
        return f"<Report {self._folder / 'report.html'}>"


def _notebook() -> Any:
    """IPython where a notebook runs, None elsewhere; it is no dependency."""
    ipython: Any = sys.modules.get("IPython")
    return ipython if ipython is not None and hasattr(ipython.get_ipython(), "kernel") else None
