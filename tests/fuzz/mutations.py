"""How a record is spoilt: its bytes, tokens, numbers, times, nesting, fields, encoding."""

import re
from collections.abc import Callable
from random import Random

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|[a-zA-Z]+|[{}\[\],:]')
_VALUE = re.compile(rb'(?<=[:\[])\s*("(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null)')
_NUMBER = re.compile(rb"(?<=:)-?[0-9][0-9.]*")
_TIME = re.compile(rb'"\d{4}-\d\d-\d\d[^"]*"')
_NAME = re.compile(rb'"([^"\\]+)"\s*:')
_MEMBER = re.compile(rb'"[^"\\]+"\s*:\s*(?:"[^"\\]*"|-?[0-9.]+|true|false|null)')

_BYTES = (
    *(b"\x00", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x80\xa8"),
    *(b"\xc2\x85", b"\xef\xbb\xbf", b"\x1f", b"\x0b", b"\x0c", b"\x7f", b"\r", b"\n", b"\r\n"),
    *(b"\t", b" ", b'"', b"\\", b"\\u", b"{", b"}", b"[", b"]", b",", b":", b"}{", b"} {", b"//"),
    *(b"/**/", b"#", b"'", b"NaN", b"Inf", b"null", b"0", b"-", b"+", b".", b"e", b"\xc3\xa9"),
)
_NUMBERS = (
    *(b"-0", b"-0.0", b"0e0", b"1E+2", b"1e-3", b"1e400", b"-1e400", b"5e-324", b"1e-400"),
    *(b"99999999999999999999.999999999999999999", b"100000000000000000000", b"1e20", b"-1e20"),
    *(b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809", b"1e19"),
    *(b"0.000000000000000001", b"0.0000000000000000001", b"1.50000000000000000000", b"1e-18"),
    *(b"123456789012345678901234567890", b"1" * 40, b"0." + b"1" * 40, b"1" + b"0" * 5000),
    *(b"1e999999999999999999999", b"0e999999999999", b"01", b"1.", b".5", b"+1", b"1e", b"1e+"),
    *(b"-", b"0x10", b"1_000", b"NaN", b"-NaN", b"Infinity", b"-Infinity", b"Inf", b"1.5.5"),
    *(b"12345678901234567.5", b"999999999999999999", b"1000000000000000000", b"1e+00000000002"),
    *(b"\xd9\xa1", b"\xef\xbc\x91", b"1 2", b"--1", b"1e1.5", b"true", b"null"),
)
_TIMES = (
    *(b"2026-01-15T10:30:60Z", b"2026-02-29T00:00:00Z", b"0000-01-01T00:00:00Z", b"2026-01-15"),
    *(b"0001-01-01T00:00:00+00:01", b"9999-12-31T23:59:59-00:01", b"9999-12-31T23:59:59.9999999Z"),
    *(b"2026-01-15T10:30:00", b"2026-01-15 10:30:00Z", b"2026-01-15t10:30:00z", b""),
    *(b"2026-01-15T10:30:00+24:00", b"2026-01-15T10:30:00-23:59", b"2026-01-15T24:00:00Z"),
    *(b"2026-01-15T10:30:00." + b"1" * 300 + b"Z", b"2026-01-15T10:30:00.Z"),
    b"1969-12-31T23:59:59.9Z",
    *(b"2026-01-15T10:30:00,5Z", b"2026-01-15T10:30Z", b"2026-1-15T10:30:00Z", b"now", b"-1"),
    *("\uff12026-01-15T10:30:00Z".encode(), b"2026-01-15T10:30:00+0130"),
    b"2026-01-15T10:30:00-00:00",
    *(b"2026-01-15T10:30:00\\u005a", b"2026-01-15T10:30:00Z ", b" 2026-01-15T10:30:00Z"),
)  # fmt: skip
_VALUES = (
    *(b'"\\ud800"', b'"\\udc00\\ud83d"', b'"\\ud83d\\ude00"', b'"\\u0000"', b'"\\u0041"'),
    b'"\x00"',
    *(b'"\x1f"', b'"\\x41"', b'"\\u12"', b'"\\/"', b'"\xff"', b'"\xed\xa0\x80"'),
    b'"\xf0\x9f\x98\x80"',
    *(b'""', b'" "', b'"1"', b'"1.50"', b'"+1"', b'".5"', b'"01"', b'" 1"', b'"-0"', b'"1e3"'),
    *(b'"NaN"', b'"Info"', b'"}{"', b'"{}"', b'"null"', b'"true"', b"'x'", b"{}", b"[]", b"[1,]"),
    *(b'{"a":1,"a":2}', b'[{"a":1,"a":1}]', b'{"er":{"er":1}}', b"[null]", b"[[1]]", b"{,}", b""),
    *(b'"' + b"x" * 256 + b'"', b'"' + b"x" * 257 + b'"', '"{}"'.format("\u00e9" * 256).encode()),
    *(b'"' + b"\xf0\x9f\x98\x80" * 256 + b'"', b'"' + b"\xf0\x9f\x98\x80" * 257 + b'"', b"true"),
    *(b"[" * 509 + b"]" * 509, b"[" * 513 + b"]" * 513, b'{"k":' * 20 + b"1" + b"}" * 20, b"null"),
    *(b"[" * 2000 + b"]" * 2000, b'{"k":' * 515 + b"1" + b"}" * 515, b'"\xe2\x80\xa8"', b'"\\n"'),
)  # fmt: skip
_ENCODINGS = ("utf-16", "utf-16-le", "utf-8-sig", "utf-32", "cp037", "utf-7")

Mutation = Callable[[Random, bytes], bytes]


def _some(random: Random, pattern: re.Pattern[bytes], line: bytes) -> re.Match[bytes] | None:
    found = list(pattern.finditer(line))
    return random.choice(found) if found else None


def _put(line: bytes, start: int, end: int, text: bytes) -> bytes:
    return line[:start] + text + line[end:]


def _replaced(random: Random, pattern: re.Pattern[bytes], line: bytes, text: bytes) -> bytes:
    found = _some(random, pattern, line)
    return _put(line, *found.span(), text) if found else line + text


def a_byte(random: Random, line: bytes) -> bytes:
    """A byte more, less, or another one."""
    at = random.randrange(len(line) + 1)
    text = random.choice((b"", bytes([random.randrange(256)]), random.choice(_BYTES)))
    return _put(line, at, at + random.randrange(2), text)


def a_piece(random: Random, line: bytes) -> bytes:
    """The line cut, or a piece of it left out, twice, or moved."""
    one, two = sorted(random.randrange(len(line) + 1) for _ in "12")
    piece = line[one:two]
    return random.choice((line[:one], line[one:], line[:one] + line[two:], line[:two] + piece
        + line[two:], piece + line[:one] + line[two:]))  # fmt: skip


def a_token(random: Random, line: bytes) -> bytes:
    """A token left out, twice, or in the place of another."""
    one, two = _some(random, _TOKEN, line), _some(random, _TOKEN, line)
    if one is None or two is None:
        return line
    return _put(line, *one.span(), random.choice((b"", one[0] * 2, two[0], two[0] + one[0])))


def a_value(random: Random, line: bytes) -> bytes:
    """A scalar of another kind or an odd spelling, whatever stands there."""
    found = _some(random, _VALUE, line)
    value = random.choice((random.choice(_VALUES), random.choice(_NUMBERS)))
    return _put(line, *found.span(1), value) if found else value


def a_number(random: Random, line: bytes) -> bytes:
    """A number spelled oddly, bare or as a string."""
    value = random.choice(_NUMBERS)
    quoted = b'"' + value + b'"'
    return _replaced(random, _NUMBER, line, random.choice((value, value, quoted)))


def a_time(random: Random, line: bytes) -> bytes:
    """A time of another shape, or one character of it changed."""
    found = _some(random, _TIME, line)
    if found is None:
        return a_number(random, line)
    near = a_byte(random, found[0][1:-1])
    return _put(line, *found.span(), b'"' + random.choice((near, random.choice(_TIMES))) + b'"')


def a_field_twice(random: Random, line: bytes) -> bytes:
    """A field twice in its object, maybe by another spelling of its name."""
    found = _some(random, _MEMBER, line)
    if found is None:
        return line * 2
    member = found[0]
    if random.random() < 0.3:
        member = b'"\\u%04x' % member[1] + member[2:]
    at = random.choice((found.start(), found.end()))
    return _put(line, at, at, member + b"," if at == found.start() else b"," + member)


def a_new_field(random: Random, line: bytes) -> bytes:
    """A field that no other record has."""
    found = _some(random, _MEMBER, line)
    name = random.choice((b"new", b"n%d" % random.randrange(2000), b"tokens", b"\\u0000", b""))
    value = random.choice((b"1", b"1.5", b'"x"', b"null", b"[]", b"{}", random.choice(_VALUES)))
    at = found.start() if found else len(line)
    return _put(line, at, at, b'"' + name + b'":' + value + b",")


def a_name(random: Random, line: bytes) -> bytes:
    """A field's name escaped, changed, or empty."""
    found = _some(random, _NAME, line)
    if found is None:
        return line
    name = found[1]
    escaped = b"\\u%04x" % name[0] + name[1:]
    return _put(line, *found.span(1), random.choice((escaped, name.upper(), b"", name + b"\\n")))


def white_space(random: Random, line: bytes) -> bytes:
    """White space, JSON's or not, between two tokens or around the record."""
    space = random.choice((b" ", b"\t", b"\r", b"\n", b"\x0b", b"\x0c", b"\xc2\xa0", b"  \t"))
    found = _some(random, _TOKEN, line)
    at = random.choice((0, len(line), found.start() if found else 0))
    return _put(line, at, at, space)


def another_encoding(random: Random, line: bytes) -> bytes:
    """The text in another encoding."""
    return line.decode("utf-8", "replace").encode(random.choice(_ENCODINGS), "replace")


def not_a_record(random: Random, _line: bytes) -> bytes:
    """Something else altogether."""
    noise = bytes(random.randrange(256) for _ in range(random.randrange(40)))
    return random.choice((b"null", b"[]", b"{}", b"{} {}", b"1", b'"x"', b"{", b"}", noise, b"\r"))


def a_lenient_number(random: Random, line: bytes) -> bytes:
    """A number that some readers take and JSON or the contract does not, or not like the others."""
    found = _some(random, _NUMBER, line)
    number = found[0] if found else b"1"
    near = (
        b"-0",
        b"-0",
        b"0",
        b'"' + number + b'"',
        b'"+1"',
        b'".5"',
        b'" 1"',
        b'"1."',
        b"NaN",
        b"Inf",
    )
    near += (number + b".0", number + b"e0", b"[NaN]", b'"NaN"', b'{"tokens":NaN}', b"1e400")
    return _replaced(random, _NUMBER, line, random.choice(near))


def rows_and_lines(random: Random, line: bytes) -> bytes:
    """Records that are not one on a line."""
    found = list(re.finditer(rb"[{,]", line))
    at = random.choice(found).end() if found else len(line)
    cut = line[:at] + b"\n" + line[at:]
    return random.choice(
        (line + line, line + b" " + line, line + b",", cut, b"\xef\xbb\xbf" + line)
    )


MUTATIONS: tuple[Mutation, ...] = (
    *(a_byte, a_piece, a_token, a_value, a_number, a_time, a_field_twice, a_new_field, a_name),
    *(white_space, another_encoding, not_a_record, a_lenient_number, rows_and_lines),
)


def spoilt(random: Random, line: bytes, kinds: tuple[Mutation, ...] = MUTATIONS) -> bytes:
    """A record after one change of these kinds, often two or more."""
    while True:
        line = random.choice(kinds)(random, line)
        if random.random() < 0.7:
            return line
