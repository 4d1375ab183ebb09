"""Reports and comparisons as text of a page."""

from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from liqstrat.research.compare import compare
from liqstrat.research.compare_page import write_compare_page

_KEPT = 4
#: A report is one page with scripts of its own; it runs apart from this server's pages and can ask nothing.
_APART = (
    "sandbox allow-scripts allow-downloads allow-popups; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)


def apart() -> dict[str, str]:
    """Headers of a page that runs apart from this server's."""
    return {"Content-Security-Policy": _APART, "Cache-Control": "no-cache"}


def report_of(folder: Path) -> str:
    """The report of a run; it is written now where the run was made without."""
    path = folder / "report.html"
    if not path.exists():
        from liqstrat.report.report import write_report

        write_report(folder)
    return path.read_text(encoding="utf-8")


def compare_page(folders: list[Path]) -> str:
    """The page that says in what runs differ."""
    states = tuple((folder / "run.json").stat().st_mtime_ns for folder in folders)
    return _compare_page(tuple(folders), states)


@lru_cache(_KEPT)
def _compare_page(folders: tuple[Path, ...], _: tuple[int, ...]) -> str:
    with TemporaryDirectory(prefix="liqstrat-") as aside:
        page = Path(aside) / "compare.html"
        write_compare_page(compare(list(folders)), page)
        return page.read_text(encoding="utf-8")
