"""Strict JSON, read exactly: numbers stay as written, a repeated field is noticed at any depth.

The standard library's scanner does the work; its leniencies (NaN, a lone surrogate, the last of two
fields wins, no bound on depth) are closed here.
"""

import json
import re
import sys
from collections import Counter
from decimal import Decimal, localcontext
from typing import Any, NoReturn

from transforms.reasons import Reason, Rejected

DEEPEST = 512
_SURROGATE = re.compile("[\ud800-\udfff]")


class Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


class _Fields(dict[str, Any]):
    """An object in which at least one field came twice: `twice` names it, `all_values` has all."""

    twice = ""
    all_values: tuple[Any, ...] = ()


def _constant(word: str) -> NoReturn:
    raise Rejected(Reason.NOT_JSON, f"{word} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) == len(pairs):
        return fields
    names = [name for name, _ in pairs]
    twice = [name for name, count in Counter(names).items() if count > 1]
    # what is there twice says nothing: neither value is more right than the other
    repeated = _Fields(fields | dict.fromkeys(twice))
    repeated.twice = twice[0]
    repeated.all_values = tuple(value for _, value in pairs)
    return repeated


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=_constant
)


def parse(text: str) -> Any:
    """The value of one JSON text: dict, list, str, Number, bool or None.

    Raises Rejected with `not_json`, or with `duplicate_field` where the text is JSON but an object
    in it has a field twice.
    """
    try:
        value, end = _decode(text)
    except json.JSONDecodeError as error:
        raise Rejected(Reason.NOT_JSON, f"{error.msg} at character {error.pos}") from None
    except RecursionError:
        raise Rejected(Reason.NOT_JSON, f"more than {DEEPEST} levels") from None
    if _skip(text, end) != len(text):
        raise Rejected(Reason.NOT_JSON, f"more than one value: text after character {end}")
    if "\\u" in text or text.count("{") + text.count("[") > DEEPEST:
        _check_depth_and_surrogates(value)
    if (twice := _find_twice(value)) is not None:
        raise Rejected(Reason.DUPLICATE_FIELD, f"field {twice!r} is there twice", value)
    return value


def _decode(text: str) -> tuple[Any, int]:
    start = _skip(text, 0)
    try:
        return _DECODER.raw_decode(text, start)
    except RecursionError:
        # whoever calls may be deep in the stack already, and 512 levels must always be read
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(limit + 4 * DEEPEST)
        try:
            return _DECODER.raw_decode(text, start)
        finally:
            sys.setrecursionlimit(limit)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _check_depth_and_surrogates(value: Any) -> None:
    level, depth = [value], 0
    while level:
        deeper: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                for name in item:
                    _check_surrogates(name)
                deeper.extend(item.all_values if isinstance(item, _Fields) else item.values())
            elif isinstance(item, list):
                deeper.extend(item)
            elif isinstance(item, str):
                _check_surrogates(item)
        if any(isinstance(item, dict | list) for item in level):
            depth += 1
        if depth > DEEPEST:
            raise Rejected(Reason.NOT_JSON, f"more than {DEEPEST} levels")
        level = deeper


def _check_surrogates(text: str) -> None:
    if _SURROGATE.search(text):
        raise Rejected(Reason.NOT_JSON, "a surrogate that is not half of a pair")


def _find_twice(value: Any) -> str | None:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if isinstance(item, _Fields):
                return item.twice
            stack.extend(v for v in item.values() if isinstance(v, dict | list))
        elif isinstance(item, list):
            stack.extend(v for v in item if isinstance(v, dict | list))
    return None


def scalar_text(value: Any) -> str | None:
    """A scalar as its text as written (`7`, `1.50`, `true`); None for null, object and array."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str) else None


def canonical(value: Any) -> str:
    """A text that two JSON values share exactly when they are equal as JSON.

    The order of fields does not count, and a number counts by its value. Goes down without calling
    itself: 512 levels are JSON, and more than the interpreter has.
    """
    parts: list[str] = []
    stack: list[Any] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, _Written):
            parts.append(item)
        elif isinstance(item, dict):
            stack.append(_Written("}"))
            for name in sorted(item, reverse=True):
                stack += [_Written(","), item[name], _Written(f"{json.dumps(name)}:")]
            stack.append(_Written("{"))
        elif isinstance(item, list):
            stack.append(_Written("]"))
            for member in reversed(item):
                stack += [_Written(","), member]
            stack.append(_Written("["))
        else:
            parts.append(canonical_number(item) if isinstance(item, Number) else json.dumps(item))
    return "".join(parts)


class _Written(str):
    """Punctuation and names of a canonical text."""

    __slots__ = ()


def canonical_number(written: str) -> str:
    """A JSON number's value as digits and exponent, the same for each spelling of it.

    Works on the text, so that an exponent of a million digits costs nothing.
    """
    mantissa, _, exponent = written.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return "0"
    kept = digits.rstrip("0")
    shift = len(digits) - len(kept) - len(fraction)
    # an exponent may have any number of digits: more than int() reads, or Decimal keeps by default
    with localcontext(prec=len(exponent) + len(str(len(written))) + 1):
        power = format(Decimal(exponent or 0) + shift, "f")
    return f"{'-' if mantissa.startswith('-') else ''}{kept}e{power}"
