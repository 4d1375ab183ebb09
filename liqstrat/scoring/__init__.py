"""How good are a model's maps? They are held against what was really liquidated, beside baselines that know little.

**What is estimated.** Time is cut into windows (an hour by default, made of whole intervals of open interest). The map
of a window is the one known when it begins: the book after the last interval that ended by then. What is asked of it
is conditional on where price went: *given* the prices that a window reached, where were the contracts liquidated? Where
price goes is not the map's to say, so bands that were not reached count neither for nor against it.

- A *reached band* is a price bin, of one side, in one window: for longs from the window's lowest price up to the price
  when it began, for shorts from there up to the highest. A band counts once a window, however often price crosses it;
  in a later window it is another band, with another map, from which a good model has taken what was run over. An hour,
  not five minutes: in so short a time only a bin or two are reached, and there is nothing to tell apart.
- *Exposure* is the part of a band that price ran through: the outermost band, and the one that price started in, count
  for the part that was at risk. A map predicts contracts times exposure.
- Liquidations elsewhere (of positions opened within the window, mostly) can be known by no map of its beginning. They
  are left out for all alike, and their share is stated.

**Figures.** *Lift*: contracts liquidated per exposure in the densest tenth of exposure, over that in all; ties share.
*Lift at equal distance*: the same within each side and distance band, added up before dividing (indirect
standardisation), so that nothing is earned by knowing the distance. *Rank*: Spearman's correlation of predicted with
realised density of all bands, ties with mean ranks. *Bits*: mean of `log2(q / q')` over liquidated contracts, where
`q` and `q'` are the shares that map and baseline give to the band among all that were reached in the same window; it is
the logarithmic score (Gneiting and Raftery 2007) of the density given the total, as earthquake forecasts are judged
(information gain per event, Rhoades et al. 2011). How much is liquidated in one window and how much in another does not
enter; lift and rank have that. Contracts of a window are liquidated together, so a cascade of a thousand is no thousand
observations: in bits, a window of `T` contracts weighs `T / (T + M)`, `M` being the median of windows that have any.
Without this one day decides, and 28 days find half a true map in one market of seven, with it in nine of ten (measured
on the wild markets of `tests/benchmarks/nulls.py`). What comes out when every contract weighs alike stands beside it.
A part of every density is spread evenly, for a band where a map has nothing would cost infinitely many bits; how large
a part, 1 % or more, is what fits the days before best, of each forecast, baselines too.

**Baselines** (`baselines`) go through the same figures on the same bands. Nothing is fitted to what it is judged on:
each day is forecast with what the days before it tell (`logit`), so a law that drifts is followed. The first quarter of
the days is only learnt from.

**Distance and recency.** That far levels are liquidated in violent hours, and that levels which price has not visited
for long hold more, is known without any map. The baseline to beat is a conditional logit of both: distance from price,
and hours since price was in the band. What a map *adds* is what the same logit with the logarithm of the map in it has
over the one without. A map that only knows where price has been adds nothing, and rather costs a little, as its
coefficient has to be learnt. It must also add to the logit that has the volume profile in it.

**Intervals** (`intervals`). Neither contracts nor bands are independent, so days are (blocks of adjacent days, of more
than 120): each is left out in turn, and the interval is as wide as both Student's for days of such weights and the
studentized bootstrap demand. With fewer than `LEAST_DAYS` days none is given. What goes on over several days is not
covered. One-sided errors, of .025 by name (`python -m tests.benchmarks.nulls`): up to .04 at 10 and 20 days, skewed or
not, and up to .02 where days weigh by Pareto(1.1).

**Verdict** (`verdict`). "Adds to distance and recency": the interval of what the map adds to each baseline lies above
zero (an intersection-union test, Berger 1982), it adds something without the largest day, and its interval where every
contract weighs alike is not below zero. No single day can carry it: with such an interval nearly half of the gain at
least is left without any of them, as the jackknife's error is no less than what one day moves. "No better than
baseline": the interval excludes a gain worth having. Else "too little to tell", with about how many days would.
Intervals of several models are at a level divided by their number (Bonferroni).
"""
