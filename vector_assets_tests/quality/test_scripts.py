"""Scripts are distinguished, and the sentence names the model to choose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_assets.quality.scripts import Script, script_of, vocabulary_sentence


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Net sales rose 4 % to $82,959 million.", Script.LATIN),
        ("Résumé à Zürich, Łódź", Script.LATIN),
        ("ＦＵＬＬ　ＷＩＤＴＨ", Script.LATIN),
        ("董事会审议通过了2024年年度报告。", Script.HAN),
        ("證券代碼：00700 騰訊控股", Script.HAN),
        ("𠮷野家 㐀 豈", Script.HAN),
        ("公司持有 Example Harbor Lines 的股份", Script.HAN),
        ("The issuer (示例港航) is listed in Hong Kong and reports in English.", Script.LATIN),
        ("Чистая прибыль выросла", "cyrillic"),
        ("당기순이익이 증가하였다", "hangul"),
        ("これはひらがなです", "hiragana"),
        ("བོད་ཡིག་གི་སྐད་ཡིག", "tibetan"),
        ("1,234.5 | (67.8) | 90 %", Script.OTHER),
        ("", Script.OTHER),
    ],
)
def test_the_script_is_that_of_most_letters(text: str, script: str) -> None:
    """Figures and signs are of none."""
    assert script_of(text) == script


@given(st.text())
def test_any_text_has_a_script(text: str) -> None:
    """And the order of its characters does not matter."""
    assert script_of(text) == script_of(text[::-1])


def test_a_model_that_cannot_read_is_to_be_changed() -> None:
    """The sentence says how much is lost, which language the text is in, and which kind of model reads it."""
    assert vocabulary_sentence(0.528, Script.HAN, 0.05) == (
        "The model does not know 53% of the tokens of this text, which is Chinese. "
        "Set EMBEDDING_MODEL to a multilingual model or one for Chinese."
    )
    assert "Latin letters" in vocabulary_sentence(0.2, Script.LATIN, 0.05)
    assert "Tibetan" in vocabulary_sentence(0.2, "tibetan", 0.05)
    assert "multilingual" in vocabulary_sentence(0.2, Script.OTHER, 0.05)


def test_a_model_that_reads_the_text_is_left_alone() -> None:
    """A few rare signs are usual."""
    assert "0.03% of the tokens" in vocabulary_sentence(0.0003, Script.LATIN, 0.05)
