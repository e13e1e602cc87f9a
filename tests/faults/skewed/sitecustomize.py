"""Python imports this first where PYTHONPATH leads here: a process whose wall clock is CLOCK_AHEAD_S off.

libfaketime does that for any program, but CPython's sleep fails under it (it waits for a point on the monotonic clock).
"""

import os
from datetime import UTC, datetime, timedelta

import time_machine

ahead = timedelta(seconds=float(os.environ["CLOCK_AHEAD_S"]))
time_machine.travel(datetime.now(UTC) + ahead, tick=True).start()
