"""Which variables are kept, and that credentials are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fp8check.rules.credentials import MASK
from fp8check.rules.facts import collect, dump
from fp8check.rules.facts.variables import kept, masked

# The word that must never come out.
CANARY = "c4n4ryc4n4ryc4n4ryc4n4ry"


@pytest.mark.parametrize(
    "name",
    [
        "ACCELERATE_MIXED_PRECISION",
        "ACCELERATE_FP8_BACKEND",
        "FP8_BACKEND",
        "NVTE_FRAMEWORK",
        "CUDA_VISIBLE_DEVICES",
        "HF_HOME",
        "HF_HUB_OFFLINE",
        "FSDP_VERSION",
        "TORCHDYNAMO_DISABLE",
        "TORCH_CUDA_ARCH_LIST",
        "PYTORCH_CUDA_ALLOC_CONF",
        "NCCL_DEBUG",
        "LD_LIBRARY_PATH",
        "FORCE_TORCHRUN",
        "NPROC_PER_NODE",
        "ALLOW_EXTRA_ARGS",
        "TRANSFORMERS_OFFLINE",
        "WORLD_SIZE",
        "LOCAL_RANK",
        "RANK",
        "OMP_NUM_THREADS",
        "DISABLE_VERSION_CHECK",
        "USE_MCA",
        "XDG_CACHE_HOME",
    ],
)
def test_variables_that_matter_are_kept(name: str) -> None:
    assert kept({name: "1"}) == {name: "1"}


@pytest.mark.parametrize("name", ["HOME", "USER", "HF_TOKEN", "WANDB_API_KEY", "AWS_SECRET_ACCESS_KEY", "PS1", "PATH"])
def test_others_are_not(name: str) -> None:
    assert kept({name: CANARY}) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HF_HUB_TOKEN", CANARY),
        ("TRANSFORMERS_AUTH", CANARY),
        ("ACCELERATE_API_KEY", CANARY),
        ("NCCL_SECRET", CANARY),
        ("TORCH_PASSWORD", CANARY),
        ("DEEPSPEED_CREDENTIALS", CANARY),
        ("accelerate_token".upper(), CANARY),
        ("HF_HOME", f"/data/hf_{CANARY}"),
        ("ACCELERATE_X", f"sk-{CANARY}"),
        ("ACCELERATE_X", f"AKIA{CANARY.upper()}"),
        ("ACCELERATE_X", f"ghp_{CANARY}"),
        ("ACCELERATE_X", f"github_pat_{CANARY}"),
        ("ACCELERATE_X", f"xoxb-{CANARY}"),
        ("ACCELERATE_X", f"eyJ{CANARY}.{CANARY}"),
        ("HF_HUB_ENDPOINT", f"https://me:{CANARY}@hub.example.org/"),
        ("HF_HUB_ENDPOINT", f"https://{CANARY}@hub.example.org/"),
        ("HF_HUB_ENDPOINT", f"https://hub.example.org/?token={CANARY}"),
        ("ACCELERATE_X", f"Authorization: Bearer {CANARY}"),
        ("ACCELERATE_X", f"-----BEGIN RSA PRIVATE KEY-----{CANARY}"),
    ],
)
def test_credentials_are_masked(name: str, value: str) -> None:
    assert kept({name: value}) == {name: MASK}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKENIZERS_PARALLELISM", None),
        ("TRANSFORMERS_TOKENIZER_PATH", "/data/tokenizer"),
        ("NCCL_SOCKET_IFNAME", "eth0"),
        ("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True"),
        ("HF_HUB_ENDPOINT", "https://hub.example.org/api"),
        ("TORCH_AUTHOR", "someone"),
    ],
)
def test_harmless_values_stay(name: str, value: str | None) -> None:
    assert kept({name: value} if value is not None else {}) == ({name: value} if value is not None else {})


@given(st.dictionaries(st.sampled_from(["HF_TOKEN", "HF_HUB_TOKEN", "TORCH_KEY", "MY_SECRET"]), st.just(CANARY)))
def test_a_secret_never_reaches_the_file(environ: dict[str, str]) -> None:
    facts = collect(environ={**environ, "NCCL_DEBUG": f"https://u:{CANARY}@host"})
    assert CANARY not in dump(facts)
    assert CANARY not in repr(facts)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("my key is xyzzy-from-the-shell, twice xyzzy-from-the-shell", "my key is ***, twice ***"),
        ("read /home/somebody/model", "read ~/model"),
        ("password=hunter2 hf_abcdefghijklmnop", "password=*** ***"),
        ("ValueError: token=abc123 in a message", "ValueError: token=*** in a message"),
        ("NCCL_DEBUG is information, a pin of one-12", "NCCL_DEBUG is information, a pin of one-12"),
        ("/", "/"),
    ],
)
def test_what_a_program_printed_shows_no_credential_and_no_home(text: str, shown: str) -> None:
    shell = {
        "MY_API_KEY": "xyzzy-from-the-shell",
        "HOME": "/home/somebody",
        "NCCL_DEBUG": "information",  # no credential by its name
        "PIN_TOKEN": "one-1",  # too short to tell from any other text
    }
    assert masked(text, shell) == shown


@pytest.mark.parametrize("environ", [{}, {"HOME": "/"}, {"HOME": ""}])
def test_a_home_that_says_nothing_is_not_replaced(environ: dict[str, str]) -> None:
    assert masked("/data/model", environ) == "/data/model"


@pytest.mark.parametrize(("value", "shown"), [("12345", "it was 12345"), ("123456", "it was ***")])
def test_a_credential_is_found_by_its_value_from_six_letters_on(value: str, shown: str) -> None:
    assert masked(f"it was {value}", {"MY_SECRET": value}) == shown
