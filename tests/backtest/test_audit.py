"""An audit from outside: fills, fees, funding, profits and equity of five simulated days, recomputed out of the
database with nothing of the package but its results."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from liqstrat.app import run_backtest
from liqstrat.config import RunFile
from liqstrat.market.ingest import ingest
from liqstrat.market.simulator import SimulationSettings, simulate
from tests.once import made_once

BALANCE, MAKER, TAKER, LATENCY = 100_000.0, 0.0002, 0.0005, pd.Timedelta(milliseconds=50)
TICK, DEPTH_SHARE, TOUCH_SHARE, WINDOW = 0.1, 0.1, 0.2, 15
MINUTE = pd.Timedelta(minutes=1)
MARKET = SimulationSettings(step_seconds=30, warmup_days=2, warmup_step_seconds=300, trades=9_000, positions=2_000)
BUSY = [
    {"use": "RandomEntry", "params": {"per_day": 40, "stop": 0.004}},
    {"use": "RandomEntry", "params": {"per_day": 25, "stop": 0.002, "seed": 5, "reward": 0.7}},
    {"use": "LevelMagnet", "params": {"min_ratio": 1.2, "min_distance": 0.002, "max_hours": 3}},
]


@dataclass
class Audit:
    """The results of a run as data frames, the tape as the database has it, and minutes made from that."""

    resolution: str
    orders: pd.DataFrame
    fills: pd.DataFrame
    positions: pd.DataFrame
    funding: pd.DataFrame
    equity: pd.DataFrame
    tape: pd.DataFrame
    minutes: pd.DataFrame
    rates: pd.DataFrame

    @property
    def end(self) -> pd.Timestamp:
        """When the run ended."""
        last: pd.Timestamp = self.equity["time"].iloc[-1]
        return last


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six simulated days in a database."""

    def make(folder: Path) -> None:
        simulate(folder / "archive", "BTCUSDT", days=6, seed=77, start=date(2024, 3, 1), settings=MARKET)
        ingest([folder / "archive"], folder / "days.duckdb")

    return made_once(tmp_path_factory, "audited-days", make) / "days.duckdb"


@pytest.fixture(scope="module", params=[pytest.param("tick", marks=pytest.mark.slow), "1m"])
def audit(history: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Audit:
    folder = tmp_path_factory.mktemp("audit")
    run = RunFile.model_validate(
        {
            "name": "audit",
            "symbols": ["BTCUSDT"],
            "from": datetime(2024, 3, 2, tzinfo=UTC),
            "to": datetime(2024, 3, 7, tzinfo=UTC),
            "resolution": request.param,
            "data": {"db": history, "catalog": folder / "nautilus"},
            "strategies": BUSY,
        }
    )
    made = run_backtest(run, folder / "results", report=False)
    tables = {name: pd.read_parquet(made / f"{name}.parquet") for name in ("orders", "fills", "positions", "funding")}
    with duckdb.connect(str(history), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        tape = connection.execute(
            "select timestamp as time, price::double as price, quantity::double as quantity from aggtrades_history "
            "order by timestamp, agg_trade_id"
        ).df()
        rates = connection.execute(
            "select timestamp as time, funding_rate::double as rate from funding_rate_history order by timestamp"
        ).df()
    for table in (tape, rates):
        table["time"] = pd.to_datetime(table["time"], utc=True).astype("datetime64[ns, UTC]")
    by_minute = tape.groupby(tape["time"].dt.floor("min"))
    minutes = by_minute["price"].agg(["first", "max", "min", "last"]).join(by_minute["quantity"].sum())
    equity = pd.read_parquet(made / "equity.parquet")
    return Audit(request.param, **tables, equity=equity, tape=tape, minutes=minutes, rates=rates)


def test_there_is_enough_to_audit(audit: Audit) -> None:
    roles = audit.fills.groupby("role").size()
    assert {"entry", "stop", "target"} <= set(roles.index)
    assert roles.min() >= 15
    assert len(audit.funding) > 5
    assert (
        audit.resolution == "1m" or (audit.fills[audit.fills["role"] == "target"].groupby("order_id").size() > 1).any()
    )


def depth_at(audit: Audit, time: pd.Timestamp) -> float:
    """Contracts for each USDT of price in the book, from the last minutes that traded and had ended."""
    ended = audit.minutes[audit.minutes.index + MINUTE <= time].iloc[-WINDOW:]
    return float(DEPTH_SHARE * ended["quantity"].sum() / (ended["max"] - ended["min"]).sum())


def met_by(audit: Audit, arrival: pd.Timestamp) -> tuple[pd.Timestamp, float]:
    """When an order that arrives at `arrival` meets the market, and at which price."""
    if audit.resolution == "tick":
        found = audit.tape.iloc[int(audit.tape["time"].searchsorted(arrival))]
        return found["time"], float(found["price"])
    minute = audit.minutes.index[audit.minutes.index.searchsorted(arrival.floor("min"))]
    return max(arrival, minute), float(audit.minutes.loc[minute, "first"])


def pays(audit: Audit, order: Any, fills: pd.DataFrame, start: float) -> None:
    """The fills of an order that takes cost what a walk through the book from `start` on costs."""
    worse = 1 if order.side == "buy" else -1
    contracts = fills["quantity"].sum()
    mean = (fills["price"] * fills["quantity"]).sum() / contracts
    walked = contracts / 2 / depth_at(audit, fills["time"].iloc[0])
    expected = start + worse * max(TICK / 2 + walked, TICK)
    # Each of up to ten parts goes to a whole tick.
    assert mean == pytest.approx(expected, abs=TICK * 0.55), order
    assert ((fills["price"] - start) * worse >= TICK * 0.999).all()


def of_role(audit: Audit, *roles: str) -> list[tuple[Any, pd.DataFrame]]:
    filled = dict(list(audit.fills.groupby("order_id")))
    return [
        (order, filled[order.order_id]) for order in audit.orders.itertuples() if order.role in roles and order.filled
    ]


def test_market_orders_meet_the_first_print_after_their_latency_and_pay_for_depth(audit: Audit) -> None:
    for order, fills in of_role(audit, "entry", "exit"):
        time, start = met_by(audit, order.time_submitted + LATENCY)
        assert set(fills["time"]) == {time}
        pays(audit, order, fills, start)


def accepted(audit: Audit, order: Any) -> pd.Timestamp:
    """When the entry that a stop or target belongs to was filled, of the same three orders: from then on it waits."""
    head, _, number = order.order_id.rpartition("-")
    earlier = [f"{head}-{int(number) - k}" for k in (1, 2)]
    entries = audit.orders[audit.orders["order_id"].isin(earlier) & (audit.orders["role"] == "entry")]
    time: pd.Timestamp = audit.fills.loc[audit.fills["order_id"].isin(entries["order_id"]), "time"].max()
    return time


def test_stops_meet_the_first_print_at_or_beyond_their_trigger(audit: Audit) -> None:
    for order, fills in of_role(audit, "stop"):
        since, beyond = accepted(audit, order), 1 if order.side == "buy" else -1
        if audit.resolution == "tick":
            later = audit.tape[audit.tape["time"] > since]
            reached = later[(later["price"] - order.trigger_price) * beyond >= 0].iloc[0]
            time, start = reached["time"], float(reached["price"])
        else:
            later = audit.minutes[audit.minutes.index + MINUTE > since]
            extreme = later["max"] if beyond > 0 else later["min"]
            reached = later[(extreme - order.trigger_price) * beyond >= 0].iloc[0]
            time = reached.name + MINUTE
            opened_beyond = (reached["first"] - order.trigger_price) * beyond > 0
            start = float(reached["first"]) if opened_beyond else order.trigger_price
        assert set(fills["time"]) == {time}, order
        pays(audit, order, fills, start)


def test_targets_fill_at_their_price_whole_when_traded_through_and_by_a_share_of_what_prints_there(
    audit: Audit,
) -> None:
    for order, fills in of_role(audit, "target"):
        since, beyond = accepted(audit, order), 1 if order.side == "sell" else -1
        if (fills["liquidity"] == "taker").any():
            # Price had jumped beyond it before its entry was filled.
            assert set(fills["time"]) == {since}
            assert ((fills["price"] - order.price) * beyond >= 0).all()
            continue
        assert (fills["price"] == order.price).all()
        if audit.resolution == "tick":
            later = audit.tape[(audit.tape["time"] > since) & (audit.tape["time"] <= fills["time"].max())]
            at = later[later["price"] == order.price].groupby("time")["quantity"].sum()
            through = later[(later["price"] - order.price) * beyond > 0]["time"]
        else:
            later = audit.minutes[(audit.minutes.index + MINUTE > since) & (audit.minutes.index < fills["time"].max())]
            extreme = later["max"] if beyond > 0 else later["min"]
            touched = later[(extreme - order.price).abs() < TICK / 2]
            even = touched["quantity"] / ((touched["max"] - touched["min"]) / TICK + 1)
            at = even.set_axis(touched.index + MINUTE)
            through = (later.index + MINUTE)[((extreme - order.price) * beyond > TICK / 2).to_numpy()].to_series()
        expected = {time: np.floor(TOUCH_SHARE * q * 1000 + 1e-6) / 1000 for time, q in at.items()}
        got = fills.groupby("time")["quantity"].sum().to_dict()
        first_through = through.iloc[0] if len(through) else None
        for time, quantity in got.items():
            assert time == first_through or quantity <= expected[time] + 1e-9, order
        assert first_through is None or fills["time"].max() <= first_through, "what was traded through is filled"
        before = sum(q for time, q in expected.items() if first_through is None or time < first_through)
        total = fills["quantity"].sum()
        if total < order.quantity - 1e-9:
            assert total == pytest.approx(before, abs=1e-9), order


def test_fees_are_the_rates_to_the_last_digit(audit: Audit) -> None:
    rate = np.where(audit.fills["liquidity"] == "maker", MAKER, TAKER)
    np.testing.assert_allclose(audit.fills["fee"], audit.fills["price"] * audit.fills["quantity"] * rate, atol=1e-8)


def signed(audit: Audit) -> pd.DataFrame:
    way = np.where(audit.fills["side"] == "buy", 1, -1)
    contracts = audit.fills["quantity"] * way
    return audit.fills.assign(contracts=contracts, cash=-contracts * audit.fills["price"] - audit.fills["fee"])


def last_price(audit: Audit, times: pd.Series) -> np.ndarray:
    at = audit.tape["time"].searchsorted(times, side="left") - 1
    return audit.tape["price"].to_numpy()[at]


def test_funding_is_the_rate_on_what_was_held_at_the_settlement(audit: Audit) -> None:
    fills = signed(audit)
    expected = []
    rates = audit.rates.assign(hour=audit.rates["time"].dt.round("h"))
    inside = rates[(rates["hour"] >= audit.equity["time"].iloc[0]) & (rates["hour"] < audit.end)]
    for row in inside.itertuples():
        for strategy, own in fills[fills["time"] <= row.hour].groupby("strategy"):
            held = own["contracts"].sum()
            if abs(held) > 1e-9:
                price = last_price(audit, pd.Series([row.hour + pd.Timedelta(1)]))[0]
                expected.append((row.hour, strategy, -held * price * row.rate))
    told = audit.funding.sort_values(["time", "strategy"])
    wanted = pd.DataFrame(expected, columns=["time", "strategy", "amount"]).sort_values(["time", "strategy"])
    assert list(told["strategy"]) == list(wanted["strategy"])
    assert list(told["time"].dt.round("s")) == list(wanted["time"])
    np.testing.assert_allclose(told["amount"], wanted["amount"], atol=0.01)


def test_profits_of_positions_are_the_cash_that_flowed(audit: Audit) -> None:
    fills, paid = signed(audit), audit.funding["amount"].sum()
    for strategy, own in fills.groupby("strategy"):
        held = own["contracts"].cumsum().round(9)
        number = (held.shift(1, fill_value=0.0) == 0).cumsum()
        told = audit.positions[audit.positions["strategy"] == strategy].sort_values("opened", kind="stable")
        cash = own["cash"].groupby(number).sum().to_numpy()
        assert len(cash) == len(told)
        for position, flowed in zip(told.itertuples(), cash, strict=True):
            if pd.notna(position.closed):
                assert position.pnl == pytest.approx(flowed + position.funding, abs=1e-6)
    held = fills["contracts"].sum() * last_price(audit, pd.Series([audit.end]))[0]
    assert audit.equity["equity"].iloc[-1] == pytest.approx(BALANCE + fills["cash"].sum() + paid + held, abs=1e-5)


def test_equity_of_every_minute_is_cash_and_what_is_held_at_the_last_price(audit: Audit) -> None:
    fills, times = signed(audit), audit.equity["time"]

    def until(table: pd.DataFrame, column: str) -> np.ndarray:
        sums = np.concatenate(([0.0], table[column].cumsum().to_numpy()))
        return sums[table["time"].searchsorted(times, side="right")]

    fills = fills.sort_values("time")
    funding = audit.funding.sort_values("time")
    price = last_price(audit, times)
    expected = BALANCE + until(fills, "cash") + until(funding, "amount") + until(fills, "contracts") * price
    np.testing.assert_allclose(audit.equity["equity"], expected, atol=1e-5)
