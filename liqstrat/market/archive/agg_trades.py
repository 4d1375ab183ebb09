"""aggTrades: fills of one taker order at one price, within 100 ms, as one row."""

from liqstrat.market.archive.layout import Layout, column, epoch, epoch_check, not_negative, positive, zero

_PRICE = "DECIMAL(18,8)"
# Under this many USDT a product of doubles is exact to the eighth digit, and six times as fast as one of decimals.
_EXACT_BELOW = "1e7"

ARCHIVE = Layout(
    name="aggTrades",
    kind="trades",
    columns=(
        column("agg_trade_id", "BIGINT"),
        column("price", _PRICE),
        column("quantity", _PRICE),
        column("first_trade_id", "BIGINT", used=False),
        column("last_trade_id", "BIGINT", used=False),
        column("transact_time", "BIGINT"),
        column("is_buyer_maker", "BOOLEAN"),
    ),
    rows={
        "agg_trade_id": "agg_trade_id",
        "timestamp": epoch("transact_time"),
        "price": "price",
        "quantity": "quantity",
        "side": "if(is_buyer_maker, 'sell', 'buy')",
        "gross_value": (
            f"if(price::double * quantity::double < {_EXACT_BELOW}, "
            "(price::double * quantity::double)::decimal(18,8)::decimal(38,8), "
            "(price::decimal(38,8) * quantity)::decimal(38,8))"
        ),
    },
    checks=(*positive("price"), *not_negative("quantity"), epoch_check("transact_time", microseconds=True)),
    # Without a header nothing else tells the two columns apart: prices of a file lie close, quantities do not.
    file_checks=(
        (
            "count(*) >= 20 and max(price) / 100 > min(price) and max(quantity)::double < 1.5 * min(quantity)::double",
            "has prices that differ a hundredfold and quantities that hardly do: its columns price and quantity are "
            "swapped, expected agg_trade_id, price, quantity, …",
        ),
    ),
    key=("agg_trade_id",),
    leave_out=zero("quantity"),
)

LAYOUTS = (ARCHIVE,)
