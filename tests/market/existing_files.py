"""History files such as people have built by themselves; run as a script, by whatever DuckDB is there.

Every shape holds the same market: ten hours of a trade every ten seconds, open interest every five minutes, funding,
candles of five and fifteen minutes, liquidations.
"""

import sys

import duckdb

_TRADES = """
    select range + 1 as agg_trade_id, timestamp '2024-03-01' + to_seconds(10 * range) as timestamp,
           'BTCUSDT' as symbol, 'binance' as exchange, (60000.1 + range % 977)::decimal(18,8) as price,
           (0.001 * (range % 89 + 1))::decimal(18,8) as quantity, if(range % 3 = 0, 'sell', 'buy') as side,
           (60000.1 + range % 977)::decimal(38,8) * 0.001 * (range % 89 + 1) as gross_value
    from range(3600)
"""
_OPEN_INTEREST = """
    select timestamp '2024-03-01 00:05:00' + to_minutes(5 * range) as timestamp, 'BTCUSDT' as symbol,
           6e9::decimal(28,8) as open_interest_value, (80000 + range * 1.5)::decimal(28,8) as open_interest_contracts
    from range(120)
"""
_FUNDING = """
    select timestamp '2024-03-01 00:00:00.007' + to_hours(8 * range) as timestamp, 'BTCUSDT' as symbol,
           (0.0001 * (range + 1))::decimal(18,8) as funding_rate
    from range(2)
"""
_KLINES = """
    select timestamp '2024-03-01' + to_minutes({minutes} * range) as timestamp, 'BTCUSDT' as symbol,
           60000::decimal(18,8) as open, 60010.5::decimal(18,8) as high, 59990::decimal(18,8) as low,
           60005::decimal(18,8) as close, (12.5 + range)::decimal(28,8) as volume
    from range({count})
"""
_LIQUIDATIONS = """
    select timestamp '2024-03-01 01:00:00' + to_seconds(range) as timestamp, 'BTCUSDT' as symbol,
           if(range % 2 = 0, 'buy', 'sell') as side, 0.5::decimal(18,8) as quantity, 60000::decimal(18,8) as price
    from range(5)
"""
_TABLES = {
    "aggtrades_history": _TRADES,
    "open_interest_history": _OPEN_INTEREST,
    "funding_rate_history": _FUNDING,
    "klines_5m_history": _KLINES.format(minutes=5, count=120),
    "klines_15m_history": _KLINES.format(minutes=15, count=40),
    "liquidation_history": _LIQUIDATIONS,
}
_DOUBLES = (
    "replace (price::double as price, quantity::double as quantity)",
    "replace (open_interest_value::double as open_interest_value, "
    "open_interest_contracts::double as open_interest_contracts)",
    "replace (funding_rate::double as funding_rate)",
    "replace (open::double as open, high::double as high, low::double as low, close::double as close, "
    "volume::double as volume)",
    "replace (open::double as open, high::double as high, low::double as low, close::double as close, "
    "volume::double as volume)",
    "replace (price::double as price, quantity::double as quantity)",
)
_ZONED = "replace (timestamp at time zone 'UTC' as timestamp)"
_SIDE = "if(agg_trade_id % 2 = 0, upper(side), upper(side[1]) || side[2:]) as side"
_CAPITALS = f"replace ({_SIDE})"
#: Doubles, sides in any case, no exchange: all at once.
_ROUGH = f"exclude (exchange, gross_value) {_DOUBLES[0][:-1]}, {_SIDE})"

# The first with wheels for Python 3.13, and the last of the 1.x.
OLD_VERSIONS = ("1.1.3", "1.4.4")
SHAPES = ("decimal", "double", "zoned", "no exchange", "capital sides", "nanoseconds", "views", "keyed", "rough")


def write(path: str, shape: str) -> None:
    """Make the file at `path` in one of `SHAPES`."""
    connection = duckdb.connect(path)
    connection.execute("set TimeZone = 'Asia/Tokyo'")
    for i, (table, sql) in enumerate(_TABLES.items()):
        trades = table == "aggtrades_history"
        change = ""
        if shape == "rough" and trades:
            change = _ROUGH
        elif shape in ("double", "rough"):
            change = _DOUBLES[i]
        elif shape == "zoned":
            change = _ZONED
        elif shape == "nanoseconds":
            change = "replace (timestamp::timestamp_ns as timestamp)"
        elif shape == "no exchange" and trades:
            change = "exclude (exchange, gross_value)"
        elif shape == "capital sides" and trades:
            change = _CAPITALS
        query = f"select * {change} from ({sql})"
        if shape == "views":
            connection.execute(f"create table {table}_rows as {query}")
            connection.execute(f"create view {table} as select * from {table}_rows")
        else:
            connection.execute(f"create table {table} as {query}")
    if shape == "keyed":
        connection.execute("create unique index trade_ids on aggtrades_history (symbol, agg_trade_id)")
    connection.close()


if __name__ == "__main__":
    for shape in SHAPES:
        write(f"{sys.argv[1]}/{shape}.duckdb", shape)
