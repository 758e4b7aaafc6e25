"""The script of a text, and which model reads it."""

import unicodedata
from collections import Counter
from enum import StrEnum
from functools import lru_cache

from ..translation import marked, translate

# A Chinese word has about 1.6 characters and an English one 4.7 letters, so that a character counts as three letters.
_LETTERS_IN_A_HAN = 3


class Script(StrEnum):
    """Scripts that are treated apart. Any other goes by its name in Unicode, e.g. `tibetan`. `OTHER`: no letters."""

    LATIN = "latin"
    HAN = "han"
    OTHER = "other"


_UNKNOWN_TOKENS: dict[str, str] = {
    Script.LATIN: marked(
        "The model does not know {share:.0%} of the tokens of this text, which is English or another language in Latin "
        "letters. Set EMBEDDING_MODEL to a multilingual model or one for that language."
    ),
    Script.HAN: marked(
        "The model does not know {share:.0%} of the tokens of this text, which is Chinese. "
        "Set EMBEDDING_MODEL to a multilingual model or one for Chinese."
    ),
    Script.OTHER: marked(
        "The model does not know {share:.0%} of the tokens of this text, which has signs and no letters. "
        "Set EMBEDDING_MODEL to a multilingual model."
    ),
}
_UNKNOWN_SCRIPT = marked(
    "The model does not know {share:.0%} of the tokens of this text, which is in {script} script. "
    "Set EMBEDDING_MODEL to a model for its language."
)


def script_of(text: str) -> str:
    """Find the script of most of the text's letters, a Han character counting as three, as `Script` describes it.

    A character's script is in its Unicode name (`unicodedata`), also for full-width letters and rare characters.
    Japanese counts as Han, unless less than a quarter of it is kanji.
    """
    weights = Counter[str]()
    for character, times in Counter(text).items():
        script = _script_of_letter(character)
        if script is not None:
            weights[script] += times * (_LETTERS_IN_A_HAN if script is Script.HAN else 1)
    return max(sorted(weights), key=lambda script: weights[script], default=Script.OTHER)


@lru_cache(maxsize=1 << 16)
def _script_of_letter(character: str) -> str | None:
    """Give None for a character that is no letter."""
    if not character.isalpha():
        return None
    name = unicodedata.name(character, "")
    if "CJK" in name:
        return Script.HAN
    return Script.LATIN if "LATIN" in name else name.partition(" ")[0].lower() or Script.OTHER


def vocabulary_sentence(unknown_share: float, script: str, limit: float) -> str:
    """Say which share of a text's tokens, 0 to 1, a model does not know; above the limit, which model to choose."""
    if unknown_share <= limit:
        return translate(
            "The model does not know {share:.2%} of the tokens, which is within the limit.", share=unknown_share
        )
    if script in _UNKNOWN_TOKENS:
        return translate(_UNKNOWN_TOKENS[script], share=unknown_share)
    return translate(_UNKNOWN_SCRIPT, share=unknown_share, script=script.capitalize())
