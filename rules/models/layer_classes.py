"""What transformers calls the class of a decoder layer, by which FSDP is told what to take for one unit.

_no_split_modules of models/*/modeling_*.py, the same in transformers 4.57.1 and 5.23.0.
"""

from __future__ import annotations

DECODER_LAYERS = {
    "arcee": "ArceeDecoderLayer",
    "cohere": "CohereDecoderLayer",
    "cohere2": "Cohere2DecoderLayer",
    "deepseek_v2": "DeepseekV2DecoderLayer",
    "deepseek_v3": "DeepseekV3DecoderLayer",
    "ernie4_5": "Ernie4_5DecoderLayer",
    "exaone4": "Exaone4DecoderLayer",
    "falcon": "FalconDecoderLayer",
    "gemma": "GemmaDecoderLayer",
    "gemma2": "Gemma2DecoderLayer",
    "gemma3_text": "Gemma3DecoderLayer",
    "glm": "GlmDecoderLayer",
    "glm4": "Glm4DecoderLayer",
    "glm4_moe": "Glm4MoeDecoderLayer",
    "gpt2": "GPT2Block",
    "gpt_neox": "GPTNeoXLayer",
    "gpt_oss": "GptOssDecoderLayer",
    "granite": "GraniteDecoderLayer",
    "llama": "LlamaDecoderLayer",
    "mistral": "MistralDecoderLayer",
    "mixtral": "MixtralDecoderLayer",
    "nemotron": "NemotronDecoderLayer",
    "olmo": "OlmoDecoderLayer",
    "olmo2": "Olmo2DecoderLayer",
    "olmo3": "Olmo3DecoderLayer",
    "olmoe": "OlmoeDecoderLayer",
    "opt": "OPTDecoderLayer",
    "phi": "PhiDecoderLayer",
    "phi3": "Phi3DecoderLayer",
    "qwen2": "Qwen2DecoderLayer",
    "qwen2_moe": "Qwen2MoeDecoderLayer",
    "qwen3": "Qwen3DecoderLayer",
    "qwen3_moe": "Qwen3MoeDecoderLayer",
    "seed_oss": "SeedOssDecoderLayer",
    "smollm3": "SmolLM3DecoderLayer",
    "stablelm": "StableLmDecoderLayer",
    "starcoder2": "Starcoder2DecoderLayer",
}
# Of each decoder layer; and what any of these models is made of beside its layers.
_PARTS = ("Attention", "MLP", "RMSNorm", "Model", "ForCausalLM")
_OF_TORCH = ("Embedding", "Linear")


def has_class(model_type: str, name: str) -> bool | None:
    """Whether a model of that type has a module of that class; None where that is not known."""
    layer = DECODER_LAYERS.get(model_type)
    if layer is None:
        return None
    if name == layer or name in _OF_TORCH:
        return True
    if not name.isidentifier() or name in DECODER_LAYERS.values() or name.lower() == layer.lower():
        return False
    prefix = layer.removesuffix("DecoderLayer")
    return True if name in [f"{prefix}{part}" for part in _PARTS] else None
