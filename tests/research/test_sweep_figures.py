"""What lines on the pages of studies say."""

import pandas as pd
import pytest

from liqstrat.research.sweep_figures import grown_from


def test_a_line_of_returns_begins_with_nothing_and_has_what_a_day_made_at_its_end() -> None:
    days = pd.to_datetime(["2024-03-02", "2024-03-03", "2024-03-06"], utc=True)
    grown = grown_from(pd.DataFrame({"day": days, "0": [0.1, -0.5, 1.0]}))["0"]
    assert [f"{moment:%d}" for moment in grown.index] == ["02", "03", "04", "06", "07"]
    assert grown.to_list() == pytest.approx([0.0, 0.1, -0.45, -0.45, 0.1])
    assert len(grown_from(pd.DataFrame({"day": days[:0], "0": []}))) == 0
