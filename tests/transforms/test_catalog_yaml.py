"""What is no YAML, or too much of it, is said with its line and without a traceback."""

import pytest
from catalog_texts import FILE, mistakes
from hypothesis import given
from hypothesis import strategies as st

from transforms.catalog_file import load_catalog
from transforms.catalog_problems import CatalogErrors, Problem
from transforms.yaml_reader import read_yaml

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
)
UNREADABLE = [
    ("a:\n\t- b", 2, "does not take a tab here: use spaces"),
    ("a: 1\nb:\n  - c\n\t- d", 4, "does not take a tab here: use spaces"),
    ("a: 1\nd: in: out", 2, "a text with a colon and a space goes in quotes"),
    ("a: 1\nb: [1,\n", 2, "a bracket, brace or quote may still be open"),
    ("a: {b: 1\nc: 2", 2, "(it begins on line 1)"),
    ('a: "b\nc: 1', 2, "(it begins on line 1)"),
    ('a: 1\nvalue: "a.b".c', 2, "a path with a quoted key goes in single quotes: '\"a.b\".c'"),
    ("a: *", 1, "a text that begins with * goes in quotes"),
    ("a: &", 1, "a text that begins with & goes in quotes"),
    ("a: @b", 1, "a text that begins with @ goes in quotes"),
    ("a: %b", 1, "a text that begins with % goes in quotes"),
    ("a: `b`", 1, "a text that begins with ` goes in quotes"),
    (r'a: "\q"', 1, "in double quotes a backslash is written twice"),
    ("- a\nb: 1", 2, "the indentation may be wrong"),
    ("a: 1\n---\nb: 2", 3, "a second document begins here"),
    ("a: 1\nb: *c", 2, "*c stands for nothing above it"),
    ("a: 1\nb: &b [*b]", 2, "*b stands inside what it stands for"),
    ("a: &a {b: {c: *a}}", 1, "*a stands inside what it stands for"),
    ("a: 1\nb: &a 2\nc: &a [*a]", 3, "*a stands inside what it stands for"),
    (BOMB, 5, "aliases make this more than 100000 values"),
    ("a: " + "[" * 100_000, 1, "nested more than 50 deep"),
    ("- " * 1000 + "x", 1, "nested more than 50 deep"),
    (r'a: "\UFFFFFFFF"', 1, "an escape beyond Unicode"),
    ("%YAML 1." + "9" * 5000 + "\n---\na: 1", 1, "too long a number"),
    ("%YAML 2.0\n---\na: 1", 1, "incompatible YAML document"),
    ("a: 1\nb: \x00", 2, "does not take the character '\\x00'"),
]


@pytest.mark.parametrize(("text", "line", "why"), UNREADABLE)
def test_what_is_no_yaml_is_one_problem_with_its_line(text: str, line: int, why: str) -> None:
    (said,) = mistakes(text)
    assert said.startswith(f"c.yaml:{line}: ")
    assert why in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "c.yaml: the file holds no catalog: it is empty"),
        ("# only a comment\n", "c.yaml: the file holds no catalog: it is empty"),
        ("---\n", "c.yaml: the file holds no catalog: it is empty"),
        (
            FILE + "version: 1",
            "c.yaml:4: version: the key 'version' is given twice, on lines 1 and 4",
        ),
        (
            FILE.replace("}", ", where: {a: x, b: y, a: z}}"),
            "c.yaml:3: meters[0].where.a: the key 'a' is given twice, on lines 3 and 3",
        ),
        (
            FILE + "<<: {sources: {}}",
            "c.yaml:4: << does not merge mappings here: write the keys out",
        ),
        (FILE + "? [a]\n: b", "c.yaml:4: a key must be a text, not a list or a mapping"),
        (
            FILE.replace("name: m", "name: !!python/name:os.system m"),
            (
                "c.yaml:3: meters[0].name: the tag !!python/name:os.system has no meaning here:"
                " leave it out"
            ),
        ),
        (
            FILE.replace("version: 1", "version: !!int 1"),
            "c.yaml:1: version: the tag !!int has no meaning here: leave it out",
        ),
        (
            FILE.replace("_type: e", r'_type: "\ud83d\ude00"'),
            r"c.yaml:3: meters[0].event_type: \ud800 to \udfff are no characters: use \U0001f600",
        ),
    ],
)
def test_yaml_that_is_no_catalog_is_said_too(text: str, said: str) -> None:
    assert mistakes(text) == [said]


@pytest.mark.parametrize(("content", "line"), [(b"a: 1\nb: \xe9", 2), (b"\xff\xfea\0", 1)])
def test_another_encoding_is_said_with_the_line_it_shows_on(content: bytes, line: int) -> None:
    with pytest.raises(CatalogErrors) as error:
        load_catalog("c.yaml", content)
    assert str(error.value) == f"c.yaml:{line}: the file is not UTF-8 text from here on"


def test_a_key_that_is_given_twice_hides_no_other_mistake() -> None:
    text = FILE.replace("count", "cuont") + "version: 2"
    assert [each.split(":")[1] for each in mistakes(text)] == ["3", "4"]


def test_a_large_file_needs_no_aliases_to_be_read() -> None:
    meters = "".join(
        f"- {{name: m{n}, event_type: e, aggregation: count, dimensions: [a, b, c]}}\n"
        for n in range(500)
    )
    assert len(load_catalog("c.yaml", f"version: 1\nmeters:\n{meters}".encode()).meters) == 500


PIECES = st.sampled_from(
    [
        *("version: 1", "meters:", "name: m", "value: a.b", "where: ", "dimensions: ", "a", "&x "),
        *("*x", "!!str ", "\n", "  ", "- ", ": ", ", ", "? ", "~", "|\n", "#", "\t", *"[]{}'\""),
    ]
)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_any_text_is_a_catalog_or_a_list_of_problems(text: str) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        meters = load_catalog("c.yaml", text.encode()).meters
    except CatalogErrors as errors:
        meters, problems = (), errors.problems
    assert bool(meters) != bool(problems)
    assert all(problem.line is None or problem.line >= 1 for problem in problems)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    _, problems = read_yaml("c.yaml", content)
    assert all(problem.message for problem in problems)
