"""liquidationSnapshot: orders that liquidated positions. Rows have no id, and the archive often has them twice."""

from dataclasses import replace

from liqstrat.market.archive.layout import (
    SYMBOL,
    Check,
    Layout,
    column,
    epoch,
    epoch_check,
    not_negative,
    positive,
    zero,
)

_PRICE = "DECIMAL(18,8)"

ARCHIVE = Layout(
    name="liquidationSnapshot",
    kind="liquidations",
    columns=(
        column("time", "BIGINT"),
        column("side", "VARCHAR"),
        column("order_type", "VARCHAR", used=False),
        column("time_in_force", "VARCHAR", used=False),
        column("original_quantity", _PRICE),
        column("price", _PRICE),
        column("average_price", _PRICE, optional=True),
        column("order_status", "VARCHAR", optional=True),
        column("last_fill_quantity", _PRICE, used=False),
        column("accumulated_fill_quantity", _PRICE, used=False),
    ),
    rows={
        "timestamp": epoch("time"),
        "side": "lower(side)",
        "quantity": "original_quantity",
        "price": "price",
        "average_price": "nullif(average_price, 0)",
        "status": "order_status",
    },
    checks=(
        epoch_check("time"),
        Check("lower(side) not in ('buy', 'sell')", "side", "BUY or SELL"),
        *positive("price"),
        *not_negative("original_quantity", "average_price"),
    ),
    leave_out=zero("original_quantity"),
    key=("timestamp", "side", "quantity", "price", "average_price", "status"),
    may_be_empty=True,
)

#: As streams tell of them: less what is not used.
WITH_SYMBOL = replace(
    ARCHIVE,
    columns=(column("symbol", "VARCHAR", SYMBOL), *(one for one in ARCHIVE.columns if one.used)),
    symbol_column="symbol",
)

LAYOUTS = (ARCHIVE,)
