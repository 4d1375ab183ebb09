"""Figures and pages from a results folder; knows no engine."""

from liqstrat.report.report import write_report

__all__ = ["write_report"]
