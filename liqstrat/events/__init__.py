"""What happens when price reaches a level: an event study, before anybody writes a strategy.

**Levels.** Every 15 minutes (or as asked) the map that was known then, and of it the clusters as far as 5 % from price
that price does not stand in. A level is *reached* when price comes to its nearer edge. What is asked of each is how
often it is reached within hours; whether positions of its side are liquidated in its range then; and what price does
after. A *touch* is a level of one map that is reached before the next map is made, so none counts twice, and a level
that price leaves and comes back to counts each time.

**Placebos.** Far levels are reached less often, and price does something after every move, wherever it stops. So each
level is held against up to `PLACEBOS` others that are none: as far from price, on the same side, at other maps of the
study, where no cluster stands, and of these the ones that are most alike in how long price has been away and in how
restless the hour before was. Without that, levels would differ from placebos in a market that knows nothing of levels:
where price has just been no cluster stands, and where one was just run through price is restless. The seed chooses the
maps, where there are very many, and breaks ties; a level's placebos weigh as one together, and levels without any are
left out and counted. What levels do beyond placebos is theirs.

**Returns** are counted from the close of the minute of the touch, so that nobody needs to have been faster; they are
positive where price came *back* from the level (up, of longs below) and negative where it ran on. Best and worst (MFE,
MAE) are the farthest it went either way.

**Intervals** have UTC days as their unit (`liqstrat.scoring.intervals`): touches of a day are not independent, so all
of a day, levels and placebos, is left out together. What reaches from a day into the next one makes
those of many hours a bit too narrow. Nothing here is corrected for the number of things that are looked at: of twenty
intervals one misses zero by chance. What is found is a hypothesis, to be tried on other days.

**No look-ahead.** A map is known when it is made; so are its clusters, their sizes, and how restless the day before
was. What is split by thirds is split by the thirds of this history, which nobody knew then; no figure depends on it.
"""
