"""The market as it runs: recorded into files that `ingest` reads."""
