"""Writes the tokenizer of the carrier as a tokenizer.json: it divides text into its likeliest pieces (unigram)."""

import base64
import json
from pathlib import Path

from .carrier import Vocabulary
from .character_map import written_map

_BLANK = "▁"


def write_tokenizer(vocabulary: Vocabulary, target: Path) -> None:
    """Write the file that the `tokenizers` library reads."""
    mask = len(vocabulary.pieces) - 1
    special = sorted({vocabulary.bos, vocabulary.eos, vocabulary.pad, vocabulary.unknown, mask})
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_special_token(number, vocabulary.pieces[number]) for number in special],
        "normalizer": _normalizer(vocabulary),
        "pre_tokenizer": {"type": "Metaspace", "replacement": _BLANK, "prepend_scheme": "always", "split": True},
        "post_processor": _post_processor(vocabulary),
        "decoder": {"type": "Metaspace", "replacement": _BLANK, "prepend_scheme": "always", "split": True},
        "model": {
            "type": "Unigram",
            "unk_id": vocabulary.unknown,
            "vocab": list(zip(vocabulary.pieces, vocabulary.scores, strict=True)),
            "byte_fallback": False,
        },
    }
    target.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), "utf-8")


def _special_token(number: int, piece: str) -> dict[str, object]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": number, "content": piece, **flags, "special": True}


def _normalizer(vocabulary: Vocabulary) -> dict[str, object]:
    characters = base64.b64encode(written_map(vocabulary.characters)).decode()
    steps = [
        {"type": "Precompiled", "precompiled_charsmap": characters},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
    ]
    return {"type": "Sequence", "normalizers": steps}


def _post_processor(vocabulary: Vocabulary) -> dict[str, object]:
    begin, end = ({"id": vocabulary.pieces[number], "type_id": 0} for number in (vocabulary.bos, vocabulary.eos))
    text, second = ({"Sequence": {"id": name, "type_id": 0}} for name in ("A", "B"))
    single = [{"SpecialToken": begin}, text, {"SpecialToken": end}]
    tokens = {
        vocabulary.pieces[number]: {
            "id": vocabulary.pieces[number],
            "ids": [number],
            "tokens": [vocabulary.pieces[number]],
        }
        for number in (vocabulary.bos, vocabulary.eos)
    }
    pair = [*single, {"SpecialToken": end}, second, {"SpecialToken": end}]
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": tokens}
