"""What taker orders pay for depth, and at which price resting orders fill."""

from collections.abc import Callable
from dataclasses import replace as replaced
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from nautilus_trader.model import OrderSide

from liqstrat.backtest.costs.depth import RecentDepth
from liqstrat.config import VenueSettings
from tests.backtest.replay import after_start, buy, make_catalog, replay, sell, tape
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


def slippage(catalog: Path, contracts: str, settings: VenueSettings = RICH, at: int = 999) -> float:
    """USDT per contract that a market buy pays above the price of the print it meets, the first after it was sent."""
    fills = replay(catalog, [{at: buy(contracts)}], settings).fills
    paid = sum(float(fill.price * fill.quantity) for fill in fills) / sum(float(fill.quantity) for fill in fills)
    return paid - float(swinging().price[at])


def test_a_large_order_pays_more_than_a_small_one(make_market: MakeMarket) -> None:
    small, middle, large = (slippage(make_market(), contracts) for contracts in ("0.010", "30.000", "300.000"))
    assert small == pytest.approx(0.1)
    # 600 contracts a minute over 30 USDT, a tenth of it resting: 2 contracts for each USDT. Parts go to whole ticks.
    assert middle == pytest.approx(0.05 + 30 / 2 / 2, abs=0.051)
    assert large == pytest.approx(0.05 + 300 / 2 / 2, abs=0.051)


def test_a_large_order_is_filled_in_parts_each_dearer_than_the_last(make_market: MakeMarket) -> None:
    fills = replay(make_market(), [{999: buy("30.000")}], RICH).fills
    assert len(fills) == 10
    assert sum(fill.quantity for fill in fills) == 30
    prices = [fill.price for fill in fills]
    assert prices == sorted(set(prices))
    # The last part ends where 30 contracts have been eaten, 15 USDT away.
    assert float(prices[-1]) == pytest.approx(float(swinging().price[999]) + 0.05 + 28.5 / 2, abs=0.051)


def test_the_same_order_pays_less_in_a_market_that_trades_more(make_market: MakeMarket) -> None:
    thin, thick = make_market(contracts=10.0), make_market(contracts=100.0)
    assert slippage(thin, "100.000") > 9 * slippage(thick, "100.000")


def test_the_same_order_pays_more_in_a_market_that_moves_more(make_market: MakeMarket) -> None:
    assert slippage(make_market(swing=300.0), "100.000") > 9 * slippage(make_market(swing=30.0), "100.000")


def test_more_of_the_volume_resting_makes_it_cheaper_and_without_depth_it_costs_nothing(
    make_market: MakeMarket,
) -> None:
    deeper = RICH.model_copy(update={"depth_share": 0.5})
    assert slippage(make_market(), "9.000", deeper) == pytest.approx(0.05 + 9 / 2 / 10, abs=0.051)
    without = RICH.model_copy(update={"depth": False})
    assert slippage(make_market(), "9.000", without) == pytest.approx(0)


def test_fees_are_charged_on_the_price_with_depth_and_the_account_pays_both(make_market: MakeMarket) -> None:
    run = replay(make_market(), [{1000: buy("50.000"), 1100: sell("50.000")}], RICH)
    for fill in run.fills:
        assert fill.fee == pytest.approx(fill.price * fill.quantity * Decimal("0.0005"), abs=Decimal("1e-7"))
    spent = sum((fill.fee + fill.signed * fill.price for fill in run.fills), Decimal(0))
    assert RICH.balance - run.balance == pytest.approx(spent, abs=Decimal("1e-6"))


def test_slippage_is_told_against_the_last_price_when_an_order_was_sent(make_market: MakeMarket) -> None:
    run = replay(make_market(), [{1000: buy("30.000")}], RICH)
    (order,) = run.done.ledger.orders
    assert order.reference is not None
    told = sum((fill.slippage for fill in run.fills), Decimal(0))
    assert told == sum(((fill.price - order.reference) * fill.quantity for fill in run.fills), Decimal(0))
    assert told > 0


def test_a_resting_target_fills_at_its_price_as_maker_also_when_price_jumps_over_it(tmp_path: Path) -> None:
    jump = tape([60_000.0] * 100 + [60_200.0] * 100, contracts=10.0)
    script = {5: buy("1.000"), 6: lambda s: s.send_limit(OrderSide.SELL, "1.000", "60100.0")}
    target = replay(make_catalog(tmp_path, jump), [script], RICH).fills[-1]
    assert (target.price, target.maker) == (Decimal("60100.0"), True)


def test_a_resting_target_is_filled_whole_by_a_trade_through_it(tmp_path: Path) -> None:
    """However little trades there: everybody who waited at that price has been served. By either side's trades."""
    through = tape([60_000.0] * 100 + [60_100.1] + [60_000.0] * 20, contracts=2.0)
    for at in (5, 6):
        (tmp_path / str(at)).mkdir()
        script = {at: buy("30.000"), at + 2: lambda s: s.send_limit(OrderSide.SELL, "30.000", "60100.0")}
        run = replay(make_catalog(tmp_path / str(at), through), [script], RICH)
        assert [fill.quantity for fill in run.fills if fill.side == "sell"] == [Decimal(30)]


def test_a_resting_target_that_is_touched_gets_its_share_of_each_print(tmp_path: Path) -> None:
    touches = tape([60_000.0] * 100 + [60_100.0] * 5 + [60_000.0] * 20, contracts=2.0)
    script = {5: buy("30.000"), 6: lambda s: s.send_limit(OrderSide.SELL, "30.000", "60100.0")}
    catalog = make_catalog(tmp_path, touches)
    for share, parts in ((0.2, [Decimal("0.4")] * 5), (1.0, [Decimal(2)] * 5), (0.0, [])):
        run = replay(catalog, [script], RICH.model_copy(update={"touch_share": share}))
        assert [fill.quantity for fill in run.fills if fill.side == "sell"] == parts
        assert {fill.maker for fill in run.fills if fill.side == "sell"} <= {True}


def test_two_orders_at_one_price_share_what_prints_there(tmp_path: Path) -> None:
    touches = tape([60_000.0] * 100 + [60_100.0] * 5 + [60_000.0] * 20, contracts=2.0)
    script = {5: buy("30.000"), 6: lambda s: s.send_limit(OrderSide.SELL, "30.000", "60100.0")}
    run = replay(make_catalog(tmp_path, touches), [script, script], RICH)
    assert sum(fill.quantity for fill in run.fills if fill.side == "sell") == Decimal("0.4") * 5


def test_a_limit_order_that_takes_pays_no_more_than_its_limit_and_rests_with_what_is_left(
    make_market: MakeMarket,
) -> None:
    price = float(swinging().price[1020])
    script = {1020: lambda s: s.send_limit(OrderSide.BUY, "10.000", f"{price + 2:.1f}")}
    fills = replay(make_market(), [script], RICH).fills
    takes = [fill for fill in fills if not fill.maker]
    # Two contracts rest for each USDT: some four of ten are within the limit.
    assert 3 <= sum(fill.quantity for fill in takes) <= 5
    assert all(fill.price <= Decimal(f"{price + 2:.1f}") for fill in fills)
    assert sum(fill.quantity for fill in fills) == 10


def test_a_stop_pays_the_price_to_which_the_market_has_fallen_and_depth(tmp_path: Path) -> None:
    gap = tape([60_000.0] * 100 + [59_000.0] * 100, contracts=10.0)
    script = {5: buy("1.000"), 6: lambda s: s.send_stop(OrderSide.SELL, "1.000", "59500.0")}
    fills = replay(make_catalog(tmp_path, gap), [script], RICH).fills
    assert fills[-1].price <= Decimal("59000.0") - Decimal("0.1")


@pytest.mark.parametrize("takers_buy", [True, False])
def test_a_stop_is_met_by_the_first_print_at_its_trigger_whoever_took(tmp_path: Path, takers_buy: bool) -> None:
    """The engine's own bid would not move on buyers' prints."""
    falling = tape([60_000.0] * 100 + [59_500.0] + [59_400.0] * 100, contracts=10.0)
    one_sided = replaced(falling, buy=np.full(len(falling.price), takers_buy))
    script = {5: buy("1.000"), 7: lambda s: s.send_stop(OrderSide.SELL, "1.000", "59500.0")}
    fills = replay(make_catalog(tmp_path, one_sided), [script], RICH.model_copy(update={"depth": False})).fills
    assert fills[-1].price == Decimal("59500.0")
    assert after_start(fills[-1].time_ns) == timedelta(seconds=100)


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
    script = {1: buy("1.000"), 2: lambda s: s.send_stop(OrderSide.SELL, "1.000", "59970.0")}
    assert replay(catalog, [script], RICH.model_copy(update={"depth": False}), on_bars=True).fills[-1].price == Decimal(
        paid
    )
    assert replay(catalog, [script], RICH, on_bars=True).fills[-1].price <= Decimal(paid) - Decimal("0.1")


@pytest.mark.parametrize(("low", "high", "first"), [(59_990.0, 60_200.0, "stop"), (59_800.0, 60_060.0, "target")])
def test_with_bars_the_extreme_nearer_to_the_open_is_met_first(
    tmp_path: Path, low: float, high: float, first: str
) -> None:
    both = [60_000.0] * 20 + [low] * 10 + [high] * 10 + [60_000.0] * 20
    catalog = make_catalog(tmp_path, tape([60_000.0] * 180 + both + [60_000.0] * 60, contracts=50.0))
    script = {
        1: buy("1.000"),
        2: lambda s: (
            s.send_stop(OrderSide.SELL, "1.000", "59995.0"),
            s.send_limit(OrderSide.SELL, "1.000", "60050.0"),
        ),
    }
    run = replay(catalog, [script], RICH, on_bars=True)
    types = {order.order_id: order.type for order in run.done.ledger.orders}
    assert types[run.fills[1].order_id] == ("stop_market" if first == "stop" else "limit")


def test_with_bars_a_touched_target_gets_a_share_of_an_even_part_of_the_minute(tmp_path: Path) -> None:
    """600 contracts in a minute of 101 prices: six of them at its high, of which a fifth."""
    minute = [60_000.0 + 0.1 * (i % 101) for i in range(60)] + [60_010.0] * 0
    minute[30] = 60_010.0
    catalog = make_catalog(tmp_path, tape([60_000.0] * 180 + minute + [60_000.0] * 60, contracts=10.0))
    script = {1: buy("30.000"), 2: lambda s: s.send_limit(OrderSide.SELL, "30.000", "60010.0")}
    run = replay(catalog, [script], RICH, on_bars=True)
    assert [fill.quantity for fill in run.fills if fill.side == "sell"] == [pytest.approx(Decimal("1.188"))]


def test_an_error_while_filling_ends_the_run_with_it(make_market: MakeMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> float:
        raise ValueError("no depth")

    monkeypatch.setattr(RecentDepth, "slippage", fail)
    with pytest.raises(ValueError, match="no depth"):
        replay(make_market(), [{100: buy("1.000")}], RICH)
