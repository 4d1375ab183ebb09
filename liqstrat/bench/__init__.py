"""Models judged on simulated markets, where the truth is known."""
