"""How a stream is asked to stop: sources give out what they have read, then end."""

import threading

STOP = threading.Event()
