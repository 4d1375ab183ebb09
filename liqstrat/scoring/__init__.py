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
realised density of all bands, ties with mean ranks. *Bits*: mean over liquidated contracts of `log2(q / q')`, where
`q` and `q'` are the shares that map and baseline give to the band among all that were reached in the same window; it is
the logarithmic score (Gneiting and Raftery 2007) of the density given the total, as earthquake forecasts are judged
(information gain per event, Rhoades et al. 2011). How much is liquidated in one window and how much in another does not
enter; lift and rank have that. A part of every density is spread evenly, for a band where a map has nothing would cost
infinitely many bits. How large a part, 1 % or more, is fitted to the first days by maximum likelihood for each
forecast, baselines too: bits then compare what is known, not how boldly it is said.

**Baselines** (`baselines`) go through the same figures on the same bands. What is fitted is fitted on the first third
of the days, and only the rest is judged.

**Intervals.** Liquidations come in cascades, so neither contracts nor bands are independent. Whole days are drawn with
replacement, the same for all models (cluster bootstrap, Davison and Hinkley 1997, section 3.8), and ranks and the
border of the densest tenth are found again in each draw; what was fitted to the first days is not, so intervals are
given that fit. Percentiles are widened by Student's factor for few days (expanded percentile interval, Hesterberg
2015). With fewer than `LEAST_DAYS` days none is given. What goes on over several days is not covered.

**Verdict.** A model is "better than distance alone" where the interval of its bits over *every* baseline lies above
zero (an intersection-union test, Berger 1982: no correction is needed); else it is "no better than baseline". Of
several models the best is judged at a level divided by their number (Bonferroni).
"""
