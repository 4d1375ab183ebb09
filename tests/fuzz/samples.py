"""Small right files of every kind, as the archive, the API and recorders have them."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DAY = datetime(2024, 3, 1, tzinfo=UTC)
DAY_MS = int(DAY.timestamp()) * 1000

HEADERS = {
    "aggTrades": "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
    "metrics": (
        "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,"
        "sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio"
    ),
    "fundingRate": "calc_time,funding_interval_hours,last_funding_rate",
    "1m": (
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
    ),
    "bybitTrades": (
        "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional"
    ),
    "liquidationSnapshot": (
        "time,side,order_type,time_in_force,original_quantity,price,average_price,order_status,last_fill_quantity,"
        "accumulated_fill_quantity"
    ),
}


@dataclass(frozen=True)
class Sample:
    """A file: `kind` is the word of its name, or the format of its JSON; `symbol` is in the name, and in the rows."""

    kind: str
    symbol: str
    name: str
    text: str

    @property
    def is_json(self) -> bool:
        return self.name.endswith((".json", ".jsonl"))


def _number(rng: random.Random, low: float, high: float, digits: int) -> str:
    return f"{rng.uniform(low, high):.{digits}f}"


def _trades(rng: random.Random, symbol: str) -> list[str]:
    first, scale = rng.randrange(1, 10**6), rng.choice((1, 1, 1000))
    return [
        f"{first + i},{_number(rng, 0.1, 90_000, rng.choice((0, 1, 8)))},{_number(rng, 0.01, 9, 3)},{i},{i},"
        f"{(DAY_MS + i * 700) * scale},{rng.choice(('true', 'false', 'True', 'FALSE'))}"
        for i in range(rng.randrange(1, 14))
    ]


def _metrics(rng: random.Random, symbol: str) -> list[str]:
    first, count = rng.choice(((0, 12), (1, 12), (276, 12), (277, 12), (100, 10), (0, 289), (1, 288)))
    return [
        f"{DAY + timedelta(minutes=5 * (first + i)):%Y-%m-%d %H:%M:%S},{symbol},{_number(rng, 10, 9e4, 3)},"
        f"{_number(rng, 1e5, 9e9, 4)},{rng.choice(('', '1.5'))},1.25,1,{rng.choice(('', '0.5', 'nan'))}"
        for i in range(count)
    ]


def _funding(rng: random.Random, symbol: str) -> list[str]:
    return [f"{DAY_MS + 28_800_000 * i + rng.randrange(9)},8,{_number(rng, -0.01, 0.01, 8)}" for i in range(5)]


def _klines(rng: random.Random, symbol: str) -> list[str]:
    lines = []
    for minute in range(rng.randrange(2, 9)):
        low, begin = rng.uniform(1, 90_000), DAY_MS + 60_000 * minute
        prices = f"{low * 1.01:.2f},{low * 1.02:.2f},{low:.2f},{low * 1.015:.2f}"
        lines.append(f"{begin},{prices},{_number(rng, 1, 9e6, 3)},{begin + 59_999},5.5,7,0.5,1,0")
    return lines


def _liquidations(rng: random.Random, symbol: str) -> list[str]:
    return [
        f"{DAY_MS + 900 * i},{rng.choice(('BUY', 'SELL'))},LIMIT,IOC,{_number(rng, 0.01, 9, 3)},"
        f"{_number(rng, 1, 9e4, 2)},{rng.choice(('0', '59000.5', ''))},FILLED,1,1"
        for i in range(rng.randrange(1, 9))
    ]


def _bybit_trades(rng: random.Random, symbol: str) -> list[str]:
    begin, ends = DAY_MS // 1000, (",0" if rng.random() < 0.5 else "")
    lines = [HEADERS["bybitTrades"] + (",RPI" if ends else "")]
    for i in range(rng.randrange(1, 12)):
        size, price = _number(rng, 0.001, 9, 3), _number(rng, 1, 9e4, rng.choice((0, 1, 2)))
        time = f"{begin + i * 0.7 + rng.random() / 9:.{rng.choice((0, 1, 4))}f}"
        side, match = rng.choice(("Buy", "Sell")), f"{rng.getrandbits(64):016x}-{i}"
        lines.append(f"{time},{symbol},{side},{size},{price},PlusTick,{match},1e+10,{size},5.5{ends}")
    return lines


def _bybit_minutes(rng: random.Random, symbol: str) -> list[str]:
    """Candles of the archive, of a clock three hours ahead."""
    lines, hour = [], rng.choice(("00", "02", "23"))
    for minute in range(rng.randrange(1, 9)):
        low = rng.uniform(1, 90_000)
        prices = f"{low * 1.01:.2f},{low * 1.02:.2f},{low:.2f},{low * 1.015:.2f}"
        lines.append(f"2024.03.01 {hour}:{minute:02},{prices},{_number(rng, 1, 9e6, 3)}")
    return lines


ARCHIVE: dict[str, Callable[[random.Random, str], list[str]]] = {
    "aggTrades": _trades,
    "metrics": _metrics,
    "fundingRate": _funding,
    "1m": _klines,
    "liquidationSnapshot": _liquidations,
}


def _json_trades(rng: random.Random, symbol: str) -> list[object]:
    return [
        {"a": 10 + i, "p": _number(rng, 1, 9e4, 2), "q": "0.5", "f": i, "l": i, "T": DAY_MS + i, "m": i % 2 == 0}
        for i in range(rng.randrange(1, 9))
    ]


def _json_interest(rng: random.Random, symbol: str) -> list[object]:
    return [
        {"symbol": symbol, "sumOpenInterest": _number(rng, 1, 9e4, 3), "sumOpenInterestValue": "5.5",
         "timestamp": DAY_MS + 300_000 * i}
        for i in range(rng.randrange(1, 9))
    ]  # fmt: skip


def _json_funding(rng: random.Random, symbol: str) -> list[object]:
    return [
        {"symbol": symbol, "fundingTime": DAY_MS + 28_800_000 * i, "fundingRate": _number(rng, -0.01, 0.01, 8)}
        for i in range(3)
    ]


def _json_frames(rng: random.Random, symbol: str) -> list[object]:
    frames: list[object] = [{"result": None, "id": 1}] if rng.random() < 0.3 else []
    for i in range(rng.randrange(1, 7)):
        order = {"s": symbol, "S": rng.choice(("BUY", "SELL")), "q": "0.5", "p": _number(rng, 1, 9e4, 2), "ap": "0"}
        frame = {"e": "forceOrder", "o": {**order, "X": "FILLED", "T": DAY_MS + 1000 * i}}
        frames.append({"stream": "!forceOrder@arr", "data": frame} if rng.random() < 0.3 else frame)
    return frames


def _bybit_interest(rng: random.Random, symbol: str) -> list[object]:
    def one(minute: int) -> dict[str, str]:
        both = {
            "openInterest": _number(rng, 1, 9e4, rng.choice((0, 3, 8))),
            "timestamp": str(DAY_MS + 300_000 * minute),
        }
        return both | ({"singleOpenInterest": _number(rng, 1, 9e4, 3)} if rng.random() < 0.5 else {})

    listed = [one(minute) for minute in range(rng.randrange(1, 6))]
    result = {"symbol": symbol, "category": "linear", "list": listed, "nextPageCursor": ""}
    return [{"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": DAY_MS}]


def _bybit_liquidations(rng: random.Random, symbol: str) -> list[object]:
    frames: list[object] = []
    for i in range(rng.randrange(1, 5)):
        time, side, size = DAY_MS + 1000 * i, rng.choice(("Buy", "Sell")), _number(rng, 0.1, 9, 2)
        if rng.random() < 0.6:
            one = {"T": time, "s": symbol, "S": side, "v": size, "p": "59000.5"}
            more = {**one, "T": time + 1} if rng.random() < 0.5 else one
            frames.append({"topic": f"allLiquidation.{symbol}", "type": "snapshot", "ts": time, "data": [one, more]})
        else:
            old = {"updatedTime": time, "symbol": symbol, "side": side, "size": size, "price": "0.5"}
            frames.append({"topic": f"liquidation.{symbol}", "type": "snapshot", "ts": time, "data": old})
    return frames


def _bybit_candles(rng: random.Random, symbol: str) -> list[object]:
    listed = [[*line.split(",")[:6], "5.5"] for line in _klines(rng, symbol)]
    result = {"symbol": symbol, "category": "linear", "list": listed[::-1]}
    asked = DAY_MS + 60_000 * rng.randrange(1, 12)
    return [{"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": asked}]


def _bybit_rates(rng: random.Random, symbol: str) -> list[object]:
    listed = [
        {"symbol": symbol, "fundingRate": _number(rng, -0.01, 0.01, 8),
         "fundingRateTimestamp": str(DAY_MS + 28_800_000 * i)}
        for i in range(3)
    ]  # fmt: skip
    return [{"retCode": 0, "result": {"category": "linear", "list": listed}, "time": DAY_MS}]


def _json_candles(rng: random.Random, symbol: str) -> list[object]:
    return [
        [int(cell) if cell.isdigit() and i in (0, 6, 8) else cell for i, cell in enumerate(line.split(","))]
        for line in _klines(rng, symbol)
    ]


JSON: dict[str, Callable[[random.Random, str], list[object]]] = {
    "trades": _json_trades,
    "openInterestHist": _json_interest,
    "funding": _json_funding,
    "forceOrder": _json_frames,
    "bybitInterest": _bybit_interest,
    "bybitLiquidations": _bybit_liquidations,
    "bybitCandles": _bybit_candles,
    "bybitRates": _bybit_rates,
    "candles": _json_candles,
}


def _brackets(rng: random.Random, symbol: str) -> list[object]:
    def one(name: str) -> object:
        levels, floor, amount, rate = [], 0, 0.0, 0.0
        for cap, leverage in ((5000, 50), (25_000, 20), (100_000, 10)):
            step = rng.choice((0.01, 0.005, 0.02))
            amount += floor * step if floor else 0.0
            rate += step
            levels.append({"notionalFloor": floor, "notionalCap": cap, "maintMarginRatio": round(rate, 4),
                           "cum": round(amount, 2), "initialLeverage": leverage})  # fmt: skip
            floor = cap
        return {"symbol": name, "brackets": levels}

    return [one(symbol), one(f"X{symbol}")]


def _listings(rng: random.Random, symbol: str) -> object:
    def one(name: str) -> object:
        return {
            "symbol": name, "contractType": "PERPETUAL", "status": "TRADING", "baseAsset": "X", "quoteAsset": "USDT",
            "onboardDate": DAY_MS, "liquidationFee": "0.0125",
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": rng.choice(("0.10", "1e-5", "1"))},
                {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001", "maxQty": "1000"},
                {"filterType": "MARKET_LOT_SIZE", "maxQty": "100"},
                {"filterType": "MIN_NOTIONAL", "notional": "5"},
            ],
        }  # fmt: skip

    return {"serverTime": DAY_MS, "symbols": [one(symbol), one(f"X{symbol}")]}


def _bybit_limits(rng: random.Random, symbol: str) -> object:
    def one(name: str) -> list[dict[str, object]]:
        listed: list[dict[str, object]] = []
        floor, amount, rate = 0, 0.0, 0.0
        percent = rng.choice((1, 1, 100))
        for cap, leverage in ((2_000_000, 50), (5_000_000, 25), (9_000_000, 12.5)):
            step = rng.choice((0.01, 0.005))
            amount, rate = amount + floor * step, rate + step
            told = {"mmDeduction": f"{amount:.2f}" if floor else ""} if rng.random() < 0.7 else {}
            listed.append(
                {"id": 1, "symbol": name, "riskLimitValue": str(cap), "maintenanceMargin": f"{rate * percent:g}",
                 "initialMargin": f"{percent / leverage:g}", "maxLeverage": f"{leverage:.2f}", **told}
            )  # fmt: skip
            floor = cap
        return listed

    result = {"category": "linear", "list": one(symbol) + one(f"X{symbol}")}
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": DAY_MS}


REFERENCE: dict[str, Callable[[random.Random, str], object]] = {
    "brackets": _brackets,
    "listings": _listings,
    "bybitLimits": _bybit_limits,
}
KINDS = (*ARCHIVE, "bybitTrades", "bybitMinutes", *JSON, *REFERENCE)


def sample(rng: random.Random, kind: str, symbol: str) -> Sample:
    """A right file of the kind."""
    if kind in ARCHIVE:
        lines = ARCHIVE[kind](rng, symbol)
        header = [HEADERS[kind]] if rng.random() < 0.5 else []
        period = "2024-03" if kind == "fundingRate" or rng.random() < 0.2 else "2024-03-01"
        return Sample(kind, symbol, f"{symbol}-{kind}-{period}.csv", "\n".join([*header, *lines, ""]))
    if kind == "bybitTrades":
        return Sample(kind, symbol, f"{symbol}2024-03-01.csv", "\n".join([*_bybit_trades(rng, symbol), ""]))
    if kind == "bybitMinutes":
        return Sample(
            kind, symbol, f"{symbol}_1_2024-03-01_2024-03-31.csv", "\n".join([*_bybit_minutes(rng, symbol), ""])
        )
    if kind in REFERENCE:
        document = REFERENCE[kind](rng, symbol)
        return Sample(kind, symbol, f"{symbol} 2024-03-01.json", json.dumps(document, indent=rng.choice((None, 1))))
    entries = JSON[kind](rng, symbol)
    if rng.random() < 0.5:
        return Sample(kind, symbol, f"{symbol}.jsonl", "\n".join([*map(json.dumps, entries), ""]))
    return Sample(kind, symbol, f"{symbol}.json", json.dumps(entries, indent=rng.choice((None, 2))))
