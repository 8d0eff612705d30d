"""Accelerate's own enumerations, as Literals: mypy refuses a name that is not one of them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    # utils/dataclasses.py FP8BackendType: Transformer Engine, torchao, Microsoft's MS-AMP, none
    Backend = Literal["NO", "TE", "MSAMP", "AO"]
    # utils/dataclasses.py DistributedType
    DistributedType = Literal[
        "NO",
        "MULTI_CPU",
        "MULTI_GPU",
        "MULTI_NPU",
        "MULTI_MLU",
        "MULTI_SDAA",
        "MULTI_MUSA",
        "MULTI_XPU",
        "MULTI_HPU",
        "MULTI_NEURON",
        "DEEPSPEED",
        "FSDP",
        "XLA",
        "MEGATRON_LM",
        "TP",
    ]

BACKENDS: tuple[Backend, ...] = ("NO", "TE", "MSAMP", "AO")
DISTRIBUTED_TYPES: tuple[DistributedType, ...] = (
    "NO",
    "MULTI_CPU",
    "MULTI_GPU",
    "MULTI_NPU",
    "MULTI_MLU",
    "MULTI_SDAA",
    "MULTI_MUSA",
    "MULTI_XPU",
    "MULTI_HPU",
    "MULTI_NEURON",
    "DEEPSPEED",
    "FSDP",
    "XLA",
    "MEGATRON_LM",
    "TP",
)
# utils/dataclasses.py SageMakerDistributedType, 0.34.0 to 1.15.0: what a file for Amazon SageMaker may say instead.
SAGEMAKER_TYPES = ("NO", "DATA_PARALLEL", "MODEL_PARALLEL")
# utils/dataclasses.py DynamoBackend; the last two came after 1.7.
DYNAMO_BACKENDS = (
    *("NO", "EAGER", "AOT_EAGER", "INDUCTOR", "AOT_TS_NVFUSER", "NVPRIMS_NVFUSER", "CUDAGRAPHS", "OFI", "FX2TRT"),
    *("ONNXRT", "TENSORRT", "AOT_TORCHXLA_TRACE_ONCE", "TORCHXLA_TRACE_ONCE", "TVM", "HPU_BACKEND", "NEURON", "IPEX"),
)
