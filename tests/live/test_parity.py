"""What a parity counts of a session as it was kept."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from liqstrat.live.parity import late_rates
from liqstrat.live.session import Begin, Heard, Session
from liqstrat.moments import nanoseconds
from tests.live.conftest import SYMBOL

START = datetime(2024, 3, 2, 14, 35, tzinfo=UTC)


@pytest.mark.parametrize(
    ("settled", "heard_minutes", "late"),
    [
        # Known when it began, and heard once more with all of the day before.
        ([0, 8], 20, 0),
        # Settled before it began, and not in the history: known too late, once for all that were replaced by then.
        ([0, 8, 12], 20, 1),
        ([10, 12], 20, 1),
        ([0, 8, 12], 0.5, 0),
        # Of its own time.
        ([16], 85.5, 0),
        ([16], 89, 1),
        ([8, 12, 16, 20], 360, 3),
    ],
)
def test_rates_are_late_where_a_plain_backtest_knows_them_sooner(
    tmp_path: Path, settled: list[int], heard_minutes: float, late: int
) -> None:
    eight = nanoseconds(START.replace(hour=8, minute=0))
    session = Session(tmp_path)
    session.open(Begin({}, "", START.isoformat(), "recorded", True, {SYMBOL: 1}, {SYMBOL: (eight, 0.0001)}))
    for hour in settled:
        # The exchange stamps a rate some milliseconds after the hour.
        time_ms = round(START.replace(hour=hour, minute=0).timestamp() * 1000) + 7
        session.hear("funding", SYMBOL, Heard(nanoseconds(START + timedelta(minutes=heard_minutes)), time_ms, "0.0002"))
    assert late_rates(Session(tmp_path)) == late
