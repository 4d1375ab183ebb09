"""What taker orders pay for depth, and at which price resting orders fill."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nautilus_trader.model import LiquiditySide, OrderSide, OrderType

from liqstrat.backtest.costs.depth import RecentDepth
from liqstrat.catalog.minutes import MINUTE_NS, MinuteBars
from liqstrat.config import VenueSettings
from tests.backtest.replay import Replay, Scripted, buy, make_catalog, replay, sell, tape
from tests.history import Trades

RICH = VenueSettings(balance=Decimal(100_000_000), leverage=10)
MakeMarket = Callable[..., Path]


def swinging(minutes: int = 20, contracts: float = 10.0, swing: float = 30.0) -> Trades:
    """A trade a second, every minute from 60,000 up by `swing` USDT and back; ends with its last minute."""
    seconds = np.arange(minutes * 60)
    prices = 60_000.0 + np.round(swing * (1 - np.abs(seconds % 60 - 30) / 30), 1)
    return tape(prices, contracts=contracts)


@pytest.fixture(scope="module")
def make_market(tmp_path_factory: pytest.TempPathFactory) -> MakeMarket:
    made: dict[object, Path] = {}

    def make(**how: float) -> Path:
        key = tuple(how.items())
        if key not in made:
            made[key] = make_catalog(tmp_path_factory.mktemp("market"), swinging(**how))  # type: ignore[arg-type]
        return made[key]

    return make


def restated(run: Replay, strategy: Scripted) -> list[tuple[Decimal, Decimal]]:
    """Price with depth and the exchange's fee of each fill, as results tell them."""
    counted: dict[str, int] = {}
    told = []
    for fill in strategy.fills:
        name = str(fill.client_order_id)
        impact = run.venue.fees.impact[name][counted.setdefault(name, 0)]
        counted[name] += 1
        per_contract = impact / fill.last_qty.as_decimal()
        worse = per_contract if fill.order_side == OrderSide.BUY else -per_contract
        told.append((fill.last_px.as_decimal() + worse, fill.commission.as_decimal() - impact))
    return told


def slippage(catalog: Path, contracts: str, settings: VenueSettings = RICH, at: int = 1000) -> float:
    """USDT per contract that a market buy pays above the last price when it is filled."""
    strategy = Scripted({at: buy(contracts)})
    run = replay(catalog, [strategy], settings)
    paid = sum(float(p) * float(f.last_qty) for (p, _), f in zip(restated(run, strategy), strategy.fills, strict=True))
    filled = sum(float(f.last_qty) for f in strategy.fills)
    return paid / filled - float(strategy.fills[0].last_px)


def test_a_large_order_pays_more_than_a_small_one(make_market: MakeMarket) -> None:
    small, middle, large = (slippage(make_market(), contracts) for contracts in ("0.010", "30.000", "300.000"))
    assert small == pytest.approx(0.1)
    # 600 contracts a minute over 30 USDT, a tenth of it resting: 2 contracts for each USDT.
    assert middle == pytest.approx(0.05 + 30 / 2 / 2, rel=1e-3)
    assert large == pytest.approx(0.05 + 300 / 2 / 2, rel=1e-3)


def test_the_same_order_pays_less_in_a_market_that_trades_more(make_market: MakeMarket) -> None:
    thin, thick = make_market(contracts=10.0), make_market(contracts=100.0)
    assert slippage(thin, "100.000") > 9 * slippage(thick, "100.000")


def test_the_same_order_pays_more_in_a_market_that_moves_more(make_market: MakeMarket) -> None:
    assert slippage(make_market(swing=300.0), "100.000") > 9 * slippage(make_market(swing=30.0), "100.000")


def test_more_of_the_volume_resting_makes_it_cheaper_and_without_depth_it_costs_nothing(
    make_market: MakeMarket,
) -> None:
    deeper = RICH.model_copy(update={"depth_share": 0.5})
    assert slippage(make_market(), "9.000", deeper) == pytest.approx(0.05 + 9 / 2 / 10, rel=1e-3)
    without = RICH.model_copy(update={"depth": False})
    assert slippage(make_market(), "9.000", without) == 0


def test_only_minutes_that_have_ended_count() -> None:
    bars = _bars(volume=[600.0, 600.0, 1e9], swing=[30.0, 30.0, 1.0])
    depth = RecentDepth({"BTCUSDT": bars}, share=0.1)
    just_before_the_end = bars.start_ns + 3 * MINUTE_NS - 1
    assert depth.contracts_by_price("BTCUSDT", just_before_the_end) == pytest.approx(2.0)
    assert depth.contracts_by_price("BTCUSDT", just_before_the_end + 1) > 1e6
    assert depth.contracts_by_price("BTCUSDT", bars.start_ns + MINUTE_NS - 1) == 0


@given(
    parts=st.lists(st.floats(0.001, 500), min_size=1, max_size=6),
    volume=st.floats(1, 1e5),
    swing=st.floats(0.1, 1e3),
)
def test_an_order_filled_in_parts_pays_what_it_pays_in_one(parts: list[float], volume: float, swing: float) -> None:
    bars = _bars(volume=[volume] * 3, swing=[swing] * 3)
    depth, now, tick = RecentDepth({"BTCUSDT": bars}, share=0.1), bars.start_ns + 3 * MINUTE_NS, 1e-9
    whole = depth.slippage("BTCUSDT", now, 0.0, sum(parts), tick) * sum(parts)
    filled, paid = 0.0, 0.0
    for part in parts:
        paid += depth.slippage("BTCUSDT", now, filled, part, tick) * part
        filled += part
    assert paid == pytest.approx(whole, rel=1e-9)


def test_fees_are_charged_on_the_price_with_depth_and_the_account_pays_both(make_market: MakeMarket) -> None:
    strategy = Scripted({1000: buy("50.000"), 1100: sell("50.000")})
    run = replay(make_market(), [strategy], RICH)
    told = restated(run, strategy)
    spent = Decimal(0)
    for (price, fee), fill in zip(told, strategy.fills, strict=True):
        contracts = fill.last_qty.as_decimal()
        assert fee == pytest.approx(price * contracts * Decimal("0.0005"), abs=Decimal("1e-7"))
        spent += fee + price * contracts * (1 if fill.order_side == OrderSide.BUY else -1)
    assert RICH.balance - run.balance == pytest.approx(spent, abs=Decimal("1e-6"))


def test_a_resting_target_fills_at_its_price_as_maker_also_when_price_jumps_over_it(tmp_path: Path) -> None:
    jump = tape([60_000.0] * 100 + [60_200.0] * 100, contracts=10.0)
    strategy = Scripted({5: buy("1.000"), 6: lambda s: s.send_limit(OrderSide.SELL, "1.000", "60100.0")})
    run = replay(make_catalog(tmp_path, jump), [strategy], RICH)
    target = strategy.fills[-1]
    assert (target.last_px.as_decimal(), target.liquidity_side) == (Decimal("60100.0"), LiquiditySide.MAKER)
    assert restated(run, strategy)[-1][0] == Decimal("60100.0")


def test_a_resting_target_fills_by_no_more_than_what_trades(tmp_path: Path) -> None:
    touches = tape([60_000.0] * 100 + [60_100.0] * 5 + [60_000.0] * 20, contracts=2.0)
    strategy = Scripted({5: buy("30.000"), 6: lambda s: s.send_limit(OrderSide.SELL, "30.000", "60100.0")})
    replay(make_catalog(tmp_path, touches), [strategy], RICH)
    sold = [fill.last_qty.as_decimal() for fill in strategy.fills if fill.order_side == OrderSide.SELL]
    assert sold == [Decimal(2)] * 5


def test_a_limit_order_that_takes_pays_no_more_than_its_limit(make_market: MakeMarket) -> None:
    strategy = Scripted({1020: lambda s: s.send_limit(OrderSide.BUY, "10.000", "60001.0")})
    run = replay(make_market(), [strategy], RICH)
    assert strategy.fills[0].liquidity_side == LiquiditySide.TAKER
    assert restated(run, strategy)[0][0] == Decimal("60001.0")


def test_a_stop_pays_the_price_to_which_the_market_has_fallen_and_depth(tmp_path: Path) -> None:
    gap = tape([60_000.0] * 100 + [59_000.0] * 100, contracts=10.0)
    strategy = Scripted({5: buy("1.000"), 6: lambda s: s.send_stop(OrderSide.SELL, "1.000", "59500.0")})
    run = replay(make_catalog(tmp_path, gap), [strategy], RICH)
    assert restated(run, strategy)[-1][0] <= Decimal("59000.0") - Decimal("0.1")


@pytest.mark.parametrize(
    ("prices", "paid"),
    [
        ([60_000.0 - i for i in range(60)], "59970.0"),
        ([59_800.0 - i for i in range(60)], "59800.0"),
    ],
    ids=["reached inside the bar: at the stop", "bar opens beyond it: at the open"],
)
def test_with_bars_a_stop_pays_its_trigger_or_the_open_beyond_it(
    tmp_path: Path, prices: list[float], paid: str
) -> None:
    catalog = make_catalog(tmp_path, tape([60_000.0] * 180 + prices + [59_700.0] * 60, contracts=10.0))
    strategy = Scripted({1: buy("1.000"), 2: lambda s: s.send_stop(OrderSide.SELL, "1.000", "59970.0")}, bars=True)
    run = replay(catalog, [strategy], RICH, on_bars=True)
    assert strategy.fills[-1].last_px.as_decimal() == Decimal(paid)
    assert restated(run, strategy)[-1][0] <= Decimal(paid) - Decimal("0.1")


@pytest.mark.parametrize(("low", "high", "first"), [(59_990.0, 60_200.0, "stop"), (59_800.0, 60_060.0, "target")])
def test_with_bars_the_extreme_nearer_to_the_open_is_met_first(
    tmp_path: Path, low: float, high: float, first: str
) -> None:
    both = [60_000.0] * 20 + [low] * 10 + [high] * 10 + [60_000.0] * 20
    catalog = make_catalog(tmp_path, tape([60_000.0] * 180 + both + [60_000.0] * 60, contracts=50.0))
    strategy = Scripted(
        {
            1: buy("1.000"),
            2: lambda s: (
                s.send_stop(OrderSide.SELL, "1.000", "59995.0"),
                s.send_limit(OrderSide.SELL, "1.000", "60050.0"),
            ),
        },
        bars=True,
    )
    run = replay(catalog, [strategy], RICH, on_bars=True)
    kind = run.orders[str(strategy.fills[1].client_order_id)].order_type
    assert kind == (OrderType.STOP_MARKET if first == "stop" else OrderType.LIMIT)


def test_an_error_while_charging_ends_the_run_with_it(make_market: MakeMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> float:
        raise ValueError("no depth")

    monkeypatch.setattr(RecentDepth, "slippage", fail)
    strategy = Scripted({100: buy("1.000")})
    with pytest.raises(ValueError, match="no depth"):
        replay(make_market(), [strategy], RICH)
    assert strategy.seen < 200


def _bars(volume: list[float], swing: list[float]) -> MinuteBars:
    price = np.full(len(volume), 60_000.0)
    return MinuteBars(0, price, price + np.array(swing), price, price, np.array(volume), np.full(len(price), True))
