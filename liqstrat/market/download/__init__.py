"""History from the exchange's public archive: which files, one file, many files at once."""

from liqstrat.market.download.download import download
from liqstrat.market.download.plan import INTERVALS, KINDS, ArchiveFile
from liqstrat.market.download.report import DownloadReport, FileReport, Group
from liqstrat.market.download.transport import Retry

__all__ = ["INTERVALS", "KINDS", "ArchiveFile", "DownloadReport", "FileReport", "Group", "Retry", "download"]
