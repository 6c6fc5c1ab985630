"""A program that shows a stream which is not there; run by the tests as a command.

It waits for lines on standard output's other side: `fail` ends it with an error, else it ends well.
"""

import sys
import threading

from pipelines.live_view import LiveView
from pipelines.notices import notify
from transforms.live_totals import LIVE_TOTALS

LONG = "a_name_as_long_as_a_meter_may_have_it_sixty_three_characters_ab"
FRAMES = 4


def main() -> None:
    """Shows some frames, with a notice between, and ends as it was asked to."""
    shown = threading.Semaphore(0)

    def line() -> str:
        shown.release()
        return "2 files followed"

    with LiveView(quiet="quiet" in sys.argv):
        LIVE_TOTALS.add_line(line)
        for meter in ("tokens", LONG, *(f"m{number:02}" for number in range(40))):
            LIVE_TOTALS.counts((0, meter, "metered", ""), 1)
        LIVE_TOTALS.counts((0, "", "received", ""), 12345)
        for number in range(FRAMES if "quiet" not in sys.argv and sys.stderr.isatty() else 0):
            shown.acquire()
            notify(f"notice {number}")
        if "fail" in sys.argv:
            raise KeyboardInterrupt


if __name__ == "__main__":
    main()
