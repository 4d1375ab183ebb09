"""Trials that are fed with what was made for the one before come to the same as alone."""

from pathlib import Path
from typing import Any

import pytest

from liqstrat.app import prepare, with_run
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.errors import StrategyError
from liqstrat.studies import fed
from liqstrat.studies.fed import source_of
from liqstrat.studies.trial import Outcome, Task, run_prepared
from tests.backtest.runs import run_file, wandering_market


class Breaks(LevelStrategy):
    """Goes well for some hours."""

    def on_price(self, price: float) -> None:
        if self.now.hour == 4:
            raise ValueError("as it happens")


def test_what_is_fed_again_is_what_was_fed_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after a trial that has failed in the middle, and for one of other costs; trades are read each time."""
    database = wandering_market(tmp_path, 9.0)

    def run(seed: int, **changes: Any) -> Any:
        use = {"use": "RandomEntry", "params": {"seed": seed, "per_day": 60}}
        settings = {"resolution": "1m", "strategies": [use], **changes}
        return run_file(tmp_path, database, hours=8, start_hours=2, **settings)

    prepared = prepare(run(1), keep_levels=False)

    def outcome(one: Any) -> Outcome:
        return run_prepared(Task({}, {}, ""), with_run(prepared, one))

    runs = [run(2), run(1), run(1, venue={"latency_ms": 900}), run(1, venue={"funding": False})]
    with monkeypatch.context() as alone:
        alone.setattr("liqstrat.studies.trial.source_of", lambda prepared: None)
        expected = [outcome(one) for one in runs]
    assert len({str(one) for one in expected[:3]}) == 3

    monkeypatch.setattr(fed, "_last", None)
    with pytest.raises(StrategyError, match="as it happens"):
        outcome(run(1, strategies=[{"use": f"{__name__}:Breaks"}]))
    with monkeypatch.context() as once:
        once.setattr(fed, "history", None)
        assert [outcome(one) for one in runs[:3]] == expected[:3]
    assert outcome(runs[3]) == expected[3]
    assert outcome(runs[0]) == expected[0]
    assert source_of(with_run(prepared, run(1, resolution="tick"))) is None
