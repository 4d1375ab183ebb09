"""What the commands print: tables for people, JSON for programs."""

from liqstrat.printing.bench import print_verdicts
from liqstrat.printing.history import print_catalog, print_download, print_ingest, print_simulation, print_written
from liqstrat.printing.levels import print_levels, print_risks
from liqstrat.printing.quality import print_inspection, print_qualities
from liqstrat.printing.results import print_demo, print_results

__all__ = [
    "print_catalog",
    "print_demo",
    "print_download",
    "print_ingest",
    "print_inspection",
    "print_levels",
    "print_qualities",
    "print_results",
    "print_risks",
    "print_simulation",
    "print_verdicts",
    "print_written",
]
