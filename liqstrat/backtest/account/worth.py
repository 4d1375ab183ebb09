"""What an account is worth while the engine runs."""

from decimal import Decimal
from typing import Any, NamedTuple

from nautilus_trader.model import Currency

from liqstrat.catalog.instruments import VENUE


class Worth(NamedTuple):
    """Balance, and that with what open positions would add at the last prices that the engine has seen."""

    balance: Decimal
    equity: Decimal


def worth_of(portfolio: Any, money: Currency) -> Worth:
    """What the account in that currency is worth now."""
    balance: Decimal = portfolio.account(VENUE).balance_total(money).as_decimal()
    unrealized = portfolio.unrealized_pnls(VENUE).get(money)
    return Worth(balance, balance + unrealized.as_decimal() if unrealized else balance)
