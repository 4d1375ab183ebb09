"""DuckDB history as files of a Nautilus catalog, and reading them back; knows no run."""
