"""What holds for all tests."""

import signal

from hypothesis import settings

# how long an example takes says something of the machine only
settings.register_profile("meterbeam", deadline=None)
settings.load_profile("meterbeam")

# begun in the background by a shell, a process and all it starts would ignore Ctrl-C
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
