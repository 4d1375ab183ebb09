"""Runs held against each other, from Python."""

from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from liqstrat.api.runs import Run
from liqstrat.errors import LiqstratError
from liqstrat.research import compare as _compare
from liqstrat.research.compare_page import write_compare_page


class Comparison:
    """Runs and what tells them apart; they are called A, B, C, … in their order, and A is the yardstick.

    warnings: why figures may differ for other reasons than those meant, as of other data or costs.
    """

    def __init__(self, found: _compare.Comparison) -> None:
        self._found = found
        self.warnings = list(found.warnings)

    @cached_property
    def figures(self) -> pd.DataFrame:
        """The single figures of `metrics.json`: a row a figure, a column a run."""
        return pd.DataFrame.from_dict(self.json["figures"], orient="index", columns=self._letters)

    @cached_property
    def differs(self) -> pd.DataFrame:
        """Configuration, data and versions in which the runs differ: a row a `section` and key, a column a run."""
        rows = {
            (section, key): values
            for section, keys in self._found.unlike.items()
            for key, values in keys.items()
        }  # fmt: skip
        index = pd.MultiIndex.from_tuples(list(rows), names=["section", "key"]) if rows else None
        return pd.DataFrame(list(rows.values()), index=index, columns=self._letters)

    @cached_property
    def against_first(self) -> pd.DataFrame:
        """By how much each other run is above A on the `days` that both have, with 95 % intervals: a row a `run` and
        `figure`. Intervals are missing where days in common are too few."""
        rows = [
            {"run": one.letter, "figure": name, "value": of.value, "low": of.low, "high": of.high, "days": one.days}
            for one in self._found.runs[1:]
            for name, of in one.differences.items()
        ]
        return pd.DataFrame(rows, columns=["run", "figure", "value", "low", "high", "days"]).set_index(
            ["run", "figure"]
        )

    def only(self, letter: str) -> pd.DataFrame:
        """The trades of a run that no other has, as rows of `Run.trades`."""
        for one in self._found.runs:
            if one.letter == letter:
                return one.only.to_pandas()
        raise LiqstratError(f'there is no run "{letter}"; expected of {", ".join(self._letters)}')

    @cached_property
    def json(self) -> dict[str, Any]:
        """All facts, as the command line's `--json`."""
        return self._found.to_json()

    def save(self, path: str | Path) -> Path:
        """Write the page (`.html`, needs no network); returns its path."""
        from liqstrat.pages import require_page

        require_page(Path(path))
        write_compare_page(self._found, Path(path))
        return Path(path)

    @property
    def _letters(self) -> list[str]:
        return [one.letter for one in self._found.runs]

    def __repr__(self) -> str:
        marked = (f"{one.title}{' SIMULATED' if one.results.run.simulated else ''}" for one in self._found.runs)
        return f"<Comparison of {', '.join(marked)}>"


def compare(*runs: Run | str | Path) -> Comparison:
    """Hold runs, or their results folders, against the first of them.

    Raises `LiqstratError` for fewer than two, the same one twice, or a folder that is none.

    Examples:
        >>> wider = lq.run("configs/fade.toml", {"strategies.0.params.turn": 0.004, "resolution": "5m"})
        >>> found = lq.compare(lq.run("configs/fade.toml", {"resolution": "5m"}), wider)
        >>> found.differs.loc["configuration", "B"].to_dict()
        {'strategies.0.params.turn': 0.004}
        >>> int(found.figures.loc["trades", "B"]) == wider.metrics["trades"]
        True
    """
    return Comparison(_compare.compare([one.folder if isinstance(one, Run) else Path(one) for one in runs]))
