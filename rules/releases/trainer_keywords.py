"""The keywords of Trainers: which each class had once, or got later.

Read of 54 releases of TRL from 0.9.6 to 1.16.0, all but some third numbers (trainer/*_trainer.py), and of transformers
4.45.2, 4.49.0, 4.52.4, 4.53.3, 4.57.1, 5.0.0, 5.2.0 and 5.24.0 (trainer.py, trainer_seq2seq.py). A keyword that a
decorator hands on under its new name is taken as well.
"""

from __future__ import annotations

from fp8check.rules.releases.versions import at_least

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.releases.stack import Stack

    Version = tuple[int, ...]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OF_TRAINER = _names(
    """
    model args data_collator train_dataset eval_dataset model_init compute_metrics callbacks optimizers
    preprocess_logits_for_metrics
    """
)
_OF_TRL = _names("model args train_dataset eval_dataset callbacks optimizers peft_config")
_ALWAYS: Mapping[str, frozenset[str]] = {
    "Trainer": _OF_TRAINER,
    "Seq2SeqTrainer": _OF_TRAINER,
    "SFTTrainer": _OF_TRL | _names("data_collator compute_metrics formatting_func preprocess_logits_for_metrics"),
    "DPOTrainer": _OF_TRL | _names("data_collator compute_metrics ref_model"),
    "GRPOTrainer": _OF_TRL | _names("processing_class reward_funcs reward_processing_classes"),
    "RewardTrainer": _OF_TRL | _names("data_collator compute_metrics preprocess_logits_for_metrics"),
    "KTOTrainer": _OF_TRL | _names("data_collator compute_metrics ref_model"),
    "RLOOTrainer": _names("train_dataset eval_dataset callbacks optimizers"),
}
# Of each class the keywords that it has no more, by the first release without them.
_UNTIL: Mapping[str, Mapping[Version, frozenset[str]]] = {
    "Trainer": {(5,): _names("tokenizer")},
    "Seq2SeqTrainer": {(5,): _names("tokenizer")},
    "SFTTrainer": {
        (0, 13): _names(
            """
            chars_per_token dataset_batch_size dataset_kwargs dataset_num_proc dataset_text_field eval_packing infinite
            max_seq_length model_init_kwargs neftune_noise_alpha num_of_sequences packing
            """
        ),
        (0, 15): _names("model_init"),
        (0, 16): _names("tokenizer"),
    },
    "DPOTrainer": {
        (0, 13): _names(
            """
            beta dataset_num_proc disable_dropout force_use_ref_model generate_during_eval is_encoder_decoder
            label_pad_token_id label_smoothing loss_type max_length max_prompt_length max_target_length
            model_adapter_name model_init_kwargs padding_value precompute_ref_log_probs ref_adapter_name
            ref_model_init_kwargs reference_free truncation_mode
            """
        ),
        (0, 16): _names("tokenizer"),
        (0, 19): _names("model_init"),
        (0, 29): _names("optimizer_cls_and_kwargs preprocess_logits_for_metrics"),
    },
    "RewardTrainer": {
        (0, 14): _names("max_length"),
        (0, 15): _names("tokenizer"),
        (0, 24): _names("model_init"),
    },
    "KTOTrainer": {
        (0, 14): _names("tokenizer"),
    },
    "RLOOTrainer": {
        (0, 14): _names("tokenizer"),
        (0, 25): _names("config data_collator policy ref_policy reward_model"),
    },
}
# And those that it got later, by the first release with them.
_SINCE: Mapping[str, Mapping[Version, frozenset[str]]] = {
    "Trainer": {(4, 46): _names("processing_class compute_loss_func"), (4, 49): _names("optimizer_cls_and_kwargs")},
    "Seq2SeqTrainer": {(4, 46): _names("processing_class compute_loss_func")},
    "SFTTrainer": {
        (0, 12): _names("processing_class"),
        (0, 15): _names("compute_loss_func optimizer_cls_and_kwargs"),
        (1, 8): _names("quantization_config"),
    },
    "DPOTrainer": {
        (0, 12): _names("processing_class"),
        (0, 19): _names("optimizer_cls_and_kwargs"),
        (1, 8): _names("quantization_config"),
    },
    "GRPOTrainer": {
        (0, 25): _names("rollout_func"),
        (0, 26): _names("tools"),
        (0, 29): _names("environment_factory"),
        (1, 8): _names("quantization_config"),
    },
    "RewardTrainer": {
        (0, 12): _names("processing_class"),
        (0, 24): _names("optimizer_cls_and_kwargs"),
        (1, 8): _names("quantization_config"),
    },
    "KTOTrainer": {(0, 12): _names("processing_class"), (1, 8): _names("quantization_config")},
    "RLOOTrainer": {
        (0, 12): _names("processing_class"),
        (0, 22): _names("args model peft_config reward_funcs reward_processing_classes"),
        (1, 8): _names("quantization_config"),
    },
}
# Classes of which all keywords are here: another one no release of them had. KTOTrainer takes any for a time.
_WHOLE = ("Trainer", "Seq2SeqTrainer", "SFTTrainer", "DPOTrainer", "GRPOTrainer", "RewardTrainer", "RLOOTrainer")


def is_absent(class_name: str, name: str, stack: Stack) -> bool:
    """Whether a Trainer's class does not have that keyword in the release of the run."""
    version = stack.version("transformers" if class_name in ("Trainer", "Seq2SeqTrainer") else "trl")
    gone, new = _UNTIL.get(class_name, {}), _SINCE.get(class_name, {})
    if any(name in names and at_least(version, *until) for until, names in gone.items()):
        return True
    later = [since for since, names in new.items() if name in names]
    if later:
        return not at_least(version, *later[0])
    known = name in _ALWAYS[class_name] or any(name in names for names in gone.values())
    return not known and class_name in _WHOLE
