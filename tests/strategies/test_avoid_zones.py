"""The filter lets through, halves or refuses entries by the zones around them, of whatever strategy it is before."""

from pathlib import Path
from typing import Any

import pytest

from liqstrat.backtest.params import make_params
from liqstrat.errors import LiqstratError
from liqstrat.strategies import resolve_strategy
from tests.strategies.test_strategies import FADE, SWEEP_BELOW, Points, trips

#: The fade buys at 58,920, where the next shorts stand 3.4 % above.
FILTERED = "AvoidZones(LevelFade)"
OWN = """
from liqstrat import LevelStrategy

class BuyOnce(LevelStrategy):
    done = False

    def on_price(self, price):
        if not self.done and self.flat and price < 59_600:
            BuyOnce.done = True
            self.enter("long", stop=price * 0.97, target=price * 1.002, reason="once")
"""


def test_nothing_near_changes_nothing(tmp_path: Path) -> None:
    (plain,) = trips(tmp_path, SWEEP_BELOW, "LevelFade", **FADE)
    (filtered,) = trips(tmp_path, SWEEP_BELOW, FILTERED, zone_near=0.03, **FADE)
    same = ("side", "opened_ns", "closed_ns", "quantity", "entry_price", "exit_price", "pnl")
    assert [getattr(filtered, name) for name in same] == [getattr(plain, name) for name in same]
    assert filtered.strategy == FILTERED


def test_a_zone_ahead_refuses_or_halves(tmp_path: Path) -> None:
    (plain,) = trips(tmp_path, SWEEP_BELOW, "LevelFade", **FADE)
    assert trips(tmp_path, SWEEP_BELOW, FILTERED, zone_near=0.04, **FADE) == []
    (half,) = trips(tmp_path, SWEEP_BELOW, FILTERED, zone_near=0.04, zone_share=0.5, **FADE)
    assert float(half.quantity) == pytest.approx(float(plain.quantity) / 2, abs=0.001)


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({"zone_near": 0.005}, 1),
        # At 59,600 longs stand 0.9 % below, shorts 2.3 % above.
        ({"zone_near": 0.015}, 1),
        ({"zone_near": 0.015, "zone_where": "behind"}, 0),
        ({"zone_near": 0.015, "zone_where": "both"}, 0),
        ({"zone_near": 0.03}, 0),
    ],
)
def test_one_s_own_strategy_is_filtered_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: dict[str, Any], count: int
) -> None:
    name = f"own_{len(str(params))}_{count}_{abs(hash(str(params)))}"
    (tmp_path / f"{name}.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    points: Points = [(125, 60_000), (130, 59_590), (140, 59_590), (150, 60_000)]
    assert len(trips(tmp_path, points, f"AvoidZones({name}:BuyOnce)", **params)) == count


def test_parameters_of_both_are_checked_together() -> None:
    strategy = resolve_strategy(FILTERED)
    assert strategy.__name__ == FILTERED
    params: Any = make_params(strategy, FILTERED, {"turn": 0.004, "zone_near": 0.01})
    assert (params.turn, params.zone_near, params.zone_share) == (0.004, 0.01, 0.0)
    with pytest.raises(LiqstratError, match=r'unknown parameter "zone_nera" \(did you mean "zone_near"\?\)'):
        make_params(strategy, FILTERED, {"zone_nera": 0.01})


@pytest.mark.parametrize(
    ("use", "said"),
    [
        ("AvoidZones", r"is put before another one, expected for example \"AvoidZones\(LevelFade\)\""),
        ("AvoidZones(AvoidZones(LevelFade))", "the filter is put before a strategy, once"),
        ("AvoidZones(LevelFaed)", r'no strategy "LevelFaed" \(did you mean "LevelFade"\?\)'),
    ],
)
def test_what_cannot_be_filtered_is_told(use: str, said: str) -> None:
    with pytest.raises(LiqstratError, match=said):
        resolve_strategy(use)
