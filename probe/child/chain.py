"""The real path: Accelerator(), prepare(), and what both say of themselves."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import torch

from . import device, emulation, fit, inspect_model
from .decoder import Decoder

if TYPE_CHECKING:
    from .channel import Channel
    from .fit import Built

LEARNING_RATE = 1e-2  # at which every parameter that has a gradient visibly moves in one step


class Prepared:
    """The run after prepare().

    Attributes:
        accelerator: the real Accelerator.
        model: what prepare() returned, compiled where the run is; `plain` is the module within its wrappers.
        eager: the same, not compiled: for batches of other shapes, which would each be compiled anew.
        optimizer: what prepare() returned.
        built: the sizes that fit.
        batch: token ids and labels on the device.
        names: the trainable parameters before prepare().
    """

    def __init__(self, accelerator: Any, model: Any, optimizer: Any, built: Built, names: list[str]) -> None:
        self.accelerator = accelerator
        self.model = self.eager = model
        self.optimizer = optimizer
        self.built = built
        self.names = names
        self.batch: dict[str, torch.Tensor] = {}

    @property
    def plain(self) -> Any:
        """The module within the wrappers of distribution and compilation."""
        module = self.eager
        while hasattr(module, "module") or hasattr(module, "_orig_mod"):
            module = getattr(module, "_orig_mod", None) or module.module
        return module

    def loss(self) -> torch.Tensor:
        """One forward pass over the micro-batch."""
        loss: torch.Tensor = self.model(**self.batch)["loss"]
        return loss

    def release(self) -> None:
        """Give the memory back."""
        self.accelerator.free_memory()  # it holds what it prepared
        self.model = self.eager = self.optimizer = None
        self.batch = {}
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def build_and_prepare(spec: dict[str, Any], channel: Channel) -> Prepared:
    """Build Accelerator, model and optimizer as the run would, and hand them to prepare()."""
    if spec["emulate"]:
        emulation.install(spec)
    channel.enter("accelerator")
    accelerator = _accelerator(spec)
    channel.saw(accelerator=inspect_model.accelerator(accelerator))
    channel.enter("build")
    free = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else spec["emulated_memory"]
    built = fit.choose(spec, free)
    channel.saw(built=built._asdict())
    model = build(spec, built)
    before = inspect_model.parameters(model)
    marks = inspect_model.marks(model)
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    if spec["distributed"] == "FSDP":
        # Trainer leaves it there under FSDP, and from the GPU torchao's BF16 tensors would end in FSDP2's first step.
        model.to("cpu")
    optimizer = torch.optim.AdamW(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=LEARNING_RATE,
        weight_decay=0.0,
        foreach=False,
    )
    channel.enter("prepare")
    if spec["prepare"] == "together":
        model, optimizer = accelerator.prepare(model, optimizer)
    else:
        model = accelerator.prepare(model)
        optimizer = accelerator.prepare(optimizer)
    prepared = Prepared(accelerator, model, optimizer, built, names)
    channel.saw(
        layers=inspect_model.layers(prepared.plain),
        parameters={
            "before": before,
            "after": inspect_model.parameters(prepared.plain),
            "changed": inspect_model.changed(marks, inspect_model.marks(prepared.plain)),
        },
        optimizer=inspect_model.optimizer(prepared.plain, optimizer),
    )
    prepared.batch = batch(spec, built.rows, built.columns, built.vocab)
    if spec["compile"]:
        channel.enter("compile")
        prepared.model = torch.compile(prepared.model)
        prepared.accelerator.backward(prepared.loss())
        prepared.plain.zero_grad(set_to_none=True)
    return prepared


def _accelerator(spec: dict[str, Any]) -> Any:
    from accelerate import Accelerator
    from accelerate import utils as accelerate_utils

    arguments: dict[str, Any] = {}
    if spec["mixed_precision"] is not None:
        arguments["mixed_precision"] = spec["mixed_precision"]
    handler = spec["handler"]
    if handler is not None:
        given = dict(handler["arguments"])
        if isinstance(given.get("config"), dict):
            given["config"] = _float8_config(given["config"])
        arguments["kwargs_handlers"] = [getattr(accelerate_utils, handler["class"])(**given)]
    return Accelerator(**arguments)


def _float8_config(described: dict[str, Any]) -> Any:
    """axolotl's own: a recipe by name, with the options set on top (monkeypatch of its Trainer)."""
    from torchao.float8 import Float8LinearConfig

    config: Any = Float8LinearConfig.from_recipe_name(described.get("recipe", "tensorwise"))
    for name, value in described.items():
        if name != "recipe":
            object.__setattr__(config, name, value)
    return config


def build(spec: dict[str, Any], built: Built) -> Any:
    """The model with its own random weights, on the device, with adapters where the run has them."""
    torch.manual_seed(0)
    usual = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, spec["dtype"]))
    try:
        with torch.device(device.kind(spec)):
            model: Any = Decoder(spec["model"], built.layers, built.vocab, spec["checkpointing"])
    finally:
        torch.set_default_dtype(usual)
    lora = spec["lora"]
    if lora:
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(r=lora["rank"], target_modules=lora["targets"], init_lora_weights="gaussian")
        model = get_peft_model(model, config)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:  # zero at first: then lora_A has no gradient, and nothing could be told of it
                torch.nn.init.normal_(parameter, std=0.02)
    return model.train()


def batch(spec: dict[str, Any], rows: int, columns: int, vocab: int) -> dict[str, torch.Tensor]:
    """Random token ids [rows, columns] and labels of the same shape, the same ones each time."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, vocab, (rows, columns), generator=generator)
    labels = torch.randint(0, vocab, (rows, columns), generator=generator)
    where = device.kind(spec)
    return {"input_ids": ids.to(where), "labels": labels.to(where)}
