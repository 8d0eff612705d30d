"""GPUs and their datasheet figures."""

from __future__ import annotations

from fp8check.rules.record import Record


class Datasheet(Record):
    """One GPU.

    Attributes:
        name: as people call it; `match`: what stands in the names that the driver gives it.
        compute_capability: "9.0" for Hopper.
        memory_gb, bandwidth_tb_s: of its memory, in GB and TB/s.
        bf16_tflops, fp8_tflops: dense rates in TFLOP/s; None for FP8 where it has none.
        measured: whether the speed model was fitted to measurements on it.
        source: where the figures are from.
    """

    name: str
    match: tuple[str, ...]
    compute_capability: str
    multiprocessors: int
    memory_gb: float
    bandwidth_tb_s: float
    bf16_tflops: float
    fp8_tflops: float | None
    measured: bool
    source: str

    def __hash__(self) -> int:
        """Of its name, which no other has."""
        return hash(self.name)


# Dense rates in TFLOP/s (FP8 with FP32 accumulation), memory in GB and TB/s. The speed model was fitted to measurements
# on those that are `measured`; the others are modeled from their datasheet alone.
_GPUS = (
    Datasheet(
        name="H200",
        match=("H200",),
        compute_capability="9.0",
        multiprocessors=132,
        memory_gb=141,
        bandwidth_tb_s=4.8,
        bf16_tflops=989.4,
        fp8_tflops=1978.9,
        measured=True,
        source="https://www.nvidia.com/en-us/data-center/h200/ (SXM; dense is half of the figures with sparsity: 1,979 and 3,958)",
    ),
    Datasheet(
        name="H100 PCIe",
        match=("H100 PCIe",),
        compute_capability="9.0",
        multiprocessors=114,
        memory_gb=80,
        bandwidth_tb_s=2.0,
        bf16_tflops=756.5,
        fp8_tflops=1513,
        measured=False,
        source="https://resources.nvidia.com/en-us-tensor-core (H100 Tensor Core GPU datasheet and architecture white paper, PCIe 5.0, dense)",
    ),
    Datasheet(
        name="H100",
        match=("H100",),
        compute_capability="9.0",
        multiprocessors=132,
        memory_gb=80,
        bandwidth_tb_s=3.35,
        bf16_tflops=989.4,
        fp8_tflops=1978.9,
        measured=False,
        source="https://www.nvidia.com/en-us/data-center/h100/ (SXM; dense is half of the figures with sparsity: 1,979 and 3,958)",
    ),
    Datasheet(
        name="B200",
        match=("B200",),
        compute_capability="10.0",
        multiprocessors=148,
        memory_gb=180,
        bandwidth_tb_s=8.0,
        bf16_tflops=2250,
        fp8_tflops=4500,
        measured=False,
        source="https://www.nvidia.com/en-us/data-center/dgx-b200/ (DGX B200 datasheet: 72 PFLOPS FP8 with sparsity for eight, 64 TB/s)",
    ),
    Datasheet(
        name="RTX 4090",
        match=("RTX 4090",),
        compute_capability="8.9",
        multiprocessors=128,
        memory_gb=24,
        bandwidth_tb_s=1.008,
        bf16_tflops=165.2,
        fp8_tflops=330.3,
        measured=False,
        source="https://images.nvidia.com/aem-dam/Solutions/geforce/ada/nvidia-ada-gpu-architecture.pdf (white paper, appendix A; FP32 accumulate, dense)",
    ),
    Datasheet(
        name="L40S",
        match=("L40S",),
        compute_capability="8.9",
        multiprocessors=142,
        memory_gb=48,
        bandwidth_tb_s=0.864,
        bf16_tflops=362.05,
        fp8_tflops=733,
        measured=False,
        source="https://www.nvidia.com/en-us/data-center/l40s/ (datasheet: 362.05 and 733 dense)",
    ),
    Datasheet(
        name="A100",
        match=("A100",),
        compute_capability="8.0",
        multiprocessors=108,
        memory_gb=80,
        bandwidth_tb_s=2.039,
        bf16_tflops=312,
        fp8_tflops=None,
        measured=False,
        source="https://www.nvidia.com/en-us/data-center/a100/ (80GB SXM datasheet; no FP8)",
    ),
)


def gpus() -> tuple[Datasheet, ...]:
    """All GPUs of the table."""
    return _GPUS


def find(name: str) -> Datasheet | None:
    """The GPU that a driver's or a person's name means: "NVIDIA H200", "h200"; None where it is not in the table."""
    wanted = name.upper().replace("_", "").replace(" ", "")
    return next((gpu for gpu in gpus() if any(part.upper().replace(" ", "") in wanted for part in gpu.match)), None)
