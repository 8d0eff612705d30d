"""What is a credential, by its shape or by its name: the one list, for all that is shown, sent or stored.

The shapes are those that secret scanners look for, in words of our own:

    gitleaks/gitleaks, config/gitleaks.toml            222 rules, each with its keywords
    Yelp/detect-secrets, detect_secrets/plugins/       a plug-in a provider; keyword.py for names
    trufflesecurity/trufflehog, pkg/detectors/         a detector a provider, each with its keywords

As there, a shape has a marker that is looked for first: nearly every text has none, and nothing has to be compiled.
Their lengths are exact, to find few false ones in much code; here they are least ones, since a credential that is cut
or made up must not be shown either. What reads like words after the marker, such as hf_transfer, is none.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator

    Written = Callable[[str], str]

MASK = "***"

_LEFT = r"(?<![A-Za-z0-9])"
_W = r"[A-Za-z0-9]"
# Whose it is; the markers of which a text has at least one; what it looks like. A group `s` is what is secret, where
# that is only a part; a group `w` is what must not read like words.
SHAPES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("Hugging Face", ("hf_", "api_org_"), rf"{_LEFT}(?:hf|api_org)_(?P<w>{_W}{{8,}})"),
    ("OpenAI, Anthropic and others", ("sk-",), rf"{_LEFT}sk-(?P<w>[\w-]{{8,}})"),
    ("Stripe", ("k_live_", "k_test_", "k_prod_", "whsec_"), rf"{_LEFT}(?:[sr]k_[a-z]+|whsec)_(?P<w>{_W}{{8,}})"),
    ("GitHub", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), rf"{_LEFT}gh[pousr]_(?P<w>{_W}{{8,}})"),
    ("GitHub, fine-grained", ("github_pat_",), rf"{_LEFT}github_pat_(?P<w>\w{{8,}})"),
    (
        "GitLab",
        ("glpat-", "glcbt-", "gldt-", "glffct-", "glft-", "glimt-", "glagent-", "gloas-", "glptt-", "glrt-", "glsoat-"),
        rf"{_LEFT}gl(?:pat|cbt|dt|ffct|ft|imt|agent|oas|ptt|rt|soat)-(?P<w>[\w.-]{{8,}})",
    ),
    ("GitLab, runners", ("GR1348941",), r"GR1348941[\w-]{8,}"),
    ("Grafana", ("glsa_", "glc_"), rf"{_LEFT}gl(?:sa|c)_(?P<w>[\w+/=]{{8,}})"),
    (
        "AWS",
        ("AKIA", "ASIA", "ABIA", "ACCA", "A3T"),
        rf"{_LEFT}(?=[A-Z]*[0-9])(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{{12,}}",
    ),
    ("AWS, Bedrock", ("ABSK", "bedrock-api-key-"), rf"{_LEFT}(?:ABSK|bedrock-api-key-)[\w+/=]{{24,}}"),
    ("Google, OAuth", ("ya29.", "GOCSPX-"), rf"{_LEFT}(?:ya29\.|GOCSPX-)[\w-]{{8,}}"),
    ("Google, API", ("AIza",), rf"{_LEFT}AIza[\w-]{{16,}}"),
    ("npm", ("npm_",), rf"{_LEFT}npm_(?P<w>{_W}{{8,}})"),
    ("PyPI", ("pypi-",), rf"{_LEFT}pypi-(?P<w>[\w-]{{16,}})"),
    ("Slack", ("xox", "xapp-"), rf"{_LEFT}(?:xox[a-z](?:\.xox[bp])?|xapp)-(?P<w>[\w-]{{8,}})"),
    (
        "webhooks of chats",
        ("hooks.slack.com", "/api/webhooks/", "/webhook/send?key=", "/bot/v2/hook/", "/robot/send?access_token="),
        (
            r"(?:hooks\.slack\.com/\w+/|/api/webhooks/|/webhook/send\?key=|/bot/v2/hook/|/robot/send\?access_token=)"
            r"(?P<s>[\w/+.-]{8,})"
        ),
    ),
    ("Databricks", ("dapi",), rf"{_LEFT}dapi[a-f0-9]{{16,}}(?:-\d)?"),
    ("Azure, signatures", ("sig=",), r"\bsig=(?P<s>[\w%+/=-]{16,})"),
    ("Azure, accounts", ("AccountKey=", "SharedAccessKey="), r"\b(?:Account|SharedAccess)Key=(?P<s>[\w+/=]{8,})"),
    ("Azure, applications", ("Q~",), rf"{_LEFT}[\w.~-]{{3}}\dQ~[\w.~-]{{16,}}"),
    ("DigitalOcean", ("_v1_",), rf"{_LEFT}do[opr]_v1_[a-f0-9]{{16,}}"),
    (
        "HashiCorp",
        ("hvs.", "hvb.", ".atlasv1."),
        rf"{_LEFT}(?:hv[sb]\.[\w-]{{16,}}|{_W}{{14}}\.atlasv1\.[\w=-]{{16,}})",
    ),
    ("SendGrid", ("SG.",), rf"{_LEFT}SG\.[\w-]{{8,}}\.[\w-]{{8,}}"),
    (
        "Perplexity, Groq, xAI, Fireworks, Replicate, NVIDIA, W&B",
        ("pplx-", "gsk_", "xai-", "fw_", "r8_", "nvapi-", "wandb_v1_"),
        rf"{_LEFT}(?:pplx-|gsk_|xai-|fw_|r8_|nvapi-|wandb_v1_)(?P<w>[\w-]{{20,}})",
    ),
    (
        "Docker, 1Password, Linear",
        ("dckr_", "ops_eyJ", "lin_api_"),
        rf"{_LEFT}(?:dckr_(?:pat|oat)_|ops_(?=eyJ)|lin_api_)[\w-]{{16,}}",
    ),
    (
        "Postman, Shopify, Sentry, ReadMe, RubyGems, Pulumi, Notion, PlanetScale",
        ("PMAK-", "shp", "sntry", "rdme_", "rubygems_", "pul-", "ntn_", "pscale_"),
        (
            rf"{_LEFT}(?:PMAK-|shp(?:at|ca|pa|ss)_|sntry[su]_|rdme_|rubygems_|pul-|ntn_|pscale_(?:tkn|oauth|pw)_)"
            r"(?P<w>[\w=.+/-]{16,})"
        ),
    ),
    (
        "age, Artifactory, Alibaba",
        ("AGE-SECRET-KEY-1", "AKCp", "LTAI"),
        rf"{_LEFT}(?:AGE-SECRET-KEY-1|AKCp|LTAI){_W}{{12,}}",
    ),
    # A header is JSON in base64url, which has few "-" and "_": so many that "eyJ-eyJ-eyJ-" is not read from each "eyJ"
    # to its end.
    (
        "JSON web tokens",
        ("eyJ",),
        rf"{_LEFT}eyJ(?=[\w-]{{8}}){_W}*(?:[_-]{_W}*){{0,4}}(?:\.[\w-]{{4,}}){{1,4}}",
    ),
    (
        "private keys",
        ("PRIVATE KEY",),
        (
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
            r"(?P<s>(?:(?:\\r|\\n|\s){0,40}[A-Z][A-Za-z]*-[A-Za-z]+: [\w, -]+)*"
            r"(?:(?:\\r|\\n|\s){0,40}[A-Za-z0-9+/=]{12,})*"
            r"(?:(?:\\r|\\n|\s){0,40}[A-Za-z0-9+/]{1,12}={0,2}(?=(?:\\r|\\n|\s)*-----END))?)"
        ),
    ),
    ("a token in a URL", ("@",), r"://(?P<s>(?P<w>[^/\s@:\"'<>]{16,}))(?::[^/\s@\"'<>]*)?@"),
    ("a password in a URL", ("@",), r"://[^/\s@:\"'<>]*:(?P<s>[^/\s@\"'<>]+)@"),
    ("Weights & Biases", ("wandb login",), r"wandb login(?:[ \t]+-[\w-]+)*[ \t]+(?P<s>[\w-]{16,})"),
    (
        "headers",
        ("earer", "EARER", "asic ", "ASIC "),
        r"(?i:\b(?:bearer|basic)[ \t]+)(?P<s>(?=\S*[A-Z0-9])[\w+/=.~-]{8,})",
    ),
)

_SHORTEST = 7  # letters that no credential has, its marker with it
_AT_ONCE = 1 << 16  # characters of a text whose words are taken apart together
_MARKERS_BEFORE = (
    "earer",
    "EARER",
    "asic ",
    "ASIC ",
    "wandb login",
    "PRIVATE KEY",
)  # what follows is a word of its own
_MARKERS = frozenset(marker for _, markers, _ in SHAPES for marker in markers).difference(_MARKERS_BEFORE)

# Names whose value is secret whatever it looks like, and those where only a value is that looks made by a machine: many
# tokens and keys are words of a model, or columns of a table.
_STRONG = (
    r"SECRET|PASSW|PASSPHRASE|(?:^|_)PWD(?:$|_)|CREDENTIAL|(?:API|ACCESS|PRIVATE|AUTH|ACCOUNT|SIGNING|ENCRYPTION)_?KEY"
    r"|(?:AUTH|ACCESS|HUB|HF|API|REFRESH|BEARER|SESSION|BOT|WANDB|GITHUB|GITLAB|MODELSCOPE)_?TOKEN"
    r"|AUTHORIZATION|WEBHOOK|CONNECTION_?STRING"
)
_WEAK = r"TOKEN(?!IZ)|(?:^|_)AUTH(?:$|_)|(?:^|_)KEY(?:$|_)"
# Of a variable of the shell the name alone says enough.
_VARIABLE = r"TOKEN(?!IZER)|SECRET|PASSW|CREDENTIAL|AUTH(?!OR)|(?:^|_)(?:API_?)?KEY(?:$|_)|ACCESS_?KEY"
# What a program prints, or a variable of the shell holds, names no tokens of a model: there a short value counts, too.
_PRINTED = r"(?i)((?:password|passwd|secret|token|api_?key)=)[^\s\"',;&]+"
_ELSEWHERE = r"_(?:FILE|PATH|DIR|NAME|TYPE|ENV|VAR|IDS?)$"
_IN_NAMES = ("token", "secret", "pass", "pwd", "credential", "key", "auth", "webhook", "connection")
# What stands for a value that is elsewhere, or for none.
_PLACEHOLDER = (
    r"(?is)\$.*|%.*%|\{\{.*|<.*>|\[.*\]|\*+|x+|\.\.\.|true|false|none|null|yes|no|on|off|auto|~|env"
    r"|os\.(?:environ|getenv).*"
)
_WORDS = r"[A-Za-z][a-z]{0,12}[0-9]{0,3}(?:[-_./][A-Za-z]?[a-z]{0,12}[0-9]{0,3})*"

_QUOTED = r"""(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_VALUE = rf"""(?P<value>{_QUOTED}(?:[ \t]*{_QUOTED})*|[^\s"',;&#()\[\]{{}}<>]+)"""
# name = value, name: value, "name": "value", with the value on the next line, too; --name value; and YAML's blocks.
_ASSIGNED = (
    (
        r"""(?<![\w.-])(?P<name>[\w.-]{1,80})["']?\]?[ \t]*(?:=>|:=|=|:)[ \t]*"""
        rf"""(?:\r?\n[ \t]+)?(?:[&!][^\s,\[\]{{}}]*[ \t]+)*(?:[rbfuRBFU](?=["']))?{_VALUE}"""
    ),
    rf"""(?<![\w-])--?(?P<name>[\w-]{{1,80}})[ \t]+{_VALUE}""",
    (
        r"""(?m)^(?P<indent>[ \t]*)["']?(?P<name>[\w.-]{1,80})["']?[ \t]*:[ \t]*[|>][-+0-9]*[^\n]*\n"""
        r"""(?P<value>(?:(?P=indent)[ \t]+[^\n]*(?:\n|$))+)"""
    ),
)
# A text that has none of these, less the innocent ones, names no credential.
_NAMING = (
    *("secret", "passw", "passphrase", "pwd", "credential", "webhook", "authorization", "connection", "auth_", "_auth"),
    *("_key", "-key", "apikey", "accesskey", "accountkey", "key:", "key=", 'key"', "key'"),
)
_INNOCENT = (
    *("tokens", "tokeniz", "pad_token", "eos_token", "bos_token", "unk_token", "cls_token", "sep_token", "mask_token"),
    *("special_token", "token_id", "token_len", "token_type", "per_token", "image_token", "video_token", "audio_token"),
)


def is_secret(name: str, value: str) -> bool:
    """Whether a variable of a shell looks like a credential, by its name or by its value."""
    import re

    return re.search(_VARIABLE, name.upper()) is not None or masked_output(value) != value


def is_secret_setting(name: str, value: object) -> bool:
    """Whether the value of a key, a flag or an argument of that name is a credential."""
    lower = name.lower()
    if value is None or isinstance(value, (bool, float)) or not any(word in lower for word in _IN_NAMES):
        return False
    import re

    text = str(value).strip()
    upper = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).upper().replace("-", "_").strip("_")
    if not text or re.search(_ELSEWHERE, upper) or re.fullmatch(_PLACEHOLDER, text):
        return False
    if re.search(_STRONG, upper):
        return not text.isdigit() or len(text) >= 4  # password: 1 switches something on
    return re.search(_WEAK, upper) is not None and _looks_made(text)


def _looks_made(text: str) -> bool:
    """Whether a text looks made by a machine: a long word of letters and digits that is no name of anything."""
    import re

    is_path = text.startswith(("/", "./", "../", "~"))
    return (
        re.fullmatch(r"[A-Za-z0-9+/=_.~-]{16,}", text) is not None
        and not is_path
        and re.search("[0-9]", text) is not None
        and re.search("[A-Za-z]", text) is not None
        and not _is_words(text)
    )


def _is_words(text: str) -> bool:
    import re

    return re.fullmatch(_WORDS, text) is not None


def masked(text: str, written: Written | None = None, *, code: bool = False) -> str:
    """The text without credentials, by shape and by name.

    Args:
        written: what is written for one; None for MASK.
        code: whether the text is a program, in which a bare word is a name and no value.
    """
    return _without_named(masked_shapes(text, written), written or _mask, code=code)


def masked_output(text: str) -> str:
    """What a program printed, without credentials: `token=abc123` is one, however short."""
    text = masked(text)
    if "=" not in text:
        return text
    import re

    return re.sub(_PRINTED, rf"\g<1>{MASK}", text)


def masked_shapes(text: str, written: Written | None = None) -> str:
    """The text without what has the shape of a credential, whatever it is called."""
    there = _markers(text)
    for _whose, markers, shape in SHAPES if there else ():
        if not there.isdisjoint(markers):
            text = _without(text, shape, written or _mask)
    return text


def _markers(text: str) -> set[str]:
    """The markers in a text: among its words that are long enough, which are nearly always a small part of it."""
    if len(text) <= _SHORTEST:
        return set()
    if len(text) > _AT_ONCE:  # the words of a whole report take many times as much memory as it does
        return {marker for piece in _pieces(text) for marker in _markers_of(piece)}
    return _markers_of(text)


def _markers_of(text: str) -> set[str]:
    long = " ".join([word for word in {*text.split()} if len(word) > _SHORTEST and not word.isalpha()])
    return {marker for marker in _MARKERS if marker in long} | {marker for marker in _MARKERS_BEFORE if marker in text}


def _pieces(text: str) -> Iterator[str]:
    """Whole lines of a text, as many as are looked at together: no marker holds a line break."""
    start = 0
    while start < len(text):
        end = text.find("\n", start + _AT_ONCE) + 1 or len(text)
        yield text[start:end]
        start = end


def of_the_same_width(secret: str) -> str:
    """A mask that leaves every other character where it was, line breaks too."""
    return "".join(char if char.isspace() else "*" for char in secret)


def _mask(_secret: str) -> str:
    return MASK


def _without(text: str, shape: str, written: Written) -> str:
    import re

    def mask(found: re.Match[str]) -> str:
        names = found.re.groupindex
        part: str | int = "s" if "s" in names else 0
        secret = found[part]
        if not secret.strip("*") or ("w" in names and _is_words(found["w"])):
            return found.group()
        start, end = (place - found.start() for place in found.span(part))
        return found.group()[:start] + written(secret) + found.group()[end:]

    return re.sub(shape, mask, text)


def is_clean(text: str) -> bool:
    """Whether nothing in a text may be a credential; quickly, and rather too seldom."""
    return not names_one(text) and not _markers(text)


def names_one(text: str) -> bool:
    """Whether a text may name a credential; quickly, and rather too often."""
    lower = text.lower()
    if any(word in lower for word in _NAMING):
        return True
    if "token" not in lower:
        return False
    for word in _INNOCENT:
        lower = lower.replace(word, "")
    return "token" in lower


# Values that end where the one before them does: nobody writes a=a=a=a, and whoever does loses it.
MOST_NESTED = 20


def _without_named(text: str, written: Written, *, code: bool) -> str:
    if not names_one(text):
        return text
    import re

    for pattern in _ASSIGNED:
        compiled, done, pieces = re.compile(pattern), 0, []
        before = nested = 0  # where the value before ended, and how many in a row ended there
        while (found := compiled.search(text, done)) is not None:
            value = found["value"]
            quoted = value[0] in "\"'"
            bare = re.sub(r"""["'][ \t]*["']|^["']|["']$""", "", value) if quoted else value
            start, end = found.span("value")
            # What ends with a colon is a key of its own, and | and > begin a block, which comes last.
            is_value = (quoted or not code) and bare.strip("*\n ") != "" and bare[-1] != ":" and bare[0] not in "|>"
            nested, before = (nested + 1 if end == before else 0), end
            if nested > MOST_NESTED or (is_value and is_secret_setting(found["name"], bare)):
                pieces += [text[done:start], _masked_value(value, written)]
                done = end
            else:  # a value may hold another one: url: https://host/?token=...
                pieces.append(text[done:start])
                done = start
        text = "".join([*pieces, text[done:]])
    return text


def _masked_value(value: str, written: Written) -> str:
    """The value without its text; its quotes stay."""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[0] + written(value[1:-1]) + value[-1]
    return written(value)
