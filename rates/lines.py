"""The lines of a CSV file, with the numbers they have in an editor."""

import csv
import io
import re
from dataclasses import dataclass

from rates.problems import RateProblem

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Line:
    """One record of a CSV file; `number` is the physical line it starts on."""

    number: int
    cells: list[str]


def read_lines(file: str, content: bytes, problems: list[RateProblem]) -> list[Line]:
    """Split UTF-8 CSV (a byte order mark is fine) into records, leaving out blank lines.

    What cannot be read is added to `problems`; the records before it are returned.
    """
    content = content.removeprefix(_BYTE_ORDER_MARK)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        number = len(_LINE_END.findall(content[: error.start])) + 1
        problems.append(RateProblem(file, number, "is not UTF-8 text"))
        return []
    # strict: a quote that is never closed would swallow the rest of the file in silence
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines: list[Line] = []
    number = 1
    try:
        for cells in reader:
            if not _is_blank(cells):
                lines.append(Line(number, cells))
            number = reader.line_num + 1
    except csv.Error as error:
        problems.append(RateProblem(file, number, f"is not CSV from here on: {error}"))
    return lines


def _is_blank(cells: list[str]) -> bool:
    return not cells or (len(cells) == 1 and not cells[0].strip())
