"""Joins the two files of the Azure LLM inference trace of 2023 into one with a column `service`.

Usage: python make_requests.py code.csv conv.csv > requests.csv
"""

import csv
import sys
from pathlib import Path


def main(paths: list[str]) -> None:
    """Prints the rows of all files in the order of their times; a file's name is its service."""
    rows = []
    for path in map(Path, paths):
        with path.open(newline="") as file:
            rows += [(row["TIMESTAMP"], path.stem, row) for row in csv.DictReader(file)]
    rows.sort(key=lambda row: row[:2])
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["TIMESTAMP", "service", "ContextTokens", "GeneratedTokens"])
    for time, service, row in rows:
        writer.writerow([time, service, row["ContextTokens"], row["GeneratedTokens"]])


if __name__ == "__main__":
    main(sys.argv[1:])
