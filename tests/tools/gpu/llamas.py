"""The models whose peaks are measured: layers of that width, and as many as a case says."""

from __future__ import annotations

# hidden, intermediate, heads, key heads, vocabulary, whether the head is the embedding
SHAPES: dict[str, tuple[int, int, int, int, int, bool]] = {
    "0.001B": (64, 128, 4, 2, 1024, True),  # to try the tools on a CPU
    "0.5B": (896, 4864, 14, 2, 151936, True),
    "1B": (2048, 8192, 32, 8, 128256, True),
    "3B": (2560, 9216, 20, 4, 151936, True),
    "7B": (3584, 18944, 28, 4, 32000, False),
    "8B": (4096, 14336, 32, 8, 128256, False),
    "14B": (5120, 13824, 40, 8, 152064, False),
    "32B": (5120, 27648, 40, 8, 32000, False),
}


def config_of(name: str) -> dict[str, object]:
    """The config.json of a model: "7B4" has four layers of 7B's shape; "M4" four of a mixture of experts."""
    if name.startswith("M"):
        return {**MIXTURE, "num_hidden_layers": int(name[1:])}
    shape, layers = name.rsplit("B", 1)
    hidden, intermediate, heads, kv, vocabulary, tied = SHAPES[shape + "B"]
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_hidden_layers": int(layers),
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "vocab_size": vocabulary,
        "tie_word_embeddings": tied,
        "max_position_embeddings": 16384,
        "dtype": "bfloat16",
    }


MIXTURE: dict[str, object] = {
    "model_type": "qwen3_moe",
    "architectures": ["Qwen3MoeForCausalLM"],
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "moe_intermediate_size": 768,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "num_experts": 32,
    "num_experts_per_tok": 8,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
    "norm_topk_prob": True,
    "vocab_size": 32000,
    "tie_word_embeddings": False,
    "max_position_embeddings": 16384,
    "dtype": "bfloat16",
}
