"""Liquidation levels inside a replay: the indicator, what it reads, and what is recorded of it."""
