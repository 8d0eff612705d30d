"""What is a credential and what is none: the list is held against made-up ones of each kind, and against innocent words."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fp8check.rules.credentials import (
    MASK,
    SHAPES,
    is_clean,
    is_secret_setting,
    masked,
    masked_shapes,
    names_one,
    of_the_same_width,
)
from tests.support.paths import CORPUS

LETTERS = string.ascii_letters + string.digits


def made(length: int, letters: str = LETTERS) -> str:
    """So many letters that nobody has ever had for a credential."""
    chosen = random.Random(length)  # noqa: S311  no secret of anybody
    return "Q7" + "".join(chosen.choice(letters) for _ in range(length - 2))


# By whose shape it is; each is made here: no scanner of this repository shall find one.
SAMPLES = {
    "Hugging Face": ["hf_" + made(34), "api_org_" + made(34), "hf_" + "a" * 34],
    "OpenAI, Anthropic and others": ["sk-" + made(48), "sk-proj-" + made(60), "sk-ant-api03-" + made(93)],
    "Stripe": ["sk_live_" + made(24), "rk_test_" + made(24), "whsec_" + made(32)],
    "GitHub": [f"gh{one}_{made(36)}" for one in "pousr"],
    "GitHub, fine-grained": ["github_pat_" + made(22) + "_" + made(59)],
    "GitLab": ["glpat-" + made(20), "glrt-" + made(20), "gldt-" + made(20), "glcbt-64_" + made(20)],
    "GitLab, runners": ["GR1348941" + made(20)],
    "Grafana": ["glsa_" + made(32) + "_1a2b3c4d", "glc_" + made(40)],
    "AWS": ["AKIA" + "IOSFODNN7" + "EXAMPLE", "ASIA" + "Q2W3E4R5T6Y7U2I3"],
    "AWS, Bedrock": ["ABSK" + made(120)],
    "Google, OAuth": ["ya29." + made(60), "GOCSPX-" + made(28)],
    "Google, API": ["AIza" + made(35)],
    "npm": ["npm_" + made(36)],
    "PyPI": ["pypi-AgEIcHlwaS5vcmc" + made(60)],
    "Slack": ["xoxb-" + "123456789012-" + made(24), "xapp-1-" + made(20)],
    "webhooks of chats": [
        "https://hooks.slack.com/services/" + "T0001/B0001/" + made(24),
        "https://discord.com/api/webhooks/1/" + made(60),
        "https://oapi.dingtalk.com/robot/send?access_token=" + made(64),
        "https://open.feishu.cn/open-apis/bot/v2/hook/" + made(36),
    ],
    "Databricks": ["dapi" + "0123456789abcdef" * 2],
    "Azure, signatures": ["https://x.blob.core.windows.net/c?sv=2022&sig=" + made(40) + "%3D&se=1"],
    "Azure, accounts": ["AccountName=x;AccountKey=" + made(86) + "=="],
    "Azure, applications": ["abc8Q~" + made(34)],
    "DigitalOcean": ["dop_v1_" + "0123456789abcdef" * 4],
    "HashiCorp": ["hvs." + made(95), made(14) + ".atlasv1." + made(64)],
    "SendGrid": ["SG." + made(22) + "." + made(43)],
    "Perplexity, Groq, xAI, Fireworks, Replicate, NVIDIA, W&B": [
        "gsk_" + made(52),
        "nvapi-" + made(64),
        "r8_" + made(37),
    ],
    "Docker, 1Password, Linear": ["dckr_pat_" + made(27), "ops_eyJ" + made(60), "lin_api_" + made(40)],
    "Postman, Shopify, Sentry, ReadMe, RubyGems, Pulumi, Notion, PlanetScale": ["shpat_" + made(32), "pul-" + made(40)],
    "age, Artifactory, Alibaba": ["AGE-SECRET-KEY-1" + made(58).upper(), "AKCp" + made(69), "LTAI" + made(20)],
    "JSON web tokens": ["eyJ" + made(30) + ".eyJ" + made(30) + "." + made(43)],
    "private keys": [
        f"-----BEGIN {kind}PRIVATE KEY-----\n{made(64)}\n{made(64)}\n{made(9)}==\n-----END {kind}PRIVATE KEY-----"
        for kind in ("", "RSA ", "OPENSSH ")
    ]
    + ["-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AB01\n\n" + made(64)]
    + ["-----BEGIN PRIVATE KEY-----\\n" + made(64) + "\\n" + made(9) + "=\\n-----END PRIVATE KEY-----"],
    "a token in a URL": ["https://" + made(30) + "@hub.example.org/", "https://" + made(30) + ":x@github.com"],
    "a password in a URL": [
        "https://me:" + made(19) + "@hub.example.org/",
        "https://u:hunter2hunter2hunter2@h",
        "postgresql+psycopg://u:" + made(30) + "@h/d",
    ],
    "Weights & Biases": [
        "wandb login " + "0123456789abcdef0123456789abcdef01234567",
        "wandb login --relogin " + made(40),
    ],
    "headers": ["curl -H 'Authorization: Bearer " + made(30) + "'", "Proxy-Authorization: Basic " + made(30)],
}


def test_every_shape_has_samples() -> None:
    assert set(SAMPLES) == {whose for whose, _, _ in SHAPES}


@pytest.mark.parametrize(("whose", "sample"), [(whose, one) for whose, many in SAMPLES.items() for one in many])
def test_a_credential_is_known_by_its_shape(whose: str, sample: str) -> None:
    """In any text, quoted or not; with its width where the text around it must stay where it was."""
    markers = next(markers for one, markers, _ in SHAPES if one == whose)
    assert any(marker in sample for marker in markers)
    secret = max(sample.replace("\\n", "\n").replace("/", "\n").replace("=", "\n").split(), key=len).strip("'")
    for text in (sample, f'x: "{sample}" # y', f"say {sample}\nand more", f'{{"a": "{sample}"}}'):
        assert not is_clean(text)
        assert secret not in masked_shapes(text)
        assert MASK in masked_shapes(text)
        wide = masked_shapes(text, of_the_same_width)
        assert secret not in wide
        assert [len(line) for line in wide.split("\n")] == [len(line) for line in text.split("\n")]


@pytest.mark.parametrize("sample", ["hf_" + made(12), "ya29." + "a0AfH6SMBx", "glsa_" + made(10), "sk-ant-" + made(9)])
def test_also_where_it_is_cut(sample: str) -> None:
    assert masked_shapes(f"the value {sample}... is none") == f"the value {MASK}... is none"


@pytest.mark.parametrize(
    "text",
    [
        "hf_transfer hf_checkpoint hf_model_name hf_hub_download",
        "npm_config_registry npm_lifecycle_event",
        "sk-learn sk-image task-specific-model",
        "pypi-publish-workflow-name",
        "ASIAPACIFICREGION",
        "git clone ssh://git@github.com/x and postgresql://fp8check@localhost/db",
        "https://someone@hub.example.org/ and postgresql://u:***@localhost/db",
        "basic training of bearer bonds; HTTP Basic authentication",
        "model_name_or_path: meta-llama/Llama-3.1-8B-Instruct",
        "revision: 0123456789abcdef0123456789abcdef01234567",
        "pad_token: <pad>\neos_token: <|im_end|>\nbos_token: '<s>'\nimage_token: <image>",
        "max_new_tokens: 512\nnum_input_tokens_seen: true\nadd_special_tokens: true\ntokens_per_second: 1",
        "tokenizer_name_or_path: data/tokenizer\nskip_special_tokens: false\nsplit_special_tokens: null",
        "use_auth_token: true\ntoken: null\nhub_token: ${HF_TOKEN}\nhf_token: $HF_TOKEN\napi_key: <your key>",
        "text_key: prompt\nimage_key: images\nkey: messages\nranking_key: rejected_column_2",
        "hub_token_file: /run/secrets/hub\napi_key_env: OPENAI_API_KEY\nsecret_name: training-secrets",
        "author: someone\nauthors: [a]\nauthentication: none\npasses: 3\nbypass: true\nmonkey: 1\nkeyword: x",
        "special_token: reserved_special_token_250",
        "monitor: eval/loss\nwarmup_ratio: 0.03\nlearning_rate: 1.0e-4",
    ],
)
def test_what_is_none_stays(text: str) -> None:
    assert masked(text) == text
    assert masked(text, of_the_same_width, code=True) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hub_token: abcdef", "hub_token: ***"),
        ('"hub_token": "ab cd",', '"hub_token": "***",'),
        ("hub_token:\n  abcdef\nx: 1", "hub_token:\n  ***\nx: 1"),
        ("password: |\n  one\n  two\nx: 1", "password: |\n***x: 1"),
        ("hub_token: &a !!str abcdef", "hub_token: &a !!str ***"),
        ("auth_token:\n  nested: 1", "auth_token:\n  nested: 1"),
        (
            "WANDB_API_KEY=abc accelerate launch --hub_token abc --x 1",
            "WANDB_API_KEY=*** accelerate launch --hub_token *** --x 1",
        ),
        ("--hub-token='a b' y", "--hub-token='***' y"),
        ('--hub_token="hf_""abcd" y', '--hub_token="***" y'),
        ("https://h/?a=1&api_key=abc&b=2", "https://h/?a=1&api_key=***&b=2"),
        ("aws_secret_access_key => 'x y'", "aws_secret_access_key => '***'"),
        ("wandbApiKey: abc", "wandbApiKey: ***"),
        ("token: 0a1b2c3d4e5f6a7b8c9d", "token: ***"),
        ("password: 12345", "password: ***"),
        ("password: 123", "password: 123"),
    ],
)
def test_a_credential_is_known_by_its_name(text: str, shown: str) -> None:
    assert masked(text) == shown


def test_in_a_program_a_bare_word_is_a_name() -> None:
    text = 'login(token=args.hub_token, hub_token="abcdef", api_key=key, password=os.environ["X"])'
    assert masked(text, code=True) == text.replace("abcdef", MASK)


@pytest.mark.parametrize("value", [None, True, 1.5, "", "  ", "***", "xxxx", "%SECRET%", "{{ secret }}", 12])
def test_a_value_that_says_nothing_is_no_secret(value: object) -> None:
    assert not is_secret_setting("password", value)


@given(st.text(st.sampled_from("ab=: \n'\"\\-_|>{}[]tokensecretkey0129")))
def test_a_mask_keeps_every_other_character_in_its_place(text: str) -> None:
    wide = masked(text, of_the_same_width)
    assert len(wide) == len(text)
    assert all(one in (other, "*") for one, other in zip(wide, text, strict=True))
    assert masked(wide, of_the_same_width) == wide


@given(st.text(st.sampled_from("token secretkypaswdcrni_-:='\"\n0aF")))
def test_what_names_none_is_not_looked_at_closer(text: str) -> None:
    if not names_one(text):
        assert masked(text) == masked_shapes(text)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here")
def test_no_real_configuration_file_loses_anything() -> None:
    """None of them holds a credential: whatever is masked there is an innocent word."""
    lost = []
    for path in sorted(CORPUS.rglob("*")):
        if path.is_file() and path.suffix in (".yaml", ".yml", ".json", ".py", ".sh", ".md"):
            text = path.read_text("utf-8", "replace")
            if masked(text, code=path.suffix == ".py") != text:
                lost.append(path.name)
    assert lost == []


def test_a_long_hostile_text_costs_no_more_than_its_length() -> None:
    for part in (
        "token=",
        "token:\n ",
        "hf_",
        "://a",
        "Bearer ",
        "-----BEGIN PRIVATE KEY-----",
        "secret: |\n ",
        '"a" ',
        "eyJ.",
    ):
        assert masked("password " + part * 20_000) is not None
