"""The small files of a sentence-transformers folder, as those of intfloat/multilingual-e5-small say it."""

import json
from collections.abc import Mapping

_MAX_TOKENS = 512
_TRANSFORMER = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "dtype": "float16",
    "hidden_act": "gelu",
    "hidden_size": 384,
    "intermediate_size": 1536,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "pad_token_id": 1,
    "type_vocab_size": 2,
    "vocab_size": 250037,
}
_TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_max_length": _MAX_TOKENS,
    "bos_token": "<s>",
    "cls_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}
_MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]
_FILES: Mapping[str, object] = {
    "config.json": _TRANSFORMER,
    "tokenizer_config.json": _TOKENIZER,
    "modules.json": _MODULES,
    "sentence_bert_config.json": {"max_seq_length": _MAX_TOKENS, "do_lower_case": False},
    "config_sentence_transformers.json": {"prompts": {"query": "query: ", "document": "passage: "}},
    "1_Pooling/config.json": {"word_embedding_dimension": 384, "pooling_mode_mean_tokens": True},
    "2_Normalize/config.json": {},
}

CONFIG_FILES = {name: json.dumps(content, indent=2).encode() for name, content in _FILES.items()}
"""The content of each file by its path in the folder."""
