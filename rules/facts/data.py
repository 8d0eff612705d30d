"""Facts: what is known of the machine that the run will use, and what is not."""

from __future__ import annotations

from enum import Enum

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final


class Unknown(Enum):
    """The type of UNKNOWN: an answer that nobody has."""

    UNKNOWN = "unknown"

    def __bool__(self) -> bool:
        """Refuse to count as true or false, so that "unknown" can never pass for "no".

        Raises:
            TypeError: always; compare with `is UNKNOWN`.
        """
        raise TypeError("unknown is neither true nor false: compare with `is UNKNOWN`")


UNKNOWN: Final = Unknown.UNKNOWN


class Interpreter(Record):
    """An interpreter's version and its sys.path."""

    python: str
    path: tuple[str, ...]


class Gpu(Record):
    """One NVIDIA GPU.

    Attributes:
        index: the driver's number for it (nvidia-smi's), which is not always CUDA's.
        name: the product name, as the driver gives it.
        compute_capability: "9.0" for Hopper.
        memory_mib: total memory in MiB, None where it is not known.
        mig: whether it is cut into MIG instances, None where it is not known.
        sm_mhz, memory_mhz: the highest clocks that it may have, None where they are not known.
        power_w: the power that it may take, as it is set now, in watts; None where it is not known.
    """

    index: int
    name: str
    compute_capability: str
    memory_mib: int | None = None
    mig: bool | None = None
    sm_mhz: int | None = None
    memory_mhz: int | None = None
    power_w: int | None = None


class Facts(Record):
    """What is known of one machine and one Python environment.

    In every mapping an absent key is unknown and a value None is known to be absent. None in the place of a whole
    mapping or list: nothing of that kind is known.

    Attributes:
        python: version of the interpreter that will train, "3.11.7".
        packages: versions by normalized name (lower case, underscores).
        variables: the environment variables that matter, credentials masked.
        unseen: what may set variables beside these, and was not looked at: "env.sh (read in line 3)", "docker run".
        gpus: all GPUs that the driver shows; an empty list is the knowledge that there is none.
        driver: version of the NVIDIA driver.
        cuda: CUDA versions: "torch" (what torch was built for), "driver" (the newest that the driver supports).
        libraries: versions of cudnn, cublas and nccl; see libraries.py for the keys.
        transformer_engine: its parts; see engine.py for the keys.
        duplicates: packages with more than one version in one folder, and these versions, the effective one first.
        launch_ms: milliseconds that the CPU takes to launch a decoder layer, forward and backward, where that was
            measured (fp8check env --launch-cost).
        host: the name of the machine, where they were saved for another one.
        collected: the day (UTC) on which they were saved, YYYY-MM-DD.
        notes: what could not be learned, and why; what looked odd.
        source: "machine" for the one that this runs on, "file" for saved facts, "nothing" where none were gathered.
        path: the file that they were loaded from.
        machines: the names of the machines that have them, where those of several were given (kinds.py).
    """

    python: str | None = None
    packages: Mapping[str, str | None] | None = None
    variables: Mapping[str, str] | None = None
    gpus: list[Gpu] | None = None
    driver: str | None = None
    cuda: Mapping[str, str | None] | None = None
    libraries: Mapping[str, str | None] | None = None
    transformer_engine: Mapping[str, object] | None = None
    duplicates: Mapping[str, list[str]] | None = None
    launch_ms: float | None = None
    host: str | None = None
    collected: str | None = None
    notes: tuple[str, ...] = ()
    source: str = "nothing"
    path: str | None = None
    machines: tuple[str, ...] = ()
    unseen: str = ""

    def __eq__(self, other: object) -> bool:
        """The same facts, wherever they were found."""
        if not isinstance(other, Facts):
            return NotImplemented
        aside: dict[str, object] = {"source": "", "path": None, "machines": ()}
        return self._replace(**aside).__dict__ == other._replace(**aside).__dict__

    def __hash__(self) -> int:
        """Of what tells two machines apart fastest; mappings have no hash."""
        return hash((self.python, self.driver))

    def __repr__(self) -> str:
        """All that is known, for people who debug."""
        return f"Facts({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items() if value)})"

    def with_variables(self, variables: Mapping[str, str]) -> Facts:
        """The same machine with these environment variables set as well."""
        return self._replace(variables={**(self.variables or {}), **variables})

    def with_import_check(self, imports: bool | None, error: str | None) -> Facts:
        """The same machine, with what a real import of Transformer Engine came to (engine.Imported)."""
        return self._replace(transformer_engine={**(self.transformer_engine or {}), "imports": imports, "error": error})

    def without_environment(
        self, note: str = "neither torch nor accelerate is installed here: this does not tell what will train"
    ) -> Facts:
        """The same machine, where what was found here of packages says nothing of the run.

        For a machine that has no training environment: the run will be in another. Variables and GPUs that are there
        stay: the shell and the machine may be those of the run.

        Args:
            note: why.
        """
        return self._replace(
            packages=None,
            transformer_engine=None,
            cuda=None,
            libraries=None,
            duplicates=None,
            gpus=self.gpus or None,
            notes=(*self.notes, note),
        )

    def package(self, name: str) -> str | Unknown | None:
        """The version of a package, None where it is known to be absent, UNKNOWN where nobody looked."""
        if self.packages is None:
            return UNKNOWN
        return self.packages.get(name, UNKNOWN)

    @property
    def is_training_environment(self) -> bool | Unknown:
        """Whether these are the facts of an environment that trains: torch or accelerate is installed there."""
        found = [self.package("torch"), self.package("accelerate")]
        if any(isinstance(version, str) for version in found):
            return True
        return UNKNOWN if UNKNOWN in found else False

    @property
    def count_gpus(self) -> bool:
        """Whether they tell how many GPUs a machine has, and not only of which kind: found here, or saved on a host."""
        return self.source == "machine" or self.host is not None

    def visible_gpus(self) -> list[Gpu] | None:
        """The GPUs that a CUDA program would see under CUDA_VISIBLE_DEVICES; None where that is not known.

        CUDA's own rules: an empty value hides all, and the list ends at the first number that is not a GPU's.
        """
        if self.gpus is None or self.variables is None:
            return None
        asked = self.variables.get("CUDA_VISIBLE_DEVICES")
        if asked is None:
            return list(self.gpus) if not self.unseen else None
        return _select(self.gpus, asked, self.variables.get("CUDA_DEVICE_ORDER"))


def _select(gpus: list[Gpu], asked: str, order: str | None) -> list[Gpu] | None:
    by_index = {str(gpu.index): gpu for gpu in gpus}
    chosen: list[Gpu] = []
    for entry in (part.strip() for part in asked.split(",")):
        if entry.upper().startswith(("GPU-", "MIG-")):
            return None  # identifiers are not among the facts
        gpu = by_index.get(entry)
        if gpu is None:
            break
        chosen.append(gpu)
    if len(set(chosen)) < len(chosen):
        return None  # the same GPU twice: releases of CUDA differ
    mixed = len({gpu.name for gpu in gpus}) > 1
    if mixed and chosen and len(chosen) < len(gpus) and order != "PCI_BUS_ID":
        return None  # by default CUDA counts the fastest GPU first, the driver by the bus
    return chosen
