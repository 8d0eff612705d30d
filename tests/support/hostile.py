"""Checkouts that try to have something run, each with commands over it: generated, the same for the same number.

Whatever in them is executed leaves a mark. What a command may write is what its words name.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FORMATS = ("text", "json", "sarif", "junit", "html", "concise", "github", "gitlab", "markdown")
# Modules of the standard library and of packages that some part of fp8check imports, early or late.
SHADOWED = (
    *("json", "os", "re", "sys", "io", "stat", "types", "enum", "typing", "argparse", "difflib", "hashlib", "platform"),
    *("subprocess", "socket", "selectors", "ctypes", "tempfile", "shutil", "traceback", "html", "xml", "datetime"),
    *("tomllib", "tomli", "yaml", "_yaml", "ast", "fnmatch", "urllib", "http", "email", "importlib", "encodings"),
    *("torch", "accelerate", "transformers", "transformer_engine", "torchao", "trl", "axolotl", "llamafactory"),
    *("fp8check", "fp8check_probe", "pynvml", "deepspeed", "sitecustomize", "usercustomize", "conftest", "__main__"),
    *("setup", "evil", "pkg_resources", "setuptools", "locale", "codecs", "unicodedata", "contextlib", "gettext"),
)
OPTIONS = (
    *(
        "--format=json=stolen.json",
        "--write-baseline=stolen.json",
        "--fail-on=never",
        "--help",
        "--version",
        "-q",
        "--",
    ),
    *("--probe", "--python=evil", "--trust-config", "--plugin=evil", "--server=http://127.0.0.1:9", "-", "--config=x"),
)
ACCELERATE = (
    "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n  fp8_format: E4M3\n",
    "distributed_type: FSDP\nmixed_precision: fp8\nfp8_config: {backend: AO}\nfsdp_config: {fsdp_version: 2}\n",
    "distributed_type: DEEPSPEED\nmixed_precision: fp8\ndeepspeed_config: {deepspeed_config_file: ds.json}\n",
    "mixed_precision: FP8\nfp8_confg: {backend: te}\n",
)

FIXED = ("ci", "comment")  # commands that take no option of a check
REPORTS = ("fp8check.sarif", "summary.md", "outputs", "gl-code-quality-report.json", "junit.xml")
MADE = ["made", *(f"made/{name}" for name in REPORTS)]

# What a repository may have git start. `evil.sh` leaves a mark.
REPOSITORY = """\
[core]
\trepositoryformatversion = 0
\tbare = false
\tfsmonitor = .git/hooks/fsmonitor
\thooksPath = .git/hooks
\tpager = ./evil.sh
\tsshCommand = ./evil.sh
[diff]
\texternal = ./evil.sh
[diff "evil"]
\tcommand = ./evil.sh
\ttextconv = ./evil.sh
[filter "evil"]
\tclean = ./evil.sh
\tsmudge = ./evil.sh
\tprocess = ./evil.sh
\trequired = true
[alias]
\tls-files = !./evil.sh
\tdiff = !./evil.sh
[pager]
\tls-files = ./evil.sh
\tdiff = ./evil.sh
"""


class Checkout(NamedTuple):
    """A folder, the commands that run in it, and for each the files that its words name to be written."""

    folder: str
    commands: list[tuple[list[str], list[str]]]


class _Maker:
    """Makes one checkout."""

    def __init__(self, number: int, root: Path, mark: Path) -> None:
        self.random = random.Random(number)  # noqa: S311
        self.folder = root / f"checkout-{number}"
        self.outside = root / "outside"
        self.code = f"import posix\nposix.close(posix.open({str(mark)!r}, posix.O_CREAT | posix.O_WRONLY, 0o600))\n"
        self.shell = f"#!/bin/sh\n: > {mark}\necho '0, NVIDIA H200, 9.0, 143771, Disabled, 580.1'\n"
        self.outside.mkdir(exist_ok=True)
        (self.outside / "victim.yaml").write_text("mixed_precision: bf16\n")
        self.folder.mkdir()

    def write(self, name: str, text: str | bytes, *, executable: bool = False) -> None:
        """Write a file of the checkout, unless something is there; never through a link."""
        path = self.folder / name
        inside = path.parent.resolve().is_relative_to(self.folder.resolve())
        if not inside or path.is_symlink() or path.exists() or any(one.is_file() for one in path.parents):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o755 if executable else 0o644)

    def program(self, name: str) -> None:
        self.write(name, self.shell, executable=True)

    def modules(self) -> None:
        for name in self.random.sample(SHADOWED, 12):
            place = self.random.choice((f"{name}.py", f"{name}/__init__.py", f"{name}.pyc", f"{name}.so"))
            self.write(place, self.code if place.endswith(".py") else b"\x7fELF evil")

    def site(self) -> None:
        self.write("evil.pth", "import evil\n")
        self.write("evil.py", self.code)
        self.write("pyvenv.cfg", "home = .\ninclude-system-site-packages = true\n")
        self.write("lib/python3.11/site-packages/evil.pth", "import evil\n")

    def project(self) -> None:
        self.write("evil.py", self.code)
        more = self.random.choice(["", 'plugins = ["evil"]', 'fail-on = "never"'])
        self.write(
            "pyproject.toml",
            '[build-system]\nrequires = []\nbuild-backend = "evil"\nbackend-path = ["."]\n'
            '[project]\nname = "fp8check"\nversion = "99"\n[project.entry-points."fp8check.rules"]\nevil = "evil"\n'
            '[tool.pytest.ini_options]\naddopts = "-p evil"\n'
            f"[tool.fp8check]\n{more}\n"
            '[[tool.fp8check.run]]\nfiles = ["train.yaml", "accel.yaml"]\npython = "./evil.sh"\n',
        )
        self.program("evil.sh")
        self.write("setup.py", self.code)
        self.write("setup.cfg", "[metadata]\nversion = attr: evil.x\n")

    def configuration(self) -> None:
        self.program("evil.sh")
        run = [
            'files = ["train.yaml", "accel.yaml"]',
            self.random.choice(['python = "./evil.sh"', 'python = "evil.sh"', "", 'python = "/bin/../tmp/evil"']),
            self.random.choice(
                [
                    'launch = "LD_PRELOAD=./evil.so PYTHONPATH=. PATH=. BROWSER=./evil.sh accelerate launch train.py"',
                    'launch = "python train.py; ./evil.sh"',
                    'launch = "python train.py $(./evil.sh) `./evil.sh`"',
                    'launch = "python -m evil"',
                    'launch = "./evil.sh train.py"',
                    "",
                ]
            ),
            self.random.choice(['trainer = "evil"', 'trainer = "trl"', "", ""]),
            self.random.choice(['facts = "facts.json"', "", ""]),
        ]
        top = self.random.choice(['plugins = ["evil"]\n', 'baseline = "../outside/victim.yaml"\n', "", ""])
        self.write("fp8check.toml", top + "[[run]]\n" + "\n".join(run) + "\n")

    def metadata(self) -> None:
        self.write("evil.py", self.code)
        for kind in ("evil-1.0.dist-info", "evil.egg-info"):
            self.write(f"{kind}/METADATA", "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
            self.write(
                f"{kind}/entry_points.txt", "[fp8check.rules]\nevil = evil\n[fp8check.trainers]\nevil = evil:E\n"
            )

    def named_like_options(self) -> None:
        for name in self.random.sample(OPTIONS, 4):
            self.write(name, ACCELERATE[0])

    def links(self) -> None:
        for name, target in (
            ("accel.yaml", "../outside/victim.yaml"),
            ("ds.json", "/etc/passwd"),
            ("model", "/etc"),
            ("train.py", "/proc/self/environ"),
            ("loop.yaml", "loop.yaml"),
            ("up", ".."),
        ):
            path = self.folder / name
            if self.random.random() < 0.5 and not path.exists() and not path.is_symlink():
                path.symlink_to(target)

    def tags(self) -> None:
        call = f'!!python/object/apply:os.system ["touch {self.folder}/../mark"]'
        self.write(
            self.random.choice(("train.yaml", "accel.yaml", "more.yaml", "more.yaml", "ds.json")),
            f"model_name_or_path: x\noutput_dir: !!python/name:evil.x\nmixed_precision: {call}\n"
            f"a: !!python/module:evil\nb: !include evil.py\nc: ${{eval:__import__('evil')}}\n"
            "d: ${oc.env:HOME}\n_target_: os.system\ne: !!python/object/new:evil.E {}\n",
        )

    def scripts(self) -> None:
        self.write(
            "train.py",
            self.code
            + "import evil, torch\nfrom accelerate import Accelerator\nfrom transformer_engine.common import recipe\n"
            "Accelerator(mixed_precision=__import__('os').system('touch mark') or 'fp8')\n"
            "class E(metaclass=type('M', (type,), {'__new__': lambda *a: exec('import evil')})): pass\n",
        )
        self.write("job.sh", "#!/bin/bash\n#SBATCH --gres=gpu:1\n./evil.sh\naccelerate launch train.py $(./evil.sh)\n")
        self.program("evil.sh")

    def model(self) -> None:
        config = {
            "model_type": "llama",
            "auto_map": {"AutoConfig": "modeling_evil.C", "AutoModel": "modeling_evil.M"},
            "hidden_size": 4096,
            "num_hidden_layers": 2,
            "num_attention_heads": 32,
            "intermediate_size": 11008,
            "vocab_size": 32000,
        }
        self.write("model/config.json", json.dumps(config))
        self.write("model/modeling_evil.py", self.code)
        self.write("model/pytorch_model.bin", b"cposix\nsystem\n(S'touch mark'\ntR.")
        self.write("model/tokenizer.pkl", b"cposix\nsystem\n(S'touch mark'\ntR.")
        self.write("train.yaml", "model_name_or_path: ./model\ntrust_remote_code: true\noutput_dir: out\nbf16: true\n")

    def addresses(self) -> None:
        where = self.random.choice(
            ("http://127.0.0.1:9/x", "https://localhost:9", "file:///etc/passwd", "//host/share")
        )
        self.write("train.yaml", f"model_name_or_path: {where}\ndeepspeed: {where}\noutput_dir: {where}\nbf16: true\n")

    def repository(self) -> None:
        for name in ("pre-commit", "post-checkout", "fsmonitor"):
            self.program(f".git/hooks/{name}")
        # What git itself takes for a repository: the hook asks it.
        self.write(".git/HEAD", "ref: refs/heads/main\n")
        self.write(".git/objects/info/alternates", "")
        self.write(".git/refs/heads/.keep", "")
        self.write(".git/config", REPOSITORY)
        self.write(".gitattributes", "* diff=evil filter=evil\n")
        self.write(".envrc", "./evil.sh\n")
        self.write("Makefile", "$(shell ./evil.sh)\nall: ; ./evil.sh\n")
        self.write(
            ".pre-commit-config.yaml", "repos: [{repo: local, hooks: [{id: x, entry: ./evil.sh, language: system}]}]\n"
        )

    def programs(self) -> None:
        for name in ("nvidia-smi", "python", "python3", "git", "accelerate", "bin/python", ".venv/bin/python", "env"):
            self.program(name)

    def base(self) -> None:
        self.write(
            "train.yaml",
            self.random.choice(("bf16: true\n", "fp16: false\n", ""))
            + "output_dir: out\nmodel_name_or_path: Qwen/Qwen2.5-7B\n",
        )
        self.write("accel.yaml", self.random.choice(ACCELERATE))
        self.write("ds.json", '{"bf16": {"enabled": true}, "x": "${evil}"}')
        self.write("facts.json", '{"schema": "fp8check/facts/1", "variables": {"LD_PRELOAD": "./evil.so"}}')

    def commands(self) -> list[tuple[list[str], list[str]]]:
        pair = ["train.yaml", "accel.yaml"]
        kind = self.random.choice(FORMATS)
        launch = self.random.choice(
            ["accelerate launch train.py", "LD_PRELOAD=./evil.so python train.py", "./evil.sh", "python -m evil"]
        )
        every = sorted(one.name for one in self.folder.iterdir() if not one.is_dir())
        chosen: list[tuple[list[str], list[str]]] = [
            ([], []),
            ([*pair, "--format", kind], []),
            ([*pair, "--format", f"{kind}=report.out"], ["report.out"]),
            (["--no-config", "--hook", *every], []),
            (["outcome", *pair], []),
            (["explain", "train.yaml:1", "accel.yaml"], []),
            (["explain", self.random.choice(("accel.yaml:2", "job.sh:3", "train.py:3"))], []),
            (["fix", "--hook", "--diff", "--no-config", *every], []),
            (["ci", self.random.choice(("github", "gitlab")), "--out", "made"], MADE),
            (["comment", "github", "made"], []),
            ([*pair, "--launch", launch, "--no-environment"], []),
            (["fix", "--diff", *pair], []),
            (["plan", *pair], []),
            (["upgrade", *pair, "--to", "accelerate==1.9.0"], []),
            (["init", "--from", "train.yaml", "--out", "new"], ["new", "new/train.yaml", "new/accelerate.yaml"]),
            (["fix", *self.random.choice(([], ["--unsafe"])), *pair], pair),
            ([*pair, "--write-baseline", "base.out"], ["base.out"]),
        ]
        some = [*chosen[:4], *self.random.sample(chosen[4:15], 3), *chosen[15:]]
        # A configuration that is refused must not hide what comes behind it.
        more = [
            self.random.choice(([], ["--no-config"])) if words and words[0] not in FIXED else [] for words, _ in some
        ]
        return [([*words, *added], named) for (words, named), added in zip(some, more, strict=True)]


def make(number: int, root: Path, mark: Path) -> Checkout:
    """The hostile checkout of that number, below `root`.

    Args:
        mark: the file that whatever is executed leaves.
    """
    maker = _Maker(number, root, mark)
    ways: list[Callable[[], None]] = [
        maker.modules, maker.site, maker.project, maker.configuration, maker.metadata, maker.named_like_options,
        maker.links, maker.tags, maker.scripts, maker.model, maker.addresses, maker.repository, maker.programs,
    ]  # fmt: skip
    first = ways[number % len(ways)]  # each way is the first of many, and meets the others
    for way in (first, *maker.random.sample(ways, 5)):
        way()
    maker.base()
    return Checkout(str(maker.folder), maker.commands())
