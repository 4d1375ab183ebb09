"""What happened in a session on paper, written down as it happens: orders as they were sent, and fills."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nautilus_trader.model import Currency

from liqstrat.backtest.account.bookkeeping import read_ledger
from liqstrat.backtest.account.ledger import Fill, OrderRecord
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.catalog.instruments import VENUE
from liqstrat.errors import LiqstratError
from liqstrat.held import partial_file
from liqstrat.moments import at_ns

INTENTS, FILLS, NOW = "intents.jsonl", "fills.jsonl", "now.json"
_EVERY_SECONDS = 1.0
_INTENT = (
    "order_id", "strategy", "symbol", "side", "type", "quantity", "price", "first_trigger", "reduce_only", "role",
    "submitted_ns",
)  # fmt: skip

Row = dict[str, Any]


def intents_of(orders: Sequence[OrderRecord]) -> list[Row]:
    """What was asked for, in order of time."""
    rows = [{name: getattr(order, name) for name in _INTENT} for order in orders]
    return [_as_text(row) for row in sorted(rows, key=lambda row: (row["submitted_ns"] or 0, row["order_id"]))]


def fills_of(fills: Sequence[Fill]) -> list[Row]:
    """What was filled, in order of time."""
    return [_as_text(asdict(fill)) for fill in fills]


def read_rows(path: Path) -> list[Row]:
    """The lines of a journal; half a one at the end, of a program that was killed, is none."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


class PaperJournal:
    """Writes into a session's folder. What stands there already, of before a restart, must come again."""

    def __init__(self, folder: Path, money: Currency) -> None:
        """money: what the account is in."""
        self._folder, self._money = folder, money
        self._before = {name: read_rows(folder / name) for name in (INTENTS, FILLS)}
        self._written = dict.fromkeys((INTENTS, FILLS), 0)
        self._due, self._sent = 0.0, -1
        self.now: dict[str, Any] = {}
        for name, rows in self._before.items():
            text = "".join(json.dumps(row) + "\n" for row in rows)
            if (folder / name).exists():
                (folder / name).write_text(text, encoding="utf-8")

    def look(self, engine: Any, strategies: Sequence[LevelStrategy], now_ns: int, *, at_once: bool) -> None:
        """Write what is new; but for `at_once`, no more than once a second."""
        sent = sum(len(one.records.sent) for one in strategies)
        is_quiet = sent == self._sent and all(one.flat for one in strategies)
        if not at_once and (is_quiet or time.monotonic() < self._due):
            return
        self._due, self._sent = time.monotonic() + _EVERY_SECONDS, sent
        ledger = read_ledger(engine.cache, strategies)
        self._write(INTENTS, intents_of(ledger.orders))
        self._write(FILLS, fills_of(ledger.fills))
        self._tell(engine, now_ns, len(ledger.orders), len(ledger.fills))

    def _write(self, name: str, rows: list[Row]) -> None:
        before, written = self._before[name], self._written[name]
        for number in range(written, min(len(rows), len(before))):
            if rows[number] != before[number]:
                raise LiqstratError(
                    f"{self._folder / name}:{number + 1}: what happened before does not come again from the "
                    "recordings; they, the strategy or the program have changed: begin a new session (--session)"
                )
        new = rows[max(len(before), written) :]
        if new:
            with (self._folder / name).open("a", encoding="utf-8") as file:
                file.write("".join(json.dumps(row) + "\n" for row in new))
        self._written[name] = max(written, len(rows))

    def _tell(self, engine: Any, now_ns: int, orders: int, fills: int) -> None:
        cache = engine.cache
        account = cache.account_for_venue(VENUE)
        unrealized = engine.portfolio.unrealized_pnls(VENUE).get(self._money)
        balance = account.balance_total(self._money).as_decimal()
        self.now = {
            "time": at_ns(now_ns).isoformat(),
            "currency": self._money.code,
            "balance": str(balance),
            "equity": str(balance + unrealized.as_decimal() if unrealized else balance),
            "positions": [
                {
                    "strategy": str(one.strategy_id),
                    "symbol": str(one.instrument_id),
                    "side": "long" if one.is_long else "short",
                    "contracts": str(one.quantity),
                    "entry": one.avg_px_open,
                }
                for one in cache.positions_open()
            ],
            "resting": [
                {
                    "symbol": str(one.instrument_id),
                    "side": one.side.name.lower(),
                    "type": one.order_type.name.lower(),
                    "contracts": str(one.leaves_qty),
                    "price": str(getattr(one, "price", None) or getattr(one, "trigger_price", None) or ""),
                }
                for one in cache.orders_open()
            ],
            "orders": orders,
            "fills": fills,
        }
        with partial_file(self._folder / NOW) as partial:
            partial.write_text(json.dumps(self.now, indent=2) + "\n", encoding="utf-8")


def _as_text(row: Row) -> Row:
    """As JSON has it, so that rows can be compared with those of a file."""
    return {
        name: value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
        for name, value in row.items()
    }
