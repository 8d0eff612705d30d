"""The environment variables of Transformer Engine: which releases read each, and what of it does.

Told from all sources that the tags v1.5 to v2.18 have in transformer_engine/common, pytorch and debug (Python, C++ and
CUDA), and from the Python files of the wheels of 2.19.0 and 2.20.2. What reads a name is written where a model that
Accelerate converts never has it: Accelerate puts in Linear and LayerNorm, with delayed scaling or MXFP8, and nothing
else. Names that only a build reads are in BUILDING.
"""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.releases.versions import between

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.releases.versions import Version

_ALWAYS: tuple[int, ...] = (0,)
_STILL: tuple[int, ...] = (9999,)


class Read(Record):
    """A variable that the releases since <= release < until read.

    Attributes:
        by: what of Transformer Engine reads it, where that is nothing that Accelerate puts into a model; else "".
    """

    since: tuple[int, ...]
    until: tuple[int, ...]
    by: str = ""

    def holds(self, version: Version) -> bool:
        """Whether that release reads it."""
        return between(version, self.since, self.until)

    @property
    def releases(self) -> str:
        """The releases that read it, for people: "2.8 and newer"."""
        since, until = (".".join(str(part) for part in bound) for bound in (self.since, self.until))
        if self.until == _STILL:
            return f"{since} and newer"
        return f"{since} to before {until}" if self.since != _ALWAYS else f"before {until}"


VARIABLES = {
    "NVTE_AG_P2P_ATOMIC": Read(_ALWAYS, (1, 6), "userbuffers"),
    "NVTE_AG_P2P_MULTI_ATOMIC": Read((1, 6), _STILL, "userbuffers"),
    "NVTE_ALLOC_CONTIGUOUS_GROUPED_LINEAR_WEIGHTS": Read((2, 13), (2, 14), "GroupedLinear"),
    "NVTE_ALLOW_NONDETERMINISTIC_ALGO": Read(_ALWAYS, _STILL, "attention"),
    "NVTE_ALLOW_UNSAFE_PICKLE_EXTRA_STATE": Read((2, 16, 1), _STILL),
    "NVTE_APPLY_QK_LAYER_SCALING": Read(_ALWAYS, _STILL, "attention"),
    "NVTE_ASYNC_AMAX_REDUCTION": Read(_ALWAYS, (1, 6)),
    "NVTE_BACKWARD_OVERRIDE": Read((2, 15), _STILL),
    "NVTE_BATCH_MHA_P2P_COMM": Read(_ALWAYS, _STILL, "attention"),
    "NVTE_BIAS_DROPOUT_FUSION": Read(_ALWAYS, _STILL, "TransformerLayer"),
    "NVTE_BIAS_GELU_NVFUSION": Read(_ALWAYS, _STILL, "LayerNormMLP"),
    "NVTE_BWD_LAYERNORM_SM_MARGIN": Read(_ALWAYS, _STILL),
    "NVTE_COMPILE_OP_SIDE_EFFECTS": Read((2, 20), _STILL),
    "NVTE_CPU_OFFLOAD_V1": Read((2, 10), _STILL),
    "NVTE_CUDA_INCLUDE_DIR": Read((2, 4), _STILL),
    "NVTE_CUDNN_MXFP8_NORM": Read((2, 0), (2, 2)),
    "NVTE_CUTEDSL_FUSED_GROUPED_MLP": Read((2, 14), _STILL, "GroupedLinear"),
    "NVTE_CUTEDSL_FUSED_GROUPED_MLP_FC1_GLU_RHT_AMAX_TMEM": Read((2, 17), _STILL, "GroupedLinear"),
    "NVTE_CUTLASS_GROUPED_GEMM_WARN_FALLBACK": Read((2, 8), _STILL, "GroupedLinear"),
    "NVTE_DEBUG": Read(_ALWAYS, _STILL, "attention"),
    "NVTE_DEBUG_LEVEL": Read((1, 8), _STILL, "attention"),
    "NVTE_DISABLE_CUTEDSL_WGRAD_FUSED_GROUPED_MLP": Read((2, 15), _STILL, "GroupedLinear"),
    "NVTE_DISABLE_NVRTC": Read(_ALWAYS, _STILL),
    "NVTE_DISABLE_TRITON_AUTOTUNING": Read((2, 15), _STILL, "hyper-connections"),
    "NVTE_DOPIN": Read(_ALWAYS, _STILL, "userbuffers"),
    "NVTE_DPA_FP8DS_AMAX_ALGO": Read((2, 8), _STILL, "attention"),
    "NVTE_DPA_FP8DS_AMAX_HISTLEN": Read((2, 8), _STILL, "attention"),
    "NVTE_DPA_FP8DS_REDUCE_AMAX": Read((2, 8), _STILL, "attention"),
    "NVTE_DPA_FP8_FORMAT": Read((2, 8), _STILL, "attention"),
    "NVTE_DPA_FP8_RECIPE": Read((2, 8), _STILL, "attention"),
    "NVTE_DPA_FP8_RECIPE_DPA": Read((2, 8), _STILL, "attention"),
    "NVTE_DPA_FP8_RECIPE_MHA": Read((2, 8), _STILL, "attention"),
    "NVTE_DP_AMAX_REDUCE_INTERVAL": Read(_ALWAYS, (1, 6)),
    "NVTE_ENABLE_CUTEDSL_BACKEND": Read((2, 20), _STILL),
    "NVTE_EP_HANDLE_CACHE_SIZE": Read((2, 17), _STILL, "expert parallelism"),
    "NVTE_EXT_MARGIN_SM": Read(_ALWAYS, _STILL),
    "NVTE_FLASH_ATTN": Read(_ALWAYS, _STILL, "attention"),
    "NVTE_FLASH_ATTN_V2": Read((2, 18), _STILL, "attention"),
    "NVTE_FLASH_ATTN_V3": Read((2, 18), _STILL, "attention"),
    "NVTE_FLASH_ATTN_V4": Read((2, 18), _STILL, "attention"),
    "NVTE_FP8_BLOCK_SCALING_FP32_SCALES": Read((2, 3), _STILL, "blockwise scaling"),
    "NVTE_FP8_CURRENT_SCALING_POWER_2_SCALES": Read((2, 8), _STILL, "current scaling"),
    "NVTE_FP8_DPA_BWD": Read((1, 6), _STILL, "attention"),
    "NVTE_FUSED_ATTN": Read(_ALWAYS, _STILL, "attention"),
    "NVTE_FUSED_ATTN_BACKEND": Read(_ALWAYS, (2, 16), "attention"),
    "NVTE_FUSED_ATTN_FORCE_WORKSPACE_OPT": Read(_ALWAYS, (2, 18), "attention"),
    "NVTE_FUSED_MLA_Q_UPROJ": Read((2, 19), _STILL, "attention"),
    "NVTE_FWD_LAYERNORM_SM_MARGIN": Read(_ALWAYS, _STILL),
    "NVTE_GEMM_GELU_FUSION": Read(_ALWAYS, _STILL, "LayerNormMLP"),
    "NVTE_GROUPED_LINEAR_SINGLE_PARAM": Read((2, 15), _STILL, "GroupedLinear"),
    "NVTE_GROUPED_LINEAR_USE_FUSED_GROUPED_GEMM": Read((2, 17), _STILL, "GroupedLinear"),
    "NVTE_INF_LAYERNORM_SM_MARGIN": Read((1, 6), _STILL),
    "NVTE_MASKED_SOFTMAX_FUSION": Read(_ALWAYS, _STILL, "attention"),
    "NVTE_NODOUBLE": Read(_ALWAYS, _STILL, "userbuffers"),
    "NVTE_NORM_BWD_USE_CUDNN": Read((2, 0), _STILL),
    "NVTE_NORM_FWD_USE_CUDNN": Read((2, 0), _STILL),
    "NVTE_NVFP4_4OVER6": Read((2, 17), _STILL, "NVFP4 recipe"),
    "NVTE_NVFP4_4OVER6_E4M3_USE_256": Read((2, 17), _STILL, "NVFP4 recipe"),
    "NVTE_NVFP4_4OVER6_ERR_MODE": Read((2, 17), _STILL, "NVFP4 recipe"),
    "NVTE_NVFP4_4OVER6_ERR_USE_FAST_MATH": Read((2, 17), _STILL, "NVFP4 recipe"),
    "NVTE_NVFP4_DISABLE_2D_QUANTIZATION": Read((2, 8), _STILL, "NVFP4 recipe"),
    "NVTE_NVFP4_DISABLE_RHT": Read((2, 8), _STILL, "NVFP4 recipe"),
    "NVTE_NVFP4_DISABLE_STOCHASTIC_ROUNDING": Read((2, 8), _STILL, "NVFP4 recipe"),
    "NVTE_NVFP4_ROW_SCALED_ACTIVATION": Read((2, 16), _STILL, "NVFP4 recipe"),
    "NVTE_NVTX_ENABLED": Read((2, 1), _STILL),
    "NVTE_ONNX_KVCACHE_MAX_SEQ_LEN": Read(_ALWAYS, (2, 0), "attention"),
    "NVTE_PLUGIN": Read((2, 20), _STILL),
    "NVTE_PRINT_LAYER_NUMBER": Read((2, 8), _STILL, "attention"),
    "NVTE_PRINT_RANK": Read((2, 8), _STILL, "attention"),
    "NVTE_RADIX_TOPK_THRESHOLD": Read((2, 17), _STILL, "fused router"),
    "NVTE_ROCE": Read(_ALWAYS, (1, 7), "userbuffers"),
    "NVTE_RS_STRIDED_ATOMIC": Read(_ALWAYS, _STILL, "userbuffers"),
    "NVTE_TORCH_COMPILE": Read(_ALWAYS, _STILL),
    "NVTE_UBDEBUG": Read(_ALWAYS, _STILL, "userbuffers"),
    "NVTE_UB_FP8_RS": Read(_ALWAYS, (1, 6), "userbuffers"),
    "NVTE_UB_SOCKET_IFNAME": Read((1, 5), (2, 2), "userbuffers"),
    "NVTE_UNFUSED_ATTN": Read((1, 9), _STILL, "attention"),
    "NVTE_UNFUSED_FP8_UPDATE": Read((1, 6), _STILL),
    "NVTE_USE_CUTLASS_GROUPED_GEMM": Read((2, 8), _STILL, "GroupedLinear"),
    "NVTE_USE_FAST_MATH": Read((2, 12), _STILL),
    "NVTE_ZERO_CENTERED_GAMMA_IN_WTYPE": Read((2, 3), _STILL),
    "NVTE_ZIONROCE": Read(_ALWAYS, (1, 7), "userbuffers"),
}
BUILDING = frozenset(
    [
        "NVTE_BUILD_ACTIVATION_WITH_FAST_MATH",
        "NVTE_BUILD_DEBUG",
        "NVTE_BUILD_MAX_JOBS",
        "NVTE_BUILD_METAPACKAGE",
        "NVTE_BUILD_USE_NVIDIA_WHEELS",
        "NVTE_CCACHE_BIN",
        "NVTE_CMAKE_BUILD_DIR",
        "NVTE_CMAKE_EXTRA_ARGS",
        "NVTE_CUDA_ARCHS",
        "NVTE_ENABLE_NVSHMEM",
        "NVTE_FRAMEWORK",
        "NVTE_NO_LOCAL_VERSION",
        "NVTE_PROJECT_BUILDING",
        "NVTE_PYTORCH_FORCE_BUILD",
        "NVTE_PYTORCH_FORCE_CXX11_ABI",
        "NVTE_PYTORCH_SKIP_CUDA_BUILD",
        "NVTE_RELEASE_BUILD",
        "NVTE_SKIP_SUBMODULE_CHECKS_DURING_BUILD",
        "NVTE_UB_WITH_MPI",
        "NVTE_USE_CCACHE",
        "NVTE_USE_PYTORCH_TRITON",
        "NVTE_WITH_CUBLASMP",
        "NVTE_WITH_CUSOLVERMP",
        "NVTE_WITH_NCCL_EP",
    ]
)
