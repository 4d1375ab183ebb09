"""What lines on the pages of studies say."""

import numpy as np
import pandas as pd
import pytest

from liqstrat.research import sweep_figures, sweep_page
from liqstrat.research.sweep_figures import grown_from


def test_a_line_of_returns_begins_with_nothing_and_has_what_a_day_made_at_its_end() -> None:
    days = pd.to_datetime(["2024-03-02", "2024-03-03", "2024-03-06"], utc=True)
    grown = grown_from(pd.DataFrame({"day": days, "0": [0.1, -0.5, 1.0]}))["0"]
    assert [f"{moment:%d}" for moment in grown.index] == ["02", "03", "04", "06", "07"]
    assert grown.to_list() == pytest.approx([0.0, 0.1, -0.45, -0.45, 0.1])
    assert len(grown_from(pd.DataFrame({"day": days[:0], "0": []}))) == 0


def test_axes_have_the_values_where_they_are_few_and_round_ones_else() -> None:
    chance = np.random.default_rng(1)
    trials = pd.DataFrame(
        {
            "trial": range(40),
            "model.turnover": np.tile([0.05, 0.1, 0.2, 0.2], 10),
            "trades": np.arange(6, 46),
            "max_drawdown": np.linspace(0.0105, 0.0953, 40),
            "sharpe": chance.uniform(-10, 25, 40),
        }
    )
    figure = sweep_figures.parallel(trials, ["model.turnover"], "sharpe", ["trades", "max_drawdown", "sharpe"], True)
    beside = [[mark.text for mark in figure.layout.annotations if mark.x == place] for place in (0.0, 1.0, 2.0)]
    assert beside[1:] == [
        ["6", "10", "20", "30", "40", "45"],
        ["−1.05%", "−2.00%", "−4.00%", "−6.00%", "−8.00%", "−9.53%"],
    ]
    assert [text for text in beside[0] if "SIMULATED" not in text] == ["0.05", "0.1", "0.2"]


def test_of_what_is_better_smaller_the_smallest_stands_first() -> None:
    trials = pd.DataFrame({"trial": [0, 1, 2], "feasible": True, "model.turnover": [1, 2, 3], "fees": [30.0, 10, 20]})
    told = sweep_page._trials(trials, ["model.turnover"], "fees")
    assert told.index("10.00") < told.index("20.00") < told.index("30.00")
