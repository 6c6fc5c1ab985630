"""Why a text is no YAML, in words for who wrote it."""

import yaml


class YamlMistake(Exception):  # noqa: N818 - raised to be told to the author, as a mistake
    """What keeps a file from being read to its end; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        super().__init__(message)


# what the parser says, and what it mostly means
_HINTS = (
    (
        "mapping values are not allowed",
        "a text with a colon and a space goes in quotes, and keys of one mapping in one column",
    ),
    ("'<scalar>'", "a path with a quoted key goes in single quotes: '\"a.b\".c'"),
    ("scanning an alias", "a text that begins with * goes in quotes"),
    ("scanning an anchor", "a text that begins with & goes in quotes"),
    ("escape", "in double quotes a backslash is written twice, in single quotes once"),
    ("'%'", "a text that begins with % goes in quotes"),
    ("'@'", "a text that begins with @ goes in quotes"),
    ("'`'", "a text that begins with ` goes in quotes"),
    ("<stream end>", "a bracket, brace or quote may still be open"),
    ("<block end>", "the indentation may be wrong"),
)


def explain(error: yaml.MarkedYAMLError, lines: list[str]) -> YamlMistake:
    """Say what is wrong and where, from the parser's error and the lines of the file."""
    line = _line(error, len(lines))
    text = lines[line - 1] if lines else ""
    if "'\\t'" in (error.problem or "") or "\t" in text[: len(text) - len(text.lstrip())]:
        return YamlMistake(line, "YAML does not take a tab here: use spaces")
    said = ", ".join(part for part in (error.context, error.problem) if part)
    hint = next((hint for sign, hint in _HINTS if sign in said), None)
    opened = error.context_mark.line + 1 if error.context_mark else line
    began = f" (it begins on line {opened})" if opened < line else ""
    return YamlMistake(line, f"not YAML: {said}{began}" + (f"; {hint}" if hint else ""))


def _line(error: yaml.MarkedYAMLError, last: int) -> int:
    mark = error.problem_mark or error.context_mark
    return max(1, min(mark.line + 1, last)) if mark else 1
