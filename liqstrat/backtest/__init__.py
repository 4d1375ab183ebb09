"""The only place that knows Nautilus: data types, feeds, indicator, runner, results."""
