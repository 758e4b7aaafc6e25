"""The script of a text, and which model reads it."""

import unicodedata
from collections import Counter
from enum import StrEnum
from functools import lru_cache

from ..translation import marked, translate

# A Chinese word has about 1.6 characters and an English one 4.7 letters, so that a character counts as three letters.
_LETTERS_IN_A_HAN = 3


class Script(StrEnum):
    """The script of most of a text's letters. A text of figures only has none: `OTHER`."""

    LATIN = "latin"
    HAN = "han"
    OTHER = "other"


_UNKNOWN_TOKENS = {
    Script.LATIN: marked(
        "The model does not know {share:.0%} of the tokens of this text, which is English or another language in Latin "
        "letters. Set EMBEDDING_MODEL to a multilingual model or one for that language."
    ),
    Script.HAN: marked(
        "The model does not know {share:.0%} of the tokens of this text, which is Chinese. "
        "Set EMBEDDING_MODEL to a multilingual model or one for Chinese."
    ),
    Script.OTHER: marked(
        "The model does not know {share:.0%} of the tokens of this text, which is neither in Latin letters nor in "
        "Chinese. Set EMBEDDING_MODEL to a multilingual model that knows its language."
    ),
}


def script_of(text: str) -> Script:
    """Find the script of most of the text's letters, a Han character counting as three.

    A character's script is in its Unicode name (`unicodedata`), also for full-width letters and rare characters.
    Japanese counts as Han, unless less than a quarter of it is kanji.
    """
    weights = dict.fromkeys(Script, 0)
    for character, times in Counter(text).items():
        script = _script_of_letter(character)
        if script is not None:
            weights[script] += times * (_LETTERS_IN_A_HAN if script is Script.HAN else 1)
    most = max(weights, key=lambda script: weights[script])
    return most if weights[most] else Script.OTHER


@lru_cache(maxsize=1 << 16)
def _script_of_letter(character: str) -> Script | None:
    """Give None for a character that is no letter."""
    if not character.isalpha():
        return None
    name = unicodedata.name(character, "")
    if "CJK" in name:
        return Script.HAN
    return Script.LATIN if "LATIN" in name else Script.OTHER


def vocabulary_sentence(unknown_share: float, script: Script, limit: float) -> str:
    """Say which share of a text's tokens, 0 to 1, a model does not know; above the limit, which model to choose."""
    if unknown_share <= limit:
        return translate(
            "The model does not know {share:.2%} of the tokens, which is within the limit.", share=unknown_share
        )
    return translate(_UNKNOWN_TOKENS[script], share=unknown_share)
