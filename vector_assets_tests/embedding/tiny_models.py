"""Random models of a few thousand weights, saved as sentence-transformers models, in the shapes that people use."""

from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

_WORDS = "the board approved annual report net sales rose fell cash flow risk factors 董事会 年度 报告 营业 收入"
WORDS = _WORDS.split(" ")
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 66,
}


def make_tiny_model(path: Path, shape: str, pooling: str) -> Path:
    """`shape` is bert, xlm-roberta or mpnet; `pooling` is mean, cls or lasttoken. At most 64 tokens."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import (
        BertConfig,
        BertModel,
        MPNetConfig,
        MPNetModel,
        PreTrainedTokenizerFast,
        XLMRobertaConfig,
        XLMRobertaModel,
    )

    torch.manual_seed(7)
    tokenizer = _tokenizer()
    words = {"vocab_size": tokenizer.get_vocab_size(), "pad_token_id": tokenizer.token_to_id("<pad>")}
    model = {
        "bert": lambda: BertModel(BertConfig(**SIZES, **words)),
        "xlm-roberta": lambda: XLMRobertaModel(XLMRobertaConfig(**SIZES, **words)),
        "mpnet": lambda: MPNetModel(MPNetConfig(**SIZES, **words)),
    }[shape]()
    raw = path / "raw"
    model.save_pretrained(raw)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", cls_token="<s>", sep_token="</s>"
    ).save_pretrained(raw)
    transformer = Transformer(str(raw), max_seq_length=64)
    SentenceTransformer(modules=[transformer, Pooling(32, pooling_mode=pooling)], device="cpu").save(str(path / shape))
    return path / shape


def _tokenizer() -> Tokenizer:
    vocabulary = {word: number for number, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", vocabulary["<s>"]), ("</s>", vocabulary["</s>"])]
    )
    return tokenizer
