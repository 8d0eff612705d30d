"""The facts of this machine."""

from __future__ import annotations

import os
import sys

from fp8check.rules.facts.data import Facts, Interpreter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def stamped(facts: Facts, today: str | None = None) -> Facts:
    """The facts with this machine's name and the day: facts that are saved are read elsewhere, and later.

    Args:
        today: the day, YYYY-MM-DD; None for this machine's (UTC).
    """
    import platform
    import time

    host = platform.node() or None
    return facts._replace(host=host, collected=today or time.strftime("%Y-%m-%d", time.gmtime()))


def collect(python: str | None = None, environ: Mapping[str, str] | None = None) -> Facts:
    """Gather the facts of this machine and of one Python environment on it.

    No package of that environment is imported. What cannot be learned stays unknown, with the reason in `notes`.

    Args:
        python: the interpreter that will train; the one that fp8check runs in where it is None.
        environ: the environment variables of the run; those of this process where it is None.

    Raises:
        BadInterpreter: `python` is not an interpreter that answers.
    """
    environ = dict(os.environ if environ is None else environ)
    return _with_libraries(*_machine(python, environ), environ)


def _machine(python: str | None, environ: Mapping[str, str]) -> tuple[Facts, Interpreter, str | None]:
    """Packages, variables and GPUs; with them the interpreter, and the CUDA version that the driver supports."""
    # Not at the top: with saved facts none of it is needed, and start-up time counts.
    from fp8check.rules.facts import gpus, packages, variables

    if python is None:
        asked = this_one()
    else:
        from fp8check.rules.facts.interpreter import ask

        asked = ask(python, environ)
    scan = packages.scan(asked.path)
    driver = gpus.ask(environ)
    facts = Facts(
        python=asked.python,
        packages=scan.versions,
        variables=variables.kept(environ),
        gpus=driver.gpus,
        driver=driver.driver,
        duplicates=scan.duplicates,
        notes=(*scan.notes, *driver.notes),
        source="machine",
    )
    return facts, asked, driver.cuda


def _with_libraries(facts: Facts, asked: Interpreter, driver_cuda: str | None, environ: Mapping[str, str]) -> Facts:
    """The same with CUDA, cuDNN and the like, and with the parts of Transformer Engine."""
    from fp8check.rules.facts import engine, libraries

    versions = facts.packages or {}
    cuda = libraries.torch_cuda(asked.path)
    if driver_cuda is not None:
        cuda["driver"] = driver_cuda
    return facts._replace(
        cuda=cuda,
        libraries=libraries.versions(versions, cuda.get("torch"), environ, asked.path),
        transformer_engine=engine.parts(versions, asked.path),
    )


def this_one() -> Interpreter:
    """The interpreter that fp8check runs in."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Interpreter(version, tuple(folder for folder in sys.path if folder))


def collect_for_run(python: str | None = None) -> Facts:
    """What is known here of the machine that will train, for a check that was not told more.

    Where fp8check itself is installed without torch and accelerate, as on a laptop or in a service's image, its own
    packages say nothing of the run: they count as not known, not as absent.

    Raises:
        BadInterpreter: `python` is not an interpreter that answers.
    """
    environ = dict(os.environ)
    facts, asked, driver_cuda = _machine(python, environ)
    if python is None and facts.is_training_environment is False:
        return facts.without_environment()
    return _with_libraries(facts, asked, driver_cuda, environ)
