"""Files that look much like those of the archive and are something else: what to say about them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from liqstrat.market.archive.layout import DECIMAL, INTEGER, TRUTH

_SPOT = "of the spot market; expected USDⓈ-M futures"


@dataclass(frozen=True, slots=True)
class Stranger:
    what: str
    cells: tuple[str, ...]
    header_has: tuple[str, ...]

    def fits(self, cells: Sequence[str], header: Sequence[str]) -> bool:
        if header:
            return len(header) == len(self.cells) and set(self.header_has) <= set(header)
        return len(cells) == len(self.cells) and all(map(re.fullmatch, self.cells, cells))


_STRANGERS = (
    Stranger(
        f"has 8 columns, as aggTrades {_SPOT} with 7",
        (INTEGER, DECIMAL, DECIMAL, INTEGER, INTEGER, INTEGER, TRUTH, TRUTH),
        ("agg_trade_id",),
    ),
    Stranger(
        f"has 7 columns in the order of single trades {_SPOT} aggTrades",
        (INTEGER, DECIMAL, DECIMAL, DECIMAL, INTEGER, TRUTH, TRUTH),
        ("quote_qty",),
    ),
    Stranger(
        "has 6 columns, as single trades; expected aggTrades with 7",
        (INTEGER, DECIMAL, DECIMAL, DECIMAL, INTEGER, TRUTH),
        ("quote_qty",),
    ),
)


def stranger(cells: Sequence[str], header: Sequence[str]) -> str | None:
    """What a file with this first row (or header) is, when it is a known one that is not loaded."""
    return next((known.what for known in _STRANGERS if known.fits(cells, header)), None)
