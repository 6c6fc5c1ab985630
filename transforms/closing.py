"""When a stream frees what it keeps: when no element is expected any more that would need it."""

_MILLISECOND = 1000  # what engines count time in
_STEPS = 32


def closes_us(last_us: int, slack_us: int) -> int:
    """The moment (µs), `slack_us` after the last one that counts, or a 32nd of it later.

    It is a multiple of that, so that a timer for it is rarely set again: some engines keep each
    setting until it is due.
    """
    step = max(slack_us // _STEPS // _MILLISECOND, 1) * _MILLISECOND
    return ((last_us + slack_us) // step + 1) * step
