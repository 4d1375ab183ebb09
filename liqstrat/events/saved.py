"""An event study as a file: a page, a table of touches, or a folder among the studies that `serve` shows."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from liqstrat.errors import LiqstratError
from liqstrat.events.page import findings, write_events_page
from liqstrat.events.study import EventStudy
from liqstrat.held import partial_file, require_writable

#: The facts of a study, and its page beside them.
FACTS = "events.json"


def require_target(out: Path) -> None:
    """Raise `LiqstratError` unless `out` is named as a page, as Parquet or as a folder and can be written."""
    if out.suffix not in (".html", ".parquet", "") and not out.is_dir():
        raise LiqstratError(
            f'{out}: the file\'s ending is "{out.suffix}", expected .html, .parquet, or the name of a folder'
        )
    require_writable(out if _is_file(out) else out / FACTS)


def save(study: EventStudy, out: Path) -> Path:
    """Write the page (`.html`), the touches (`.parquet`, as `EventStudy.rows`), or a folder with both and all figures
    into the folder `out`; returns what was written.

    A folder is named by what is in it: the same study lies there once. Each appears when it is whole.
    """
    require_target(out)
    if out.suffix == ".html" and _is_file(out):
        return write_events_page(study, out)
    if _is_file(out):
        return _touches(study, out)
    facts = _facts(study)
    content = sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    folder = out / f"events-{study.symbol}-{content[:8]}"
    write_events_page(study, folder / "events.html")
    _touches(study, folder / "touches.parquet")
    with partial_file(folder / FACTS) as partial:
        partial.write_text(json.dumps(facts, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return folder


def _is_file(out: Path) -> bool:
    return bool(out.suffix) and not out.is_dir()


def _touches(study: EventStudy, out: Path) -> Path:
    with partial_file(out) as partial:
        pq.write_table(study.rows(), partial, compression="zstd")
    return out


def _facts(study: EventStudy) -> dict[str, Any]:
    """All figures, and in a few words what they say."""
    intervals = [(words, found.difference) for _, words, found in findings(study) if found.difference.low is not None]
    seen = [
        words for words, one in intervals if one.low is not None and one.high is not None and one.low * one.high > 0
    ]
    words = "; ".join(seen) or ("no difference from placebos seen" if intervals else "too little to tell")
    return study.to_json() | {"verdict": {"words": words}}
