"""How the recording of a market goes."""

from dataclasses import dataclass


@dataclass
class State:
    """What is known of a market's recording. Times in milliseconds of the exchange's clock, None before the first.

    late: trades that came when the open interest at the end of their interval was there already.
    """

    trades: int = 0
    late: int = 0
    backfilled: int = 0
    liquidations: int = 0
    clock: int | None = None
    last_trade: int | None = None
    open_interest: int | None = None
    price: str = ""
