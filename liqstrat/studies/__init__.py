"""Studies: many runs of one run file, to learn what a single one cannot tell."""
