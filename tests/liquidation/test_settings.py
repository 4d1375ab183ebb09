"""Settings of the model that make no sense are refused, by name, with what is expected."""

from dataclasses import replace
from typing import Any

import pytest

from liqstrat.errors import LiqstratError
from liqstrat.liquidation.settings import ModelSettings
from liqstrat.run_file import model_from


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"kind": "candles"}, 'kind is "candles", expected one of conserving, large_trades, oi_candle, ensemble'),
        ({"ensemble": {"ensemble": 1.0}}, "ensemble is .* expected weights above zero by conserving, large_trades"),
        ({"ensemble": {"conserving": -0.1, "oi_candle": 1.0}}, "ensemble is .* expected weights above zero"),
        ({"ensemble": {"conserving": 0.0}}, "ensemble is .* expected weights above zero"),
        ({"bin_width": 0.06}, "bin_width is 0.06, expected a share of price from 0.00005 to 0.05, or 0"),
        ({"bin_width": 0.00004}, "bin_width is 4e-05"),
        ({"bin_parts": 0}, "bin_parts is 0, expected 1 to 16"),
        ({"bin_parts": 17}, "bin_parts is 17"),
        ({"turnover": -0.1}, "turnover is -0.1, expected 0 to 5"),
        ({"turnover": 5.1}, "turnover is 5.1"),
        ({"unrest": -1.0}, "unrest is -1.0, expected 0 to 10"),
        ({"unrest": 10.5}, "unrest is 10.5"),
        ({"haste": -0.5}, "haste is -0.5, expected a power from 0 to 2"),
        ({"haste": 2.5}, "haste is 2.5"),
        ({"bustle": 1.5}, "bustle is 1.5, expected a power from 0 to 1"),
        ({"patience": -1.0}, "patience is -1.0, expected 0 to 10000 hours"),
        ({"seed_spread": -0.1}, "seed_spread is -0.1, expected 0 to 1"),
        ({"seed_spread": 1.5}, "seed_spread is 1.5"),
        ({"taker_weight": -1.0}, "taker_weight is -1.0, expected 0 to 1000"),
        ({"taker_weight": 1001.0}, "taker_weight is 1001.0"),
        ({"formula": "rough"}, 'formula is "rough", expected "exact" or "linear"'),
        ({"leverage": {}}, "leverage is {}, expected shares by leverage from 1 to 150"),
        ({"leverage": {151: 1.0}}, "leverage is {151: 1.0}, expected shares by leverage"),
        ({"leverage": {0: 1.0}}, "leverage is {0: 1.0}, expected shares by leverage"),
        ({"leverage": {10: -0.5, 20: 1.0}}, "leverage is .* expected shares of zero or more"),
        ({"leverage": {10: 0.0}}, "leverage is {10: 0.0}, expected shares of zero or more, not all zero"),
        ({"cross": 1.0}, "cross is 1.0, expected a share from 0 to below 1"),
        ({"cross": -0.1}, "cross is -0.1"),
        ({"cross": float("nan")}, "cross is nan"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(chosen: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ModelSettings(**chosen)


@pytest.mark.parametrize(
    "chosen",
    [
        {"bin_width": 0.05},
        {"bin_width": 0.00005},
        {"bin_parts": 1},
        {"bin_parts": 16},
        {"turnover": 0.0, "unrest": 0.0, "haste": 0.0, "seed_spread": 0.0, "taker_weight": 0.0},
        {"turnover": 5.0, "unrest": 10.0, "haste": 2.0, "seed_spread": 1.0, "taker_weight": 1000.0},
        {"leverage": {1: 0.5, 150: 0.5}},
    ],
)
def test_bounds_are_allowed(chosen: dict[str, Any]) -> None:
    assert ModelSettings(**chosen).fine_width > 0


def test_parts_of_a_bin_make_the_bin() -> None:
    settings = ModelSettings(bin_width=0.002, bin_parts=4)
    assert (1 + settings.fine_width) ** 4 == pytest.approx(1.002)
    assert settings.on_fine_bins().width == settings.fine_width
    assert settings.on_fine_bins().bin_parts == 1
    assert ModelSettings().width == 0.001


def test_what_is_on_cross_margin_is_part_of_the_mix() -> None:
    """Half at 1x and half at 2x, beside what the mix says; settings made of these have it once."""
    settings = ModelSettings(leverage={2: 1.0, 10: 3.0}, cross=0.4)
    assert settings.leverage == pytest.approx({1: 0.2, 2: 0.35, 10: 0.45})
    assert replace(settings, turnover=0.2).leverage == settings.leverage
    assert model_from({"leverage": {"2": 1.0, "10": 3.0}, "cross": 0.4}) == settings
    with pytest.raises(LiqstratError, match=r"cross is 1\.5, expected a share"):
        model_from({"cross": 1.5})
