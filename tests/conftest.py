"""Settings for all tests."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

# Machines differ in speed and are shared: slowness is no failure here. CI takes the same examples every time.
settings.register_profile(
    "fp8check",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("fp8check")
# pytest-xdist says to its workers how wide a terminal they have none of, and texts would be folded to it.
os.environ.pop("COLUMNS", None)
# Whoever starts the tests in the background may have these ignored, and every program that a test starts, too, would be
# deaf to them: a test would wait for its end.
for _number, _usual in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)
