"""A person sees what a stream does: in place on a terminal, and nothing there that hurts."""

import re
import subprocess
import sys

import pytest
from rich.console import Console
from terminal import HERE, PATHS, Terminal

from pipelines.live_table import Rates, line, shortened, table
from transforms.live_totals import LiveTotals, Seen

PROGRAM = [sys.executable, str(HERE / "viewed_stream.py")]
LONG = "a_name_as_long_as_a_meter_may_have_it_sixty_three_characters_ab"
NOW = 1_768_473_062_400_000
SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"
CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
LIMIT_S = 60


def counted(times: int = 1, meters: tuple[str, ...] = ("tokens", "calls", LONG)) -> LiveTotals:
    totals = LiveTotals(watermark_us=NOW - 400_000)
    totals.add_line(lambda: "3 files followed, 1.2 MB behind")
    totals.add_line(lambda: "")
    for hour in (0, 3_600_000_000):
        totals.counts((hour, "", "received", ""), 50_000 * times)
        totals.counts((hour, "", "accepted", ""), 40_000 * times)
        totals.counts((hour, "", "duplicate", ""), 60)
    totals.counts((0, "", "rejected", "conflict"), 3)
    totals.counts((0, "", "rejected", "not_json"), 4)
    for meter in meters:
        totals.counts((0, meter, "matched", ""), 30_020 * times)
        totals.counts((0, meter, "metered", ""), 30_000 * times)
        totals.counts((0, meter, "rejected", "too_late"), 12)
        totals.counts((0, meter, "rejected", "missing_value"), 8)
    return totals


def drawn(seen: Seen, rates: Rates, width: int = 80, height: int = 24) -> list[str]:
    console = Console(width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(table(seen, rates, 3723.4, NOW, width=width, height=height))
    return capture.get().splitlines()


def after_four_seconds() -> tuple[Seen, Rates]:
    rates, seen = Rates(), counted(2).seen()
    rates.add(0, counted().seen())
    rates.add(4, seen)
    return seen, rates


GOLDEN = """\
25,000 events/s · 200,000 received · 1:02:03
120 duplicates · 7 rejected, 3 of them conflicts
watermark 2026-01-15 10:31:02Z, 0.4 s behind
3 files followed, 1.2 MB behind

 meter                                 metered   events/s   too late   rejected
 ──────────────────────────────────────────────────────────────────────────────
 a_name_as_long_as…ree_characters_ab    60,000      7,500         12          8
 calls                                  60,000      7,500         12          8
 tokens                                 60,000      7,500         12          8

Ctrl-C to stop
"""


def test_the_table_is_this_one() -> None:
    seen, rates = after_four_seconds()
    assert "\n".join(each.rstrip() for each in drawn(seen, rates)) == GOLDEN.rstrip()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 12), (40, 6), (200, 60)])
def test_the_table_fits_the_terminal(width: int, height: int) -> None:
    totals = counted(10**9, meters=(LONG, *(f"m{number}" for number in range(100))))
    lines = drawn(totals.seen(), Rates(), width, height)
    assert max(map(len, lines)) <= width
    assert len(lines) < height


def test_of_many_meters_the_busiest_are_shown_and_the_rest_is_counted() -> None:
    totals = counted(meters=tuple(f"m{number:03}" for number in range(100)))
    totals.counts((0, "m077", "metered", ""), 1)
    lines = drawn(totals.seen(), Rates())
    assert any("m077" in each for each in lines)
    shown = [each for each in lines if each.startswith(" m0")]
    assert lines[-1].strip() == f"… and {100 - len(shown)} more meters · Ctrl-C to stop"


def test_the_line_says_the_same_without_meters() -> None:
    seen, rates = after_four_seconds()
    assert line(seen, rates, 3723.4, NOW) == (
        "25,000 events/s · 200,000 received · 120 duplicates · 7 rejected, 3 of them conflicts"
        " · watermark 2026-01-15 10:31:02Z, 0.4 s behind · 3 files followed, 1.2 MB behind"
        " · 1:02:03"
    )


def test_a_stream_that_has_read_nothing_has_a_line_too() -> None:
    assert line(Seen(), Rates(), 0.2, NOW) == (
        "0 events/s · 0 received · 0 duplicates · 0 rejected, 0 of them conflicts · 0:00:00"
    )


@pytest.mark.parametrize(
    ("watermark_us", "words"),
    [
        (NOW + 5_000_000, "0.0 s behind"),
        (NOW - 3_723_000_000, "1:02:03 behind"),
        (NOW - 90_000_000_000, "1 d 1 h behind"),
        (9_223_372_036_854_775, "0.0 s behind"),
        (9_223_372_036_854_775_000, "watermark at the end"),
    ],
)
def test_the_lag_of_the_watermark_is_in_words(watermark_us: int, words: str) -> None:
    assert words in line(Seen(watermark_us=watermark_us), Rates(), 0, NOW)


def test_rates_are_of_the_last_five_seconds() -> None:
    rates, totals = Rates(), LiveTotals()
    for second in range(60):
        rates.add(second, totals.seen())
        totals.counts((0, "", "received", ""), 100 if second < 50 else 900)
    assert rates.of() == pytest.approx(900)
    assert rates.of("no such meter") == 0


def test_a_long_name_is_cut_in_its_middle() -> None:
    assert shortened(LONG, 63) == LONG
    assert shortened("abcdefghij", 7) == "abc…hij"
    assert [len(shortened(LONG, width)) for width in range(8, 64)] == list(range(8, 64))


def test_a_terminal_sees_frames_in_place_and_notices_above_them() -> None:
    with Terminal() as terminal:
        process = terminal.start(*PROGRAM)
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    frames = [CONTROLS.sub("", each) for each in terminal.written.splitlines()]
    assert max(map(len, frames)) <= 80
    assert [each for each in frames if "notice" in each] == [
        f"meterbeam: notice {number}" for number in range(4)
    ]
    assert "a_name_as_long_as" in terminal.written
    # what is left at the end: all that was drawn is wiped out again
    assert screen(terminal.written) == [f"meterbeam: notice {number}" for number in range(4)]
    cursor = re.findall(r"\x1b\[\?25[hl]", terminal.written)
    assert (cursor[0], cursor[-1]) == (HIDE_CURSOR, SHOW_CURSOR)


def test_an_error_gives_the_cursor_back() -> None:
    with Terminal() as terminal:
        process = terminal.start(*PROGRAM, "fail")
        process.communicate(timeout=LIMIT_S)
    assert process.returncode != 0
    assert terminal.written.rfind(SHOW_CURSOR) > terminal.written.rfind(HIDE_CURSOR) >= 0
    assert "KeyboardInterrupt" in screen(terminal.written)[-1]


def test_nothing_is_written_if_quiet() -> None:
    with Terminal() as terminal:
        process = terminal.start(*PROGRAM, "quiet")
        said, _ = process.communicate(timeout=LIMIT_S)
    assert (terminal.written, said, process.returncode) == ("", "", 0)


def test_nothing_for_terminals_is_written_elsewhere() -> None:
    done = subprocess.run(
        PROGRAM, capture_output=True, text=True, check=True, timeout=LIMIT_S, env=PATHS
    )
    assert (done.stdout, done.stderr) == ("", "")


def screen(written: str) -> list[str]:
    """The lines a terminal is left with: text, new lines, cursor up, and lines wiped out."""
    rows, row = [""], 0
    for part in re.split(r"(\x1b\[[0-9;?]*[A-Za-z]|\r|\n)", written):
        if part == "\n":
            row += 1
            rows.extend([""] * (row + 1 - len(rows)))
        elif part == "\x1b[2K":
            rows[row] = ""
        elif up := re.fullmatch(r"\x1b\[([0-9]+)A", part):
            row -= int(up[1])
        elif part and not part.startswith(("\x1b", "\r")):
            rows[row] += part
    return [each for each in rows if each]
