"""How much can be asked for at once; what refuses a question names the limit."""

from datetime import timedelta

#: Candles of one answer.
MOST_CANDLES = 20_000
#: Maps of one heatmap, and its cells as a matrix.
MOST_MAPS = 3_000
MOST_CELLS = 2_000_000
#: From the first moment to the last that maps are asked for.
LONGEST = timedelta(days=400)
#: History that fills the book before a map.
MOST_WARMUP_DAYS = 365
#: Liquidations, trades or signals of one answer.
MOST_ROWS = 50_000
#: Leverages of a calculator's question, and tiers of `leverage_weights`.
MOST_LEVERAGES = 30
#: Days back from the last one that a verdict is about.
VERDICT_DAYS = 30
#: Letters of what is sent to be kept, as a note or a run file.
MOST_LETTERS = 200_000
