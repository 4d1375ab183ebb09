"""Maps held against liquidations that are known by amount, side and interval, but not by price.

What a map says of an interval is the sum of contracts that stood in price's way, each by the book as it was known
before the step in which price reached them. That is held against the amount of the interval beside a baseline of
everything that can be told without any map: how far price went against the side, volatility, volume, the month, and how
far beyond the extremes of the time before, of the interval and of every candle inside it. What the map adds to the
share of variance explained (R²), in weeks that were not fitted, is its worth.
"""
