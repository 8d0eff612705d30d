"""The command `fp8check`."""

from __future__ import annotations

import gc

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from typing import NoReturn


def run() -> NoReturn:
    """The installed command: `main`, and the end of the process at once.

    Taking the interpreter apart, object by object, costs a tenth of the command's time and frees what the system is
    about to free. What asked to be called at exit is called.
    """
    gc.disable()  # before the imports, which are half of the work: what they make stays until the end

    import atexit
    import os
    import sys

    sys.path[:] = _without_the_current_folder(sys.path)

    from fp8check.cli.streams import open_closed

    open_closed()  # before a file is opened that would get their numbers

    from fp8check.cli.main import main

    code = main()
    atexit._run_exitfuncs()
    os._exit(code)


def _without_the_current_folder(path: list[str]) -> list[str]:
    """The path of imports without the folder that is checked: an empty entry of PYTHONPATH, as in ":/opt", means it.

    What lies there would be imported before the standard library. The folders of the standard library and of fp8check
    itself stay, should somebody stand in one of them.
    """
    import os

    try:
        here = os.stat(os.curdir)
    except OSError:
        return path
    own = (os.path.dirname(os.__file__), os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    return [one for one in path if one in own or not (one in ("", os.curdir) or _is(one, here))]


def _is(folder: str, here: os.stat_result) -> bool:
    import os

    try:
        return os.path.samestat(os.stat(folder), here)
    except OSError:
        return False
