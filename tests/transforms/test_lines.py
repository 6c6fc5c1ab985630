"""Lines that are not UTF-8 are told from their neighbours."""

from hypothesis import given
from hypothesis import strategies as st

from transforms.lines import Lines

PIECES = [
    b"a",
    b"\xc3\xa9",
    b"\xe2\x82\xac",
    b"\xf0\x9f\x98\x80",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
]
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map(b"".join)


def decodes(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(
    st.dictionaries(st.integers(0, 199), TEXTS, max_size=40), st.sampled_from([b"x", b"\xc3\xa9"])
)
def test_each_line_is_utf8_or_not_by_itself(odd: dict[int, bytes], usual: bytes) -> None:
    lines = Lines.of(b"\n".join(odd.get(i, usual) for i in range(200)))
    assert len(lines) == 200
    assert lines.valid_utf8().tolist() == [decodes(lines[i]) for i in range(200)]


def test_no_lines_are_no_trouble() -> None:
    assert Lines.of(b"").valid_utf8().tolist() == []
    assert Lines.of(b"\n\xff").valid_utf8().tolist() == [False]
