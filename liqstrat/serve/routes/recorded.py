"""What was really liquidated, as far as it is on record."""

from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from liqstrat.market.store import Store
from liqstrat.serve import schema
from liqstrat.serve.answers import Answer
from liqstrat.serve.limits import LONGEST, MOST_ROWS
from liqstrat.serve.params import Between, Interval, Side, minutes
from liqstrat.serve.refusals import as_rows
from liqstrat.serve.routes.market import bounded
from liqstrat.serve.served import Here

router = APIRouter(prefix="/liquidations", tags=["liquidations"])


class HistoryQuery(Between):
    side: Annotated[Side, Field(description="Of the positions that were liquidated.")] = "both"
    aggregate: Annotated[Interval | None, Field(description="Sums by interval and side, in place of each one.")] = None
    min_notional: Annotated[float, Field(ge=0, le=1e15, description="Leave out smaller ones.")] = 0.0
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS, description="The latest of the range are given.")] = 5000


@router.get("/history", response_model=schema.History, responses=as_rows())
async def history(request: Request, here: Here, asked: Annotated[HistoryQuery, Query()]) -> Response:
    """Recorded liquidations, each or summed; where none are on record, an empty list."""

    def make(store: Store) -> Answer:
        start, end = bounded(asked.start_time, asked.end_time, LONGEST)
        rows = store.liquidations(asked.symbol, start, end)
        contract = store.contract(asked.symbol)
        worth = contract.worth(np.asarray(rows["price"], dtype=np.float64))
        rows = rows.append_column("notional", pa.array(worth * np.asarray(rows["contracts"], dtype=np.float64)))
        if asked.side != "both":
            rows = rows.filter(pc.equal(rows["side"], asked.side))
        if asked.min_notional:
            rows = rows.filter(pc.greater_equal(rows["notional"], asked.min_notional))
        recorded = len(rows)
        if asked.aggregate is not None:
            rows = _summed(rows, int(minutes(asked.aggregate).total_seconds()))
        kept = rows.slice(max(len(rows) - asked.limit, 0))
        about = {
            "symbol": asked.symbol,
            "quote": contract.quote,
            "origin": "SIMULATED" if store.simulated(asked.symbol) else "real",
            "aggregate": asked.aggregate,
            "recorded": recorded,
            "left_out": len(rows) - len(kept),
        }
        return Answer(about, kept, "liquidations")

    source = here.sources.get(asked.data)
    return await here.answer(request, source, ("history", asked.model_dump_json()), make)


def _summed(rows: pa.Table, seconds: int) -> pa.Table:
    """Sums by the start of the interval and side."""
    step = seconds * 1_000_000
    opened = np.asarray(rows["time"].cast(pa.int64())) // step * step
    times = pa.array(opened, pa.int64()).cast(pa.timestamp("us", "UTC"))
    by = rows.set_column(0, "time", times).group_by(["time", "side"])
    sums = by.aggregate([("contracts", "count"), ("contracts", "sum"), ("notional", "sum")])
    sums = sums.select(["time", "side", "contracts_count", "contracts_sum", "notional_sum"])
    return sums.rename_columns(["time", "side", "count", "contracts", "notional"]).sort_by(
        [("time", "ascending"), ("side", "ascending")]
    )
