"""What the numbers and names of a probe mean: kernels and bounds."""

from __future__ import annotations

import pytest

from fp8check.rules.seen import Seen, bounds, from_data, gemms
from fp8check.rules.seen.bounds import rounding
from fp8check.rules.seen.kernels import means, shortened, unknown_names

QQ = "nvjet_sm90_qqtst_256x128_128x4_1x2_h_bz_coopA_TNT"
QR = "nvjet_sm90_qrtst_128x160_128x5_2x1_v_bz_coopA_algo2_TNT"
BF16 = "nvjet_sm90_tst_256x128_64x4_1x2_h_bz_coopA_TNT"
ROWWISE = "void cutlass::device_kernel<enable_3x_kernel_for_sm9x<cutlass::gemm::GemmUniversal<cutlass::float_e4m3_t>>>"


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        (QQ, "fp8"),
        (QR, "fp8"),
        ("nvjet_sm90_qqhsh_128x128_TNT", "fp8"),
        (BF16, "other"),
        ("nvjet_sm90_hsh_128x128_TNT", "other"),
        (ROWWISE, "fp8"),
        ("sm89_xmma_gemm_e4m3bf16_e4m3f32_f32_tn_n_tilesize64x64x64_cublas", "fp8"),
        ("sm80_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x128x32_cublas", "other"),
        ("ampere_bf16_s16816gemm_bf16_128x128_ldg8_f2f_stages_32x3_tn", "other"),
        ("nvjet_sm130_zz_128x128_TNT", "unknown"),
        ("gemm_of_tomorrow", "unknown"),
    ],
)
def test_meaning_of_names(name: str, meaning: str) -> None:
    assert means(name) == meaning


def test_names_are_shortened_to_what_tells_their_types() -> None:
    assert shortened(QQ) == "nvjet_sm90_qqtst"
    assert shortened(ROWWISE) == "cutlass::device_kernel"


def kernels(forward: dict[str, int], backward: dict[str, int], nodes: dict[str, int] | None = None) -> Seen:
    return from_data({"ended": "done", "kernels": {"forward": forward, "backward": backward, "nodes": nodes or {}}})


def test_dgrad_comes_before_wgrad() -> None:
    found = gemms(kernels({QQ: 3}, {QR: 3, BF16: 3}, {f"{QR}|{BF16}": 3}))
    assert found is not None
    assert (found["dgrad"].fp8, found["wgrad"].fp8, found["wgrad"].other) == (3, 0, 3)


def test_a_node_with_one_gemm_is_wgrad_or_of_a_frozen_base_dgrad() -> None:
    trained = gemms(kernels({QQ: 1}, {QR: 1}, {QR: 1}))
    assert trained is not None
    assert (trained["dgrad"].fp8, trained["wgrad"].fp8) == (0, 1)
    data = {
        "ended": "done",
        "kernels": {"forward": {QQ: 1}, "backward": {QR: 1}, "nodes": {QR: 1}},
        "layers": {
            "te": 1,
            "torchao": 0,
            "msamp": 0,
            "plain": 1,
            "total": 2,
            "left": ["layers.0.q_proj.lora_A.default"],
        },
        "moved": {"trainable": 2, "moved": 2},
    }
    frozen = gemms(from_data(data))
    assert frozen is not None
    assert (frozen["dgrad"].fp8, frozen["wgrad"].fp8) == (1, 0)


def test_compiled_code_has_no_nodes_and_twice_as_many_backward() -> None:
    found = gemms(kernels({QQ: 13}, {QR: 26, "triton_poi_fused__scaled_mm_0": 40}))
    assert found is not None
    assert (found["dgrad"].fp8, found["wgrad"].fp8) == (13, 13)
    open_ = gemms(kernels({QQ: 13}, {QR: 13}))
    assert open_ is not None
    assert (open_["dgrad"].fp8, open_["dgrad"].unknown) == (0, 13)


def test_no_gemm_is_no_answer() -> None:
    assert gemms(kernels({}, {})) is None
    assert gemms(kernels({"flash_fwd_kernel": 2}, {"vectorized_elementwise_kernel": 9})) is None
    assert gemms(Seen("done")) is None


def test_unknown_names_are_told() -> None:
    found = gemms(kernels({"nvjet_sm130_zz_8x8": 2}, {"nvjet_sm130_zz_8x8": 4}))
    assert found is not None
    assert unknown_names(found.values()) == ["nvjet_sm130_zz"]


def test_rounding_of_the_formats() -> None:
    assert rounding("E4M3") == pytest.approx(0.0265, abs=0.0005)
    assert rounding("E5M2") == pytest.approx(2 * rounding("E4M3"))
    assert rounding("BF16") == pytest.approx(rounding("E4M3") / 16)


def numbers(form: str, layers: int) -> Seen:
    error = {"fp8": 0.1, "bf16": 0.01}
    gradients = {"fp8": {"median": 0.1, "worst": 0.2, "name": "x"}, "bf16": {"median": 0.01}}
    return from_data(
        {
            "ended": "done",
            "built": {"layers": layers, "vocab": 512, "rows": 2, "columns": 64},
            "recipe": {"fp8_format": form},
            "numerics": {"output": error, "gradients": gradients},
        }
    )


def test_bounds_grow_with_depth_and_with_the_gradients_format() -> None:
    one, two, e4m3 = bounds(numbers("HYBRID", 1)), bounds(numbers("HYBRID", 2)), bounds(numbers("E4M3", 2))
    assert one is not None
    assert two is not None
    assert e4m3 is not None
    assert one.output < two.output == e4m3.output < 0.35
    assert e4m3.gradient < two.gradient < 0.65
    assert bounds(Seen("done")) is None


def test_ratio_and_spread() -> None:
    times = {"fp8_ms": {"ms": 10.0, "low": 9.0, "high": 11.0}, "bf16_ms": {"ms": 20.0, "low": 18.0, "high": 22.0}}
    measured = from_data({"ended": "done", **times})
    assert measured.speed_up == 2.0
    assert measured.speed_range == (pytest.approx(18 / 11), pytest.approx(22 / 9))
    assert from_data({"ended": "done", "emulated": True, **times}).speed_up is None
    assert from_data({"ended": "done"}).speed_range is None
