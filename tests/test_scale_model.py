"""Every figure of docs/scale.md that follows from others is what its own formula gives.

A table of factors has their values and where each is from; a table of figures has a formula for
each in its last column. Where a table has several columns of values, each is reckoned by itself,
from the factors of the same column.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path

from apache_beam.testing.load_tests import dataflow_cost_consts as prices

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
ONLY = "value"
KINDS = {"measured", "documented", "assumed", "chosen"}
NAME = re.compile(r"`(\w+)`")
NUMBER = re.compile(r"-?[\d,]+(\.\d+)?")
BOLD = re.compile(r"\*\*(-?[\d,]+(?:\.\d+)?)\*\*")
OPERATORS: dict[type, Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
FUNCTIONS: dict[str, Callable[..., Fraction]] = {
    "ceil": lambda each: Fraction(math.ceil(each)),
    "max": max,
    "min": min,
}


@dataclass(frozen=True)
class Row:
    """A factor or, where it has a formula, a figure; its values as they are shown, by column."""

    name: str
    shown: dict[str, str]
    formula: str | None
    kind: str  # of a factor: how it is known


def rows() -> Iterator[Row]:
    columns: list[str] = []
    kind = ""
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            columns = []
        elif cells[0] in {"factor", "figure"}:
            kind, columns = cells[0], cells
        elif columns and (found := NAME.match(cells[0])):
            shown = {
                column: cell
                for column, cell in zip(columns, cells, strict=True)
                if NUMBER.fullmatch(cell)
            }
            if kind == "figure":
                yield Row(found[1], shown, cells[-1].strip("`"), "")
            else:
                yield Row(found[1], shown, None, cells[-1] if cells[-1] in KINDS else "")


def exact(shown: str) -> Fraction:
    return Fraction(shown.replace(",", ""))


def rounded(value: Fraction, like: str) -> str:
    """A value with as many decimals as another text has."""
    places = len(like.partition(".")[2])
    at = Decimal(1).scaleb(-places)
    whole = Decimal(value.numerator) / Decimal(value.denominator)
    return f"{whole.quantize(at, ROUND_HALF_UP):,}"


def reckoned(node: ast.AST, known: dict[str, Fraction]) -> Fraction:
    match node:
        case ast.Expression(body=body):
            return reckoned(body, known)
        case ast.Constant(value=int(value)):
            return Fraction(value)
        case ast.Name(id=name):
            return known[name]
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](reckoned(left, known), reckoned(right, known))
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[name](*(reckoned(each, known) for each in args))
    raise ValueError(ast.dump(node))


def test_every_figure_is_what_its_formula_gives() -> None:
    known: dict[str, dict[str, Fraction]] = {ONLY: {}}
    figures = 0
    for row in rows():
        assert row.shown, row.name
        assert not any(row.name in each for each in known.values()), f"{row.name} is there twice"
        for column, shown in row.shown.items():
            if row.formula is None:
                value = exact(shown)
            else:
                figures += 1
                tree = ast.parse(row.formula, mode="eval")
                value = reckoned(tree, known[ONLY] | known.get(column, {}))
                assert rounded(value, shown) == shown, (row.name, column, float(value))
            known.setdefault(column, {})[row.name] = value
    assert figures > 20


def test_every_factor_is_used_and_says_where_it_is_from() -> None:
    used = {
        each.id
        for row in rows()
        if row.formula
        for each in ast.walk(ast.parse(row.formula))
        if isinstance(each, ast.Name)
    }
    factors = {row.name for row in rows() if row.formula is None}
    assert factors - used == set()
    assert {row.name for row in rows() if row.formula is None and not row.kind} == set()


def test_the_figures_in_the_text_are_those_of_the_tables() -> None:
    shown = {each for row in rows() for each in row.shown.values()}
    said = [each for line in prose() for each in BOLD.findall(line)]
    assert said
    assert set(said) - shown == set()


def test_the_prices_of_dataflow_are_those_that_beam_reckons_with() -> None:
    known = {row.name: row.shown for row in rows()}
    for name, price in (
        ("vcpu_hour", prices.VCPU_PER_HR_STREAMING),
        ("memory_hour", prices.MEM_PER_GB_HR_STREAMING),
        ("engine_gb", prices.SHUFFLE_PER_GB_STREAMING),
        ("disk_hour", prices.PD_PER_GB_HR),
    ):
        assert exact(known[name][ONLY]) == Fraction(str(price)), name


def prose() -> Iterator[str]:
    for line in PAGE.read_text().splitlines():
        if not line.startswith("|"):
            yield line
