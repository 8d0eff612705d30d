"""A training configuration as its trainer sees it: the base of every trainer."""

from __future__ import annotations

import re

from fp8check.rules.releases import behaviors
from fp8check.rules.releases.versions import at_least, parsed
from fp8check.rules.settings.values import Origin, Section, Setting, Undecided, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from typing import Literal

    from fp8check.rules.facts import Facts, Gpu
    from fp8check.rules.models import ModelShape
    from fp8check.rules.releases.accelerate_enums import DistributedType
    from fp8check.rules.releases.errors import Stage
    from fp8check.rules.releases.readers import Readers
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.releases.versions import Version
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.settings.deepspeed import DeepSpeedConfig
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.settings.script import Script
    from fp8check.rules.trainers.data import Detection, Environment, HandedOver, Started, Tokens

    Thing = Literal["model", "micro_batch", "sequence"]
    Size = Literal["micro_batch", "sequence"]
    Loss = Literal["logits", "kept", "chunked", "fused"]

_NO_KEYS: Readers = {}
_SCRIPT = ("train.py",)  # what a script of the user's own is called where nobody named it
# What the weights may be kept in, in torch's words.
DTYPES = ("bfloat16", "float16", "float32")
# transformers hf_argparser.py string_to_bool; pydantic takes these, too.
NO = ("no", "false", "f", "n", "0", "off")


def number_of(setting: Setting | None) -> int | None:
    """The number that an effective value is; None where it is not known."""
    if setting is None or setting.is_later:
        return None
    return setting.value if isinstance(setting.value, int) else None


CONFIGURATIONS = (".yaml", ".yml", ".json")  # endings of files of which a command is taken to mean one


class Training:
    """A training configuration as its trainer sees it.

    Each trainer is a subclass in a file of its own, listed in registry.py. Everything else asks these methods what the
    trainer makes of its settings, and never who it is. What a trainer does not say otherwise is what holds for one of
    which nothing is known.

    Attributes:
        top: the settings of the file, with those of the command line over them.
        path: the file; None where there is none.
        guessed: whether nothing but keys that others read, too, says that this trainer reads the file.
        name: by which --trainer names it; a rule about this trainer alone has an input of that name.
        title: what people call it.
        is_huggingface: whether transformers' TrainingArguments and Trainer are underneath.
        loader: whose rules make the values of its files: "pyyaml" or "omegaconf".
        detections: how its files are told.
        loads_in_shards: whether it is known to load its model once its arguments are there: under ZeRO-3 each process
            gets a part of a weight then.
        shares_keys: whether scripts that train by something else read files of the same keys.
        own_keys: keys of which one is enough to know that it is a file of this trainer all the same.
        telling: keys of which each of its files has one at least.
        known: keys that the command line may set as well.
        fp8_keys: keys that have to do with FP8, and in which of its releases they are read.
        unread_key: what becomes of an FP8 key that it does not read.
        passes_over_unread_keys: whether the run goes on without them.
        model_key, micro_batch_key, sequence_key, deepspeed_key: its keys for the model's name, the sequences in a
            forward pass of one GPU, the longest sequence in tokens, and DeepSpeed's file; None where it has none.
        fsdp_key: its key for FSDP's settings, which may be a mapping, or the name of a file with one.
        file_keys: keys whose value may be the name of a file of which nothing is taken here.
        default_micro_batch, default_sequence: what it takes where the file does not say.
        rank_key, default_rank: its key for the rank of adapters, and what it takes without it.
        default_lora_dropout: the share of their input that adapters drop where the file does not say.
        targets_key: its key for the layers that get adapters.
        all_linears: the entry that gives adapters to all Linear layers but the head.
        programs: the commands that pip installs for it.
        launching_modules: modules of it that start a launcher by themselves.
        parses_in_command: whether its command makes the arguments of the training before it starts the launcher.
        launched_alone: what trains where a launcher starts one that starts a launcher.
        config_flag: the flag by which its command takes an Accelerate file.
        file_flag: the flag by which its command takes its own file, where it takes no word for one.
        config_key: the key of its file that its command takes for that flag; None where it has none.
        pins_old_peft: whether its releases want a peft before 0.19.
        shipped_configs: names of Accelerate files that its command has within itself.
        pads_to: the multiple of tokens to which it pads every batch; None where that is not known.
        batches_by_script: whether a script that is not known makes its batches.
        keeps_text: whether a value that is text stays text, so that "false" counts as true.
        written_in_scripts: whether scripts write its configuration themselves: TrainingArguments(...), SFTConfig(...).
        brings_recipe: whether the handler that it passes carries a recipe of its own that no file changes.
        te_by: the entry of its file that chooses Transformer Engine; "" where it has none.
        torchao_by: the entry of its file that chooses torchao with its all-gather off; "" where it has none.
        meets_early: whether its processes wait for each other before it has an Accelerator, one after the other reading
            the data (main_process_first, zero_first).
        checkpoints_by_itself: whether it switches gradient checkpointing on whatever the file says.
        reads_logits_again: whether its metrics read the logits once more: entropy, accuracy of tokens.
        checkpointing_off: the entry that switches gradient checkpointing off.
        shards_from_cpu: whether FSDP gets the model on the CPU and moves it; None where that is not known.
        calling_head: the entry that has the loss call the head, in the releases that can; None where it always does.
    """

    __slots__ = ("_tokens", "guessed", "path", "top")

    name = ""
    title = ""
    is_huggingface = False
    loader = "pyyaml"
    detections: tuple[Detection, ...] = ()
    loads_in_shards = False
    shares_keys = False
    own_keys: frozenset[str] = frozenset()
    telling: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    fp8_keys = _NO_KEYS
    unread_key = "nothing is known of what becomes of it"
    passes_over_unread_keys = False
    model_key: str | None = None
    micro_batch_key: str | None = None
    sequence_key: str | None = None
    deepspeed_key: str | None = None
    fsdp_key: str | None = None
    file_keys: tuple[str, ...] = ()
    default_micro_batch: int | None = None
    default_sequence: int | None = None
    rank_key = "lora_r"
    default_rank: int | None = 16
    default_lora_dropout = 0.0
    targets_key = "lora_target_modules"
    all_linears: tuple[str, object] = ("lora_target_modules", "all-linear")
    programs: tuple[str, ...] = ()
    launching_modules: tuple[str, ...] = ()
    parses_in_command = False
    launched_alone = "one launcher alone starts all processes that the run needs"
    config_flag = "--config_file"
    file_flag: str | None = None
    config_key: str | None = None
    pins_old_peft = False
    shipped_configs: frozenset[str] = frozenset()
    pads_to: int | None = None
    batches_by_script = False
    keeps_text = False
    written_in_scripts = False
    brings_recipe = False
    te_by = ""
    torchao_by = ""
    meets_early = False
    checkpoints_by_itself = False
    reads_logits_again = False
    checkpointing_off: tuple[str, object] = ("gradient_checkpointing", False)
    calling_head: tuple[str, object] | None = None
    shards_from_cpu: bool | None = None

    def __init__(self, top: Section | None = None, path: str | None = None, *, guessed: bool = False) -> None:
        self.top = top if top is not None else Section()
        self.path = path
        self.guessed = guessed
        self._tokens: tuple[Tokens | None] | None = None  # rules and stages ask again and again

    def rest_on(self, *settings: Setting | None) -> None:
        """Go on to what this trainer does by one of these: what is written, or a default of one that is known.

        A file of keys that scripts of somebody's own read, too, says nothing of defaults: what happens by one of these
        is known only where it is known who reads the file.

        Raises:
            Undecided: it is not.
        """
        if self.guessed and not any(setting is not None and setting.origin.is_users for setting in settings):
            file = self.path or "the training file"
            raise Undecided(
                f"who reads {file}: its keys fit {self.title}, and scripts that make an Accelerator of their own",
                "--launch with the command that starts the run, or --trainer",
            )

    @property
    def generates(self) -> bool:
        """Whether it trains on what the model generates while it trains: GRPO and its kin."""
        return False

    # The settings of the file.

    def get(self, name: str) -> Setting | None:
        """The setting of that key."""
        return self.top.get(name)

    def value(self, name: str, default: object = None) -> object:
        """The bare value of that key."""
        return self.top.value(name, default)

    def on(self, name: str) -> bool:
        """Whether a flag is on for the trainer: the loaded value is truthy, as a dataclass field is tested there."""
        return self._means_yes(self.top.value(name))

    def switched_on(self, name: str) -> Setting | None:
        """The setting of that key where it is on."""
        setting = self.get(name)
        return setting if setting is not None and self._means_yes(setting.value) else None

    def _means_yes(self, value: object) -> bool:
        """Whether the trainer takes a value for true: text is what it says where it is converted."""
        return bool(value) and not (isinstance(value, str) and not self.keeps_text and value.lower() in NO)

    def flag(self, name: str, stack: Stack, package: str) -> Setting:
        """What the trainer makes of a flag: True or False, with where that comes from.

        Args:
            package: the one by whose default it is off where the file does not say, or says null.
        """
        written = self.get(name)
        if written is not None and written.is_later:
            return written
        if written is None or written.value is None:
            return Setting(False, Origin(default=stack.name(package))).over(written)
        on = self._means_yes(written.value)
        return written if written.value is on else written._replace(value=on)

    def setting_for(self, what: Thing) -> Setting | None:
        """The setting that this trainer has for something that others call otherwise."""
        keys = {"model": self.model_key, "micro_batch": self.micro_batch_key, "sequence": self.sequence_key}
        name = keys[what]
        return None if name is None else self.get(name)

    # Sizes.

    @property
    def model(self) -> str | None:
        """The model's name or path, if the file gives one."""
        setting = self.setting_for("model")
        if setting is None or setting.is_later:
            return None
        return setting.value if isinstance(setting.value, str) else None

    @property
    def deepspeed(self) -> Setting | None:
        """The DeepSpeed file that the training file names."""
        if self.deepspeed_key is None:
            return None
        named = self.get(self.deepspeed_key)
        return named if named is not None and named.is_later else self.switched_on(self.deepspeed_key)

    @property
    def micro_batch(self) -> int | None:
        """Sequences in one forward pass of one GPU."""
        return number_of(self.size("micro_batch"))

    @property
    def sequence(self) -> int | None:
        """The longest sequence, in tokens."""
        return number_of(self.size("sequence"))

    def size(self, what: Size) -> Setting | None:
        """How many sequences or tokens the trainer takes, with where that comes from.

        Where nothing is written, its default; None where it has none, or what is written is no number for it.
        """
        setting, default = self.setting_for(what), self.default_micro_batch
        if what == "sequence":
            default = self.default_sequence
        if setting is not None and setting.is_later:
            return setting
        if setting is None or setting.value is None:
            return None if default is None else Setting(default, Origin(default=self.title)).over(setting)
        value = setting.value
        if isinstance(value, str) and not self.keeps_text:
            value = whole_number(value)
        if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
            return None
        return setting if value is setting.value else setting._replace(value=value)

    @property
    def tokens(self) -> Tokens | None:
        """The tokens of a micro-batch; None where what makes the batches is not known."""
        if self._tokens is None:
            self._tokens = (self._count_tokens(),)
        return self._tokens[0]

    def _count_tokens(self) -> Tokens | None:
        return None

    @property
    def packs(self) -> bool:
        """Whether short sequences are put together into one row."""
        return self.on("packing") or self.on("sample_packing")

    @property
    def variables(self) -> Mapping[str, Setting]:
        """Environment variables that the trainer sets from its file, before it does anything else."""
        return {}

    # Precision.

    @property
    def fp8(self) -> Setting | None:
        """The setting that asks the trainer itself for FP8."""
        return self.get("fp8")

    @property
    def wish_for_fp8(self) -> Setting | None:
        """The setting where it asks for FP8: not with 'no', which a trainer may take for true."""
        setting = self.switched_on("fp8")
        return setting if setting is not None and str(setting.value).lower() not in NO else None

    @property
    def fp8_backend(self) -> Setting | None:
        """The setting that names a backend to the trainer itself; None where FP8 is not asked for there."""
        backend = self.get("fp8_backend") if self.on("fp8") else None
        return backend if backend is not None and backend.value not in (None, "auto") else None

    @property
    def own_all_gather(self) -> Setting | None:
        """The setting by which the trainer itself switches torchao's FP8 all-gather; None where it leaves it alone."""
        return None

    def bf16(self, stack: Stack) -> Setting | None:
        """Whether the trainer computes in BF16, True or False; None where it has no such flag.

        Raises:
            Undecided: it depends on what is not known.
        """
        return None

    def bf16_by_default(self, stack: Stack) -> bool:
        """Whether it computes in BF16 where nobody says anything."""
        return False

    def fp16(self, stack: Stack) -> Setting | None:
        """Whether the trainer computes in FP16; see bf16."""
        return None

    def precision_flag(self, stack: Stack) -> Setting | None:
        """The flag that decides the trainer's own precision, as "bf16" or "fp16"; None with neither."""
        return None

    def late_fp8(self, stack: Stack) -> Setting | None:
        """The setting that makes the trainer configure FP8 once its arguments are made; None where nothing does."""
        return None

    def weights(self, stack: Stack, model: ModelShape | None) -> Setting | None:
        """What prepare() gets the weights in, one of DTYPES; None where the script or the checkpoint decides."""
        return self.written_dtype()

    def written_dtype(self) -> Setting | None:
        """What the file itself says that the weights are kept in."""
        for key in ("dtype", "torch_dtype"):
            written = self.get(key)
            if written is not None and written.value in DTYPES:
                return written
        return None

    # What else the run does.

    @property
    def uses_lora(self) -> bool:
        """Whether adapters are trained on a frozen base."""
        return self.on("use_peft")

    @property
    def adapters(self) -> Setting | None:
        """The setting that decides whether adapters are trained; None where there is none."""
        return None

    @property
    def lora_rank(self) -> int | None:
        """The adapters' rank; the trainer's default where the file does not say."""
        rank = self.value(self.rank_key, self.default_rank)
        return rank if isinstance(rank, int) else None

    @property
    def lora_drops(self) -> bool:
        """Whether adapters drop some of their input."""
        dropout = self.value("lora_dropout", self.default_lora_dropout)
        return isinstance(dropout, (int, float)) and dropout > 0

    def own_command(self, launch: Launch) -> str | None:
        """The command whose own script trains: "sft" of `trl sft`; None where somebody else's does."""
        return None

    def trainer_of(self, launch: Launch, script: Script) -> str | None:
        """Which of its trainers trains ("sft", "dpo", ...); None where that is not known, or there is but one."""
        return None

    def adapts(self, linear: str) -> bool:
        """Whether LoRA puts an adapter on the Linear layer of that name."""
        targets = self.value(self.targets_key, "all")
        if targets is None or targets in ("all", "all-linear"):
            return True
        if isinstance(targets, str):
            ends = re.fullmatch(r"\.\*\(?([\w|]+)\)?", targets)  # of patterns, those that name the end of whole names
            if ends is not None:
                return linear.endswith(tuple(ends[1].split("|")))
        listed = targets.split(",") if isinstance(targets, str) else targets if isinstance(targets, list) else []
        return linear.rpartition(".")[2] in [str(target).strip() for target in listed]

    @property
    def quantized(self) -> Setting | None:
        """The setting that loads the base model quantized, if one does."""
        settings = map(self.switched_on, ("quantization_bit", "load_in_4bit", "load_in_8bit"))
        return next((setting for setting in settings if setting is not None), None)

    def padding_key(self, stack: Stack, launch: Launch, script: Script) -> str | None:
        """The key that sets the multiple of tokens to which batches are padded; None where there is none."""
        return None

    def refuses_quantized(self, stack: Stack) -> str:
        """What the trainer says to FP8 on a quantized base, for people; "" where it does not look."""
        return ""

    def dequantizes(self, method: str, stack: Stack) -> bool:
        """Whether the trainer turns a checkpoint that is quantized by that method into BF16 while it loads it."""
        return False

    @property
    def trains_all(self) -> bool:
        """Whether it is known that all weights are trained, with two states of AdamW each."""
        return False

    @property
    def uses_megatron(self) -> bool:
        """Whether the file goes to Megatron, which has FP8 keys of its own."""
        return False

    @property
    def compiled(self) -> Setting | None:
        """What makes the trainer compile the model; None where it does not."""
        return None

    @property
    def compile_backend(self) -> Setting | None:
        """The backend of torch.compile that the trainer hands on; None where it names none."""
        return None

    @property
    def asks_for_fsdp(self) -> bool:
        """Whether the training file itself asks for FSDP."""
        return False

    def replicates(self, stack: Stack, launch: Launch, script: Script) -> bool | None:
        """Whether one process that sees several GPUs has its model wrapped in nn.DataParallel by Trainer.

        Returns:
            False where the trainer spreads the model's layers over the GPUs by itself; None where it is not known, or
            what comes of it was never executed.
        """
        return None

    def uncounted(self, launch: Launch, script: Script) -> str:
        """What of a step rules/outcome/peak.py has not counted, for people; "" where it has counted all."""
        return f"what a step of {self.title} keeps"

    @property
    def wide_ends(self) -> bool:
        """Whether it casts embedding, head and norms to float32 beside decoder layers in BF16."""
        return False

    def loss(self, stack: Stack) -> Loss | None:
        """How the loss is made of the last hidden states (rules/outcome/peak.py); None where that is not known."""
        return "fused" if self.uses_liger else "logits"

    @property
    def uses_liger(self) -> bool:
        """Whether Liger's kernels stand in for the model's."""
        return self.liger is not None and self._means_yes(self.liger.value)

    def optimizer(self, stack: Stack) -> str | None:
        """The optimizer's name in TrainingArguments; None where it is not known."""
        return None

    @property
    def micro_batches(self) -> object:
        """How many micro-batches share a step of the optimizer, as it is written."""
        return self.value("gradient_accumulation_steps", 1)

    @property
    def finds_micro_batch(self) -> bool:
        """Whether it tries smaller micro-batches until one fits."""
        return self.on("auto_find_batch_size")

    @property
    def off_gpus(self) -> Setting | None:
        """What keeps the process off all GPUs; None where nothing does."""
        return None

    @property
    def clips_at(self) -> object:
        """The norm that gradients are clipped to, as it is written, or TrainingArguments' own."""
        return self.value("max_grad_norm", 1.0)

    def loads_by_its_command(self, launch: Launch) -> bool:
        """Whether what is started is its own command, which loads the model once the arguments are there."""
        return False

    def prepares_reference(self, launch: Launch, script: Script) -> bool:
        """Whether it hands a second model to DeepSpeed, to compare with, before it trains."""
        return False

    @property
    def accumulates(self) -> bool:
        """Whether gradients are kept over several micro-batches."""
        return self.micro_batches != 1

    @property
    def torch_compile(self) -> bool:
        """Whether the file says torch_compile: true."""
        return self.on("torch_compile")

    @property
    def liger(self) -> Setting | None:
        """The setting that puts Liger's kernels in."""
        return self.get("use_liger_kernel")

    def checkpointing(self, stack: Stack) -> Setting | None:
        """What switches gradient checkpointing on, or None where it is off."""
        return self.switched_on("gradient_checkpointing")

    def reentrant(self, stack: Stack) -> bool | None:
        """Whether gradient checkpointing is the reentrant kind; None where there is none.

        transformers: what `gradient_checkpointing_kwargs` says, else reentrant in 4.x and not from 5.0 on.
        """
        if self.checkpointing(stack) is None:
            return None
        written = self.top.section("gradient_checkpointing_kwargs").value("use_reentrant")
        return written if isinstance(written, bool) else self._reentrant_by_default(stack)

    def _reentrant_by_default(self, stack: Stack) -> bool:
        return not stack.does(behaviors.Transformers.CHECKPOINTING_NOT_REENTRANT)

    # What the trainer does on the way to the first step.

    def check_packages(self, stack: Stack, environment: Environment, *, by_itself: bool) -> None:
        """What the trainer refuses of the packages beside it, before it reads its file.

        Args:
            by_itself: whether one of its own programs is started; a script of somebody's own may pass its check by.

        Raises:
            PredictedError: it refuses.
            Undecided: a variable that is not known decides.
        """

    def hand_over(self, stack: Stack, environment: Environment, script: Script) -> Iterator[HandedOver]:
        """What the trainer makes of its file and of the environment, as far as it comes: the last is handed over.

        Raises:
            PredictedError: the trainer refuses its configuration.
            Undecided: it is not known what it hands over.
        """
        raise Undecided(f"what {self.name} hands to Accelerator is not modeled", "seen")

    def distribute(self, stack: Stack, started: Started) -> Started:
        """The training process as Accelerator finds it distributed: the file counts on top of the launch."""
        return started

    def check_distribution(
        self, kind: DistributedType, launch: Launch, config: AccelerateConfig | None, stage: Setting | None
    ) -> None:
        """What the trainer refuses of the distribution, once there is an Accelerator.

        Args:
            stage: the ZeRO stage that the launcher hands on.

        Raises:
            PredictedError: it refuses.
        """

    def check_alone(self) -> None:
        """What the trainer refuses of a process that asks for DeepSpeed and was told no rank by a launcher.

        Raises:
            PredictedError: it refuses.
        """

    def check_wrapped(self, stack: Stack, model: ModelShape | None, *, fsdp2: bool) -> None:
        """What FSDP refuses of the model as the trainer loads it, where nothing casts all of it to float32 before.

        Raises:
            PredictedError: it refuses.
        """

    def check_given(self, stack: Stack, launch: Launch, script: Script) -> None:
        """What its program ends at, once it has its arguments, where nothing says what it works on.

        Raises:
            PredictedError: it ends.
            Undecided: a script of somebody's own asks for what nothing says.
        """

    def check_fsdp(self, stack: Stack, launcher: Setting | None) -> None:
        """What the trainer refuses of FSDP's own settings, once there is an Accelerator.

        Args:
            launcher: what the launcher hands on of FSDP's activation checkpointing.

        Raises:
            PredictedError: it refuses.
        """

    def leaves_routers(self, stack: Stack) -> bool:
        """Whether it leaves the routers of a mixture of experts out of FP8."""
        return False

    def check_model(self, stack: Stack, model: ModelShape | None) -> None:
        """What the trainer refuses of a model that is stored or loaded quantized, once there is an Accelerator.

        Raises:
            PredictedError: it refuses.
        """

    def check_deepspeed(
        self, stack: Stack, kind: DistributedType, environment: Environment, deepspeed: DeepSpeedConfig | None
    ) -> None:
        """What the trainer refuses of DeepSpeed's configuration, when training begins.

        Raises:
            PredictedError: it refuses.
        """

    def adds_bias_of_head(self, stack: Stack, launch: Launch, script: Script) -> Setting | None:
        """What makes the loss multiply with the weight of the head itself and add its bias; None where nothing does."""
        return None

    def check_replicas(self, stack: Stack, launch: Launch, script: Script) -> None:
        """Raise what ends the run where one process sees several GPUs."""

    def check_replicated(self, stack: Stack) -> None:
        """Raise what ends the first step where DistributedDataParallel shares it out."""

    def check_step(self, stack: Stack) -> None:
        """What of the trainer's own fails in the first step.

        Raises:
            PredictedError: it fails.
        """

    # The command line.

    @classmethod
    def over_the_file(cls, words: Sequence[str], own: Collection[str] | None = None) -> dict[str, Setting]:
        """The settings among a program's arguments that this trainer takes over those of its file, by name.

        HF Trainer's scripts and TRL: `--key value`, `--key=value` and `--key` alone for a flag (HfArgumentParser,
        TrlParser); axolotl the same, also with hyphens. Names that the trainer does not know are a script's own.

        Args:
            own: those of the script, where its parser takes the beginning of a flag; None where none does.
        """
        from fp8check.rules.trainers.arguments import options, settings  # most launches have none

        found = settings(options(words), cls.known, own)
        named = found.get("deepspeed")
        if named is not None and not named.is_later and named.value is True:
            del found["deepspeed"]  # a switch of the script's own (deepspeed.add_config_arguments)
        return found

    @classmethod
    def launch(cls, program: str, words: Sequence[str]) -> Launch:
        """How one of the trainer's `programs` starts the run, with these words behind it.

        Raises:
            LaunchError: the words cannot be understood.
        """
        raise NotImplementedError(f"{cls.name} has programs, and does not say how they start a run")

    @classmethod
    def usual(cls, launch: Launch) -> Launch:
        """A launch that nobody gave, as the trainer's own command makes it where it has one that decides."""
        return launch

    @classmethod
    def shipped(cls, name: str, facts: Facts) -> Section | None:
        """What stands in an Accelerate file that its command has within itself; None where it has none of that name."""
        return None

    @classmethod
    def is_started_through(cls, launch: Launch) -> bool:
        """Whether the trainer's own command starts the launcher."""
        return launch.through == cls.name

    @classmethod
    def parsed_at(cls, launch: Launch) -> Stage:
        """Where its arguments are made: in its own command, before the launcher, or in the process that trains."""
        return "launch" if cls.parses_in_command and cls.is_started_through(launch) else "arguments"

    @classmethod
    def with_flags_of_file(cls, launch: Launch, top: Section) -> Launch:
        """The launch with what the trainer's command takes of its file for the launcher."""
        return launch

    @classmethod
    def as_released(cls, launch: Launch, facts: Facts) -> Launch:
        """The launch as the trainer's command makes it in the release that the run has."""
        return launch

    @property
    def loads_shards_itself(self) -> bool:
        """Whether it loads a model under FSDP2 by a function of its own, and not by Accelerate's."""
        return False

    @classmethod
    def passed_over(cls, launch: Launch, facts: Facts) -> tuple[str, ...]:
        """Keys of its own in earlier releases that its program passes over in this one."""
        return ()

    @classmethod
    def instead_of_script(cls, launch: Launch, facts: Facts) -> str | None:
        """The file on the command of the trainer that it does not read, and the launcher starts as a script."""
        return None

    def check_command(self, launch: Launch, stack: Stack) -> None:
        """What the trainer's own command refuses before it starts the launcher.

        Raises:
            PredictedError: it refuses.
        """

    @classmethod
    def hands_on(cls, name: str) -> bool:
        """Whether the trainer's command hands a key of its file on to the launcher."""
        return False

    @classmethod
    def spawns(cls, variables: Mapping[str, str], gpus: Sequence[Gpu] | None) -> bool | None:
        """Whether the trainer's command starts torchrun by itself; None where the GPUs are not known."""
        return False

    def newest_taken(self, stack: Stack, package: str) -> Version | None:
        """The newest release of another package that the trainer takes; None where it says nothing of it."""
        return None

    def newest(self, stack: Stack, package: str) -> str | None:
        """The newest release of a package that was looked at and that the trainer takes; None where none is known."""
        newest, limit = stack.newest(package), self.newest_taken(stack, package)
        version = None if newest is None else parsed(newest)
        if newest is None or limit is None or (version is not None and at_least(limit, *version)):
            return newest
        return ".".join(map(str, limit))

    def command(self, config: str, file: str | None, launch: Launch) -> list[str] | None:
        """The words of a command that starts this run by `accelerate launch` with that file; None where none does.

        Args:
            config: the Accelerate file.
            file: the training file.
            launch: how it is started now: its script and what stands behind it are kept.
        """
        script = launch.script if launch.script not in (None, *self.programs) else None
        if launch.tool not in ("", "accelerate", "python", "torchrun", "deepspeed"):
            return None
        module = ["-m"] if launch.is_module else []
        what = [*module, script, *launch.arguments] if script is not None else [*_SCRIPT, *([file] if file else [])]
        return ["accelerate", "launch", "--config_file", config, *what]

    @classmethod
    def instead_of_launching(cls, start: str) -> str:
        """What starts where a launcher was told to start the trainer's command."""
        return f"what {start} starts is a Python file or module of {cls.name}"

    # The table of what trains.

    @classmethod
    def sample(cls, *, bf16: bool, checkpointing: bool, lora: bool) -> dict[str, object] | None:
        """The settings of a run of that kind for `fp8check matrix`; None where the table leaves it out."""
        return None
