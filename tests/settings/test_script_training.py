"""Whether a script trains, by what it calls."""

from __future__ import annotations

import pytest

from fp8check.rules.settings.script_training import has_training, only_goes_back, trains


@pytest.mark.parametrize(
    "text",
    [
        "loss.backward()",
        "accelerator.backward(loss)",
        "engine.train_batch(batch)",
        "self.optimizer.step()",
        "model, opt, _, _ = deepspeed.initialize(args=args)",
        "trainer.train()",
        "trainer.train(resume_from_checkpoint=True)",
        "trainer.train('checkpoint')",
        "model.train()",
        "Trainer(model).train()",
        "get()().train()",
        "trainer.fit(model)",
        "learner.learn(3)",
        "finetuner.tune(model)",
        "train()",
        "train_model(model)",
        "run_training(config)",
        "run_sft(args)",
        "main_train()",
        "fine_tune(x)",
        "runTraining()",
        "Train(args)",
        "recipe.run_train()",
        "finetune(model)",
        "generic_train(model, args)",
        "jax.value_and_grad(loss)",
    ],
)
def test_what_trains(text: str) -> None:
    assert trains(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "model.eval()",
        "train_test_split(x)",
        "PretrainTaskManager(args)",
        "tasks.TrainingPlan()",
        "load_train_data()",
        "train_dataset()",
        "get_training_args()",
        "model.train(False)",
        "model.train(mode=was)",
        "tokenizer.train(files)",
        "kmeans.train(x)",
        "scheduler.step()",
        "pipeline.fit(x)",
        "app.initialize()",
        "engine = deepspeed.initialize(model=model, config_params=config)[0]",
        "AutoModel.from_pretrained('x')",
        "run_eval()",
        "is_train()",
        "load_train()",
        "run()",
        "_()",
        "calls[0]()",
        "get().step()",
        "def (:",
        "x" * 10 + "\0",
        "print('trainer.train()')",
    ],
)
def test_what_does_not(text: str) -> None:
    assert not trains(text)


def test_a_module_has_a_training_in_it_by_its_words() -> None:
    assert has_training("class A:\n    def step(self):\n        self.loss.backward()\n")
    assert not has_training("def evaluate(model):\n    model.eval()\n")


@pytest.mark.parametrize(
    ("text", "only"),
    [
        ("out = layer(x)\nout.backward(out)\n", True),
        ("print('x')\n", False),
        ("out.backward(out)\nprofiler.step()\nprof.step()\n", True),
        ("loss.backward()\noptimizer.step()\n", False),
        ("engine = deepspeed.initialize(model)\nengine.backward(loss)\n", False),
        ("accelerator = Accelerator()\naccelerator.backward(loss)\n", False),
    ],
)
def test_gradients_without_a_step_are_no_training(text: str, only: bool) -> None:
    assert only_goes_back(text) is only
