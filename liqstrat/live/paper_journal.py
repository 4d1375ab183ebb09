"""What happens in a session on paper, written down as it happens: orders as they are sent, fills, funding."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from nautilus_trader.model import Currency

from liqstrat.backtest.account.bookkeeping import read_ledger
from liqstrat.backtest.account.ledger import Fill, Funding, Ledger, OrderRecord
from liqstrat.backtest.strategy import LevelStrategy
from liqstrat.errors import LiqstratError
from liqstrat.held import partial_file
from liqstrat.inputs import read_json
from liqstrat.live.lines import whole_lines
from liqstrat.live.paper_now import MUST_COME_AGAIN, standing
from liqstrat.moments import nanoseconds

INTENTS, FILLS, FUNDING, NOW = "intents.jsonl", "fills.jsonl", "funding.jsonl", "now.json"
_EVERY_SECONDS, _PATIENCE = 1.0, 20
_CHANGED = "they, the strategy or the program have changed: begin a new session (--session)"
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


def funding_of(payments: Sequence[Funding]) -> list[Row]:
    """What was paid and got, in order of time."""
    return [_as_text(asdict(payment)) for payment in payments]


KINDS: dict[str, Callable[[Ledger], list[Row]]] = {
    INTENTS: lambda ledger: intents_of(ledger.orders),
    FILLS: lambda ledger: fills_of(ledger.fills),
    FUNDING: lambda ledger: funding_of(ledger.funding),
}


def ledger_of(fills: Sequence[Row], funding: Sequence[Row]) -> Ledger:
    """The account's part of a ledger from the rows of journals."""
    amounts = ("quantity", "price", "fee", "slippage", "amount")

    def exact(row: Row) -> Row:
        return {name: Decimal(value) if name in amounts else value for name, value in row.items()}

    return Ledger([], [Fill(**exact(row)) for row in fills], [Funding(**exact(row)) for row in funding], [])


class PaperJournal:
    """Writes into a session's folder. What stands there already, of before a restart, must come again.

    check_ns: of which moment it is known how things stood; `look` is to be called then. now: how they stand. ledger:
    what they came from, None before the first look.
    """

    def __init__(self, folder: Path, money: Currency) -> None:
        """money: what the account is in."""
        self._folder, self._money = folder, money
        self._before = {name: whole_lines(folder / name, mend=True) for name in KINDS}
        self._written = dict.fromkeys(KINDS, 0)
        self._due, self._sent, self._flat = 0.0, -1, True
        self.now: dict[str, Any] = {}
        self.ledger: Ledger | None = None
        self._stood: dict[str, Any] = read_json(folder / NOW) if (folder / NOW).exists() else {}
        self.check_ns = nanoseconds(datetime.fromisoformat(self._stood["time"])) if self._stood else 0

    def look(
        self,
        engine: Any,
        strategies: Sequence[LevelStrategy],
        now_ns: int,
        last: Mapping[str, float],
        *,
        at_once: bool,
    ) -> bool:
        """Write what is new, but for `at_once` no more than once a second, and a twentieth of the time; returns whether
        it has looked.

        last: prices by symbol.
        """
        is_check, began = now_ns == self.check_ns, time.monotonic()
        if not at_once and not is_check and began < self._due:
            return False
        sent = sum(len(one.records.sent) + len(one.records.refusals) for one in strategies)
        flat, was_flat = all(one.flat for one in strategies), self._flat
        if self.ledger is None or sent != self._sent or not (flat and was_flat):
            self.ledger = read_ledger(engine.cache, strategies)
            for name, rows in KINDS.items():
                self._write(name, rows(self.ledger))
        self._sent, self._flat = sent, flat
        self.now = standing(engine, strategies, now_ns, self.ledger, last, self._money)
        if is_check:
            self._compare()
        if now_ns >= self.check_ns:
            with partial_file(self._folder / NOW) as partial:
                partial.write_text(json.dumps(self.now, indent=2) + "\n", encoding="utf-8")
        # What has traded for long has much to be looked through.
        self._due = began + max(_EVERY_SECONDS, _PATIENCE * (time.monotonic() - began))
        return True

    def _write(self, name: str, rows: list[Row]) -> None:
        before, written = self._before[name], self._written[name]
        for number in range(written, min(len(rows), len(before))):
            if rows[number] != before[number]:
                raise LiqstratError(
                    f"{self._folder / name}:{number + 1}: what happened before does not come again from the "
                    f"recordings; {_CHANGED}"
                )
        new = rows[max(len(before), written) :]
        if new:
            with (self._folder / name).open("a", encoding="utf-8") as file:
                file.write("".join(json.dumps(row) + "\n" for row in new))
        self._written[name] = max(written, len(rows))

    def _compare(self) -> None:
        """Account, positions, orders and levels must be those of before the restart."""
        now = json.loads(json.dumps(self.now))
        for name in MUST_COME_AGAIN:
            if name in self._stood and self._stood[name] != now[name]:
                raise LiqstratError(
                    f"{self._folder / NOW}: {name} of {now['time'][:19]} were {self._stood[name]}, and come again as "
                    f"{now[name]}; {_CHANGED}"
                )


def _as_text(row: Row) -> Row:
    """As JSON has it, so that rows can be compared with those of a file."""
    return {
        name: value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
        for name, value in row.items()
    }
