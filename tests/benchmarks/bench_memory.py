"""Memory that each stage of the way takes, in a process of its own."""

from tests.benchmarks.measure import Place, Row, peak_memory
from tests.benchmarks.stage import STAGES

_REACH = 2e9


def measure(place: Place) -> list[Row]:
    """The most that each stage had in memory, over the whole generated history."""
    _ = (place.archive(), place.catalog)
    peaks = {name: peak_memory("stage", name, str(place.folder), str(place.trades)) for name in STAGES}
    for left in ("ingest.duckdb", "catalog"):
        place.scratch(left)
    return [
        Row(
            f"memory at most, {place.trades / 1e6:.0f}M trades: {name}",
            "–",
            f"under {_REACH / 1e9:.0f} GB",
            f"{peak / 1e9:.2f} GB",
            peak < _REACH,
        )
        for name, peak in peaks.items()
    ]
