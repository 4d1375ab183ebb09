"""`liqstrat serve`: an API and pages of what is in `catalog/` and `results/`."""
