"""What was known of a trade's level, and what trades earned by it."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqstrat.backtest.account.known import by_level, times_touched
from liqstrat.backtest.account.ledger import Entry, LevelKnown
from liqstrat.backtest.account.trades import Course
from liqstrat.liquidation.clusters import Cluster
from tests.backtest.account.test_tearsheet import trip
from tests.backtest.runs import ONE_TIER
from tests.holders import OF_HOLDERS
from tests.strategies.test_strategies import FADE, Points, trips


def level(side: Any, low: float = 100.0, high: float = 101.0, **known: Any) -> Cluster:
    chosen = {"notional": 1e6, "leverage": {50: 0.5, 10: 0.5}, "age_hours": 5.0, "strength": 0.1, **known}
    return Cluster(side, low, high, (low + high) / 2, 10.0, distance=0.0, **chosen)


@pytest.mark.parametrize(
    ("side", "low", "high", "times"),
    [
        ("long", [110, 110, 110, 110, 110], [120] * 5, 0),
        # 101.202 is 0.2 % above the edge.
        ("long", [110, 101.2, 101.1, 110, 100.5], [120] * 5, 2),
        ("long", [110, 101.3, 110, 110, 110], [120] * 5, 0),
        # Older than its contracts are on average.
        ("long", [90, 110, 110, 110, 110, 110], [120] * 6, 0),
        ("short", [90] * 5, [99.9, 99.0, 99.85, 99.81, 95], 2),
        ("long", [], [], 0),
    ],
)
def test_price_was_at_a_level_as_often_as_it_came_to_it(side: str, low: list, high: list, times: int) -> None:
    assert times_touched(level(side), np.array(low, dtype=float), np.array(high, dtype=float)) == times


@pytest.mark.slow
def test_a_replay_records_what_was_known_at_the_entry(tmp_path: Path) -> None:
    """Price comes near the longs around 59,040 for twenty minutes of each of two hours, and is swept in the fifth."""
    comes: Points = [(130, 59_200), (140, 59_200), (150, 60_000), (190, 60_000), (200, 59_200), (210, 59_200)]
    swept: Points = [(220, 60_000), (260, 60_000), (270, 58_800), (271, 58_800), (273, 59_100), (290, 59_100)]
    (found,) = trips(tmp_path, [*comes, *swept], "LevelFade", model={**ONE_TIER, **OF_HOLDERS}, **FADE)
    assert found.entry is not None
    known, own = found.entry.known, found.entry.level
    assert known is not None
    assert own is not None
    # In hours: 2 to 3 (near), 3 to 4 (near): one stretch, for hours that follow each other are one time.
    assert known.touched == 1
    assert known.distance == pytest.approx(own.price / 58_920 - 1, abs=5e-4)
    assert known.distance > 0
    assert 0 <= known.seeded <= 1


made = st.lists(
    st.tuples(
        st.integers(-500, 500),
        st.sampled_from(["long", "short", None]),
        st.floats(1e4, 1e8),
        st.floats(0, 500),
        st.integers(0, 4),
        st.one_of(st.none(), st.floats(-3, 3)),
    ),
    max_size=30,
)


@given(made)
def test_parts_are_of_all_trades_each_once(asked: list[tuple[Any, ...]]) -> None:
    closed = []
    for pnl, side, size, age, touched, r in asked:
        own = None if side is None else level(side, notional=size, age_hours=age)
        known = LevelKnown(0.01 * (1 if side == "short" else -1), touched, 0.5)
        one = trip(1, 2, pnl=pnl)
        entry = Entry("1", own, "", None if own is None else known)
        closed.append((type(one)(**{**vars(one), "entry": entry}), Course(0, 0, None, r)))
    found = by_level(closed)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    named = [pnl for pnl, side, *_ in asked if side]
    assert [one["trades"] for one in found["named"]] == [len(named), len(asked) - len(named)]
    if not named:
        assert list(found) == ["named"]
        return
    for name, parts in found.items():
        if name != "named":
            assert sum(one["trades"] for one in parts) == len(named), name
            assert sum(one["pnl"] for one in parts) == pytest.approx(sum(named)), name
    for name in ("size", "age"):
        bounds = [(one["low"], one["high"]) for one in found[name] if one["trades"]]
        assert all(low <= high for low, high in bounds)
        assert all(a[1] < b[0] for a, b in pairwise(bounds))


def test_figures_are_those_of_the_table(demo_results: Path) -> None:
    figures = json.loads((demo_results / "metrics.json").read_text())
    table = pd.read_parquet(demo_results / "positions.parquet").dropna(subset="closed")
    named = table.dropna(subset="level_side")
    found = figures["by_level"]
    assert 0 < len(named) < len(table), "RandomEntry names no level, the others do"
    assert [one["trades"] for one in found["named"]] == [len(named), len(table) - len(named)]
    assert named[["level_distance", "level_touched", "level_seeded", "level_leverage"]].notna().all(axis=None)
    for side, part in zip(("long", "short"), found["side"], strict=True):
        own = named[named["level_side"] == side]
        assert part["trades"] == len(own)
        assert part["pnl"] == pytest.approx(own["pnl"].sum())
        assert part["expectancy_r"] == (pytest.approx(own["r"].mean()) if len(own) else None)
    sizes = named["level_notional"]
    assert found["size"][0]["low"] == pytest.approx(sizes.min())
    assert found["size"][-1]["high"] == pytest.approx(sizes.max())
    random = figures["by_strategy"]["RandomEntry"]["by_level"]
    assert list(random) == ["named"]
    assert random["named"][0]["trades"] == 0
    assert (named["level_seeded"] <= 1).all()
    assert (named["level_high_leverage"].between(0, 1)).all()
