"""The run file that somebody begins with who has none: of a market that is there."""

import json
from datetime import datetime, timedelta

from liqstrat.inputs import DEFAULT_DATABASE
from liqstrat.liquidation.contract import not_replayed
from liqstrat.maps import period
from liqstrat.market.store import Store

_DAYS = 7
_TEXT = """\
# A run: what is replayed, with which model, and who trades.
name = "my-run"
symbols = [{symbol}]
from = {start}
to = {end}
{data}
[[strategies]]
use = "LevelFade"
"""
#: Where there is no market yet.
EXAMPLE = (
    "# There is no history here yet: `liqstrat ingest` makes one, or `liqstrat demo` a simulated one.\n"
    + _TEXT.format(symbol='"BTCUSDT"', start="2024-03-02", end="2024-03-08", data="")
)


def new_file(store: Store) -> str:
    """A run of the last week of the first market of a database that runs can trade."""
    symbols = store.symbols()
    symbol = next((one for one in symbols if not not_replayed(one)), symbols[0])
    first, last = period(store, symbol, None, None, 5)
    start, end = _day(first) + timedelta(days=1), _day(last)
    start = max(start, end - timedelta(days=_DAYS))
    if end <= start:
        start, end = first, last
    data = ""
    if store.path != DEFAULT_DATABASE:
        catalog = store.path.parent / "nautilus"
        data = f"\n[data]\ndb = {json.dumps(str(store.path))}\ncatalog = {json.dumps(str(catalog))}\n"
    return _TEXT.format(symbol=json.dumps(symbol), start=_text(start), end=_text(end), data=data)


def _day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _text(moment: datetime) -> str:
    """As TOML has it, without hours that say nothing."""
    return f"{moment:%Y-%m-%d}" if moment == _day(moment) else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
