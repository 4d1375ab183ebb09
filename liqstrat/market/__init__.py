"""History in DuckDB: tables, archive formats, ingest, checks and the simulator."""
