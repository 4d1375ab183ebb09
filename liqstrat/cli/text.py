"""What all that is printed has in common: JSON, tables, prices and amounts."""

import json as json_module
import math
from collections.abc import Sequence
from typing import Any

from liqstrat.cli.program import out
from liqstrat.cli.terminal import SafeTable, shown, shown_json

SIDE_STYLE = {"long": "green", "short": "red"}


def print_json(value: object) -> None:
    """Indented for a reader, on one line for a program; never in colours, which take seconds for a map.

    What is no number is null: JSON has no word for it.
    """
    how: dict[str, Any] = {"default": str, "indent": 2 if out.is_terminal else None, "ensure_ascii": False}
    try:
        text = json_module.dumps(value, allow_nan=False, **how)
    except ValueError:
        plain = json_module.loads(json_module.dumps(value, **how), parse_constant=lambda _: None)
        text = json_module.dumps(plain, **how)
    out.file.write(shown_json(text) + "\n")


_TEXTS = ("", "side", "symbol", "kind", "risk", "origin", "model", "regime")


def new_table(title: str, columns: Sequence[str]) -> SafeTable:
    table = SafeTable(title=shown(title) or None, title_justify="left", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="left" if name in _TEXTS else "right")
    return table


def price_text(price: float) -> str:
    """A price with as many decimals as its size deserves, at least five digits that say something."""
    decimals = 2 if abs(price) >= 100 else 4 if abs(price) >= 1 else _small_decimals(price)
    return f"{price:,.{decimals}f}"


def _small_decimals(price: float) -> int:
    """Decimals of a price below 1 that leave it five significant digits, but no fewer than six."""
    return max(6, 4 - math.floor(math.log10(abs(price)))) if price and math.isfinite(price) else 6


def amount_text(amount: float) -> str:
    """A large amount in thousands (k), millions (M) or billions (B)."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(amount) >= size:
            return f"{amount / size:,.1f} {letter}"
    return f"{amount:,.0f}"
