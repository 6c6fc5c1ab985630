"""What usage costs: rate tables, read, checked and matched to usage."""

from rates.book import RateBook
from rates.cost import costs
from rates.files import read_rate_files
from rates.load import load_rates
from rates.problems import RateErrors, RateProblem
from rates.rate import Rate

__all__ = [
    "Rate",
    "RateBook",
    "RateErrors",
    "RateProblem",
    "costs",
    "load_rates",
    "read_rate_files",
]
