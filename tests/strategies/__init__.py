"""Hostile input for whole runs, drawn by hypothesis."""

from strategies.cases import Case, CaseOptions, cases, options

__all__ = ["Case", "CaseOptions", "cases", "options"]
