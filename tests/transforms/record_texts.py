"""Records as text, as programs write them and as nobody should, drawn one by one or as blocks."""

import json

from hypothesis import strategies as st

NUMBERS = st.sampled_from(
    [
        "0",
        "-0",
        "7",
        "12",
        "1.5",
        "1.50",
        "-2.25",
        "1e3",
        "1E+2",
        "1e-3",
        "100000000000000000",
        "0.000000000000000001",
        "1e-19",
        "1e400",
        "1e20",
        "99999999999999999999.999999999999999999",
        "9223372036854775808",
        "1.50000000000000000000",
        "0e-30",
        "123456789012345678901234567890",
        "-1e19",
        "5e-324",
        "0.1",
    ]
)
TEXTS = st.sampled_from(
    [
        "x",
        "",
        "eu",
        "7",
        "1.50",
        "+1",
        ".5",
        "5.",
        "01",
        " 1",
        "1e3",
        "-0",
        "NaN",
        "true",
        "é",
        "😀",
    ]
    + ["}{", "} {", "\u0000", 'a"b', "back\\slash", "x" * 256, "x" * 257, "{}", "Inf", "Info"]
)
RAW = st.sampled_from(
    [
        "NaN",
        "Infinity",
        "-Infinity",
        '"\\ud800"',
        '"\\udc00"',
        '"\\ud83d\\ude00"',
        '"\\u0041"',
        "01",
        "1.",
        ".5",
        "+1",
        '"\x01"',
        "tru",
        '{"a":1,"a":2}',
        '[{"b":1,"b":1}]',
        "[1,]",
        "[" * 513 + "]" * 513,
        "[" * 510 + "]" * 510,
    ]
)
TIMES = st.sampled_from(
    [
        "2026-01-15T10:30:00Z",
        "2026-01-15T10:30:00.5Z",
        "2026-01-15t10:30:00.123456789z",
        "2026-01-15T10:30:00.123456Z",
        "2026-01-15T10:30:00+01:30",
        "2026-01-15T10:30:00.25-23:59",
        "2026-01-15T10:30:60Z",
        "2026-02-29T00:00:00Z",
        "2024-02-29T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59-00:01",
        "2026-01-15T10:30:00",
        "2026-01-15",
        "2026-1-15T10:30:00Z",
        "2026-01-15T24:00:00Z",
        "2026-01-15T10:30Z",
        "2026-01-15T10:30:00.Z",
        "2026-01-15T10:30:00+24:00",
        "2026-13-01T00:00:00Z",
        "1969-12-31T23:59:59.9Z",
        "2026-01-15T10:30:00+0130",
        "2026-01-15T10:30:00,5Z",
        "\uff12026-01-15T10:30:00Z",
    ]
    + ["2026-01-15 10:30:00Z", "2026-01-15 10:30:00.1234567", ""]
)
SCALARS = st.one_of(
    NUMBERS,
    TEXTS.map(json.dumps),
    TEXTS.map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from(["null", "true", "false"]),
)
VALUES = st.one_of(SCALARS, SCALARS, st.sampled_from(['{"k":1}', "[]", "[1,2]", "{}"]), RAW)
EPOCHS = st.sampled_from(
    [
        "1700000000000",
        "1700000000000.5",
        '"1700000000000"',
        "-0.0001",
        "1e12",
        "1e30",
        '"x"',
        "253402300799999.9",
        "0",
    ]
    + ["-62135596800000", "-62135596800000.1", "true", "{}", '" 1"', "null", "1e-400", '"+1"']
)


def one_of(usual: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Mostly the usual value, now and then anything."""
    return st.one_of(usual, usual, usual, usual, VALUES)


@st.composite
def members(draw: st.DrawFn, fields: dict[str, st.SearchStrategy[str]]) -> str:
    """An object with some of the fields, seldom one of them twice, seldom strangely spaced."""
    names = [name for name in fields if draw(st.integers(0, 9)) > 0]
    if names and draw(st.integers(0, 30)) == 0:
        names.append(draw(st.sampled_from(names)))
    colon = draw(st.sampled_from([":", ":", ":", ": ", " : "]))
    spelled = {name: json.dumps(name) for name in names}
    if names and draw(st.integers(0, 20)) == 0:
        name = draw(st.sampled_from(names))
        spelled[name] = f'"\\u{ord(name[0]):04x}{name[1:]}"'
    parts = [spelled[name] + colon + draw(fields[name]) for name in names]
    return "{" + ",".join(parts) + "}"


TEXT = TEXTS.map(json.dumps)
PROPERTIES = members(
    {
        "n": one_of(NUMBERS),
        "model": one_of(TEXT),
        "deep": one_of(members({"er": one_of(TEXT)})),
        "ip": one_of(SCALARS),
        "unread": one_of(NUMBERS),
        "list": one_of(st.sampled_from(["[]", "[1.5]", '[{"n":1}]', '["x"]'])),
    }
)
METADATA = members({"zone": one_of(TEXT), "size": one_of(NUMBERS), "n": VALUES})
NATIVE = members(
    {
        "id": one_of(TEXT),
        "event_type": st.one_of(st.just('"a"'), st.just('"b"'), TEXT, VALUES),
        "customer_id": st.one_of(st.just('"c1"'), one_of(TEXT)),
        "timestamp": one_of(TIMES.map(json.dumps)),
        "received_at": one_of(TIMES.map(json.dumps)),
        "properties": one_of(PROPERTIES),
        "metadata": one_of(METADATA),
    }
)
MAPPED = members(
    {
        "id": one_of(SCALARS),
        "auth": one_of(members({"tenant": one_of(SCALARS)})),
        "ts": one_of(EPOCHS),
        "at": one_of(TIMES.map(json.dumps)),
        "properties": one_of(PROPERTIES),
        "metadata": one_of(METADATA),
    }
)
STRANGE = st.sampled_from(
    [
        b"null",
        b"[]",
        b"1",
        b"{} {}",
        b'{"id":',
        b"{}}",
        b"\xef\xbb\xbf{}",
        b'{"id":"\xff"}',
        b"\x00",
    ]
    + [b"  ", b"\t\r", b'{"a":{}', b'{"n":1} ', b' {"n":1}', b"{}\x00", b'{"id":"\xed\xa0\x80"}']
)


def blocks(record: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    line = st.one_of(*[record.map(str.encode)] * 5, STRANGE)
    ends = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\n\n", b"\n \n"])
    pair = st.tuples(line, ends).map(b"".join)
    return st.tuples(st.lists(pair, max_size=12), st.sampled_from([b"", b"", b'{"id":"x"}'])).map(
        lambda parts: b"".join(parts[0]) + parts[1]
    )
