"""Small pools of values, so that duplicates, conflicts and groups really happen."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Final

from strategies.json_nodes import NULL, Maybe, Node, OneOf, raw

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US


def _us(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // MICROSECOND


# around the borders of windows and of rates
MIDNIGHT_US: Final = _us("2026-01-15T00:00:00+00:00")
INSTANTS: Final = tuple(
    MIDNIGHT_US + after
    for after in (
        *(0, 1, -1, 30 * SECOND_US, MINUTE_US, MINUTE_US - 1, 15 * MINUTE_US, 15 * MINUTE_US - 1),
        *(HOUR_US, HOUR_US + 500_000, 2 * HOUR_US, -HOUR_US, DAY_US, DAY_US - 1),
    )
)
OLD_INSTANTS: Final = (0, -1, -HOUR_US, _us("0001-01-01T00:00:00+00:00"))
FUTURE_US: Final = _us("2200-01-01T00:00:00+00:00")
STARTED_AT_US: Final = _us("2026-01-20T12:34:56.789012+00:00")


def rfc3339(instant: int, *, without_zone: bool = False) -> OneOf:
    """Give spellings of an instant; without_zone adds one that has no offset."""
    utc = EPOCH + timedelta(microseconds=instant)
    plain = utc.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    fraction = f".{utc.microsecond:06d}"
    short = fraction.rstrip("0").rstrip(".")
    found = [f"{plain}{short}Z", f"{plain}{fraction}999Z", f"{plain}{short}-00:00"]
    found.append(f"{plain}{fraction}Z".lower())
    found.append(f"{plain} ".replace("T", " ").strip() + f"{fraction}000+00:00")
    for minutes in (330, -23 * 60 - 59):
        try:
            found.append(utc.astimezone(timezone(timedelta(minutes=minutes))).isoformat())
        except OverflowError:
            continue
    if without_zone:
        found += [plain + short, plain.replace("T", " ") + fraction]
    return OneOf(tuple(f'"{text}"' for text in found))


def epoch(instant: int, places: int) -> OneOf:
    """Give spellings of an instant as a number of 10^places microseconds."""
    plain = format(Decimal(instant).scaleb(-places), "f")
    longer = format(Decimal(instant * 10 + 9).scaleb(-places - 1), "f")
    return raw(plain, f'"{plain}"', longer, f"{instant}e-{places}", f'"{instant}000E-{places + 3}"')


BAD_TIMES: Final[tuple[Node, ...]] = tuple(
    raw(f'"{text}"')
    for text in (
        *("2026-01-15T00:00:60Z", "2026-01-15T24:00:00Z", "2026-02-29T00:00:00Z", "2026-01-15"),
        *("0000-12-31T23:59:59Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"),
        *(
            "2026-01-15T00:00:00",
            "2026-01-15T00:00Z",
            "2026-01-15T00:00:00.Z",
            "",
            "NaN",
            " 1",
            "1_0",
        ),
        *("2026-01-15T00:00:00+24:00", "2026-01-15T00:00:00+0100", "2026-01-15T00:00:00Z\\n"),
        *("253402300800000000000", "-62135596800000000001", "1e400", "0x10", "+1", "٢026-01-15"),
    )
)
_OBJECT: Final[Node] = {"x": raw("1")}
_ARRAY: Final[Node] = [raw("1")]
NO_SCALARS: Final[tuple[Node, ...]] = (
    *(raw("{}", "{ }"), raw("[]"), _ARRAY, _OBJECT, raw('[{"model":"a","tokens":1}]')),
)
# equal as JSON values, in each spelling
JSON_VALUES: Final[tuple[Node, ...]] = (
    raw(
        '{"x":1,"y":[1.0,null]}', '{"y":[1,null],"x":1e0}', '{ "\\u0078" : 10e-1, "y":[1E+0,null]}'
    ),
    raw('["1",true]', '[ "\\u0031" ,true ]'),
    raw('[1,"true"]'),
    raw('{"x":{"y":null}}'),
    raw('{"x":{}}'),
)
NUMBERS: Final[tuple[Node, ...]] = (
    raw("0", "-0", "0.0", "0e-30", "0E+5", '"0"', '"-0.0"'),
    raw("1", "1.0", "1e0", "10e-1", "1.00000000000000000000", '"1"', '"1E+0"', "0.1e1"),
    raw("1.5", "1.50", "15e-1", '"1.50000000000000000000"'),
    raw("-2.25", "-225E-2", '"-2.250"'),
    raw("1000", "1e3", "1E+3", '"1000.0"', '"1e3"'),
    raw("3"),
    raw("0.333333333333333333", '"0.333333333333333333"'),
    raw("100000000000000000", "1e17"),
    raw("0.000000000000000001", "1e-18", "10E-19"),
    raw("-1e-18"),
    raw("99999999999999999999.999999999999999999", '"99999999999999999999.9999999999999999990"'),
    raw("-99999999999999999999.999999999999999999"),
    raw("50000000000000000000", "5e19"),
)
BIG_NUMBERS: Final[tuple[Node, ...]] = (
    raw("1e20", "100000000000000000000", '"1E+20"', "10e19"),
    raw("-1e20"),
    raw("1e-19", "0.0000000000000000001", '"10e-20"'),
    raw("1.0000000000000000001"),
    raw("1e400", "10e399", '"1e400"'),
    raw("-1e-400"),
    raw("1e99999999999999999999"),
    raw("1" * 5000),
)
NO_NUMBERS: Final[tuple[Node, ...]] = (
    *(raw(f'"{text}"') for text in ("+1", ".5", "1.", "01", " 1", "1 ", "NaN", "Infinity", "1,0")),
    *(raw("true"), raw("false"), raw('""'), raw('"٣"'), raw('"0x1"'), raw('"1\\u000a"')),
)
SCALARS: Final[tuple[Node, ...]] = (
    *("a", "b", "NO", "", "7", "1.50", "true", "null", "é", "e\u0301", "😀", " a", "a\nb", 'q"\\/'),
    *(raw("7"), raw("7.0"), raw("1.50"), raw("-0"), raw("1E+2"), raw("true"), raw("false")),
    *("a\x00b", "\u2028\x7f", "x" * 300, "\ufeff"),
)
CUSTOMERS: Final = ("c1", "c2", "Ünï-😀")
IDS: Final[tuple[Maybe, ...]] = ("a", "b", "ä/😀", "", NULL, None)
