"""What a model does not see of a text: which script it is in, and what to do about it."""

import unicodedata
from collections import Counter
from enum import StrEnum
from functools import lru_cache

from ..domain.reports import UNKNOWN_SHARE_LIMIT

# A Chinese word has about 1.6 characters and an English one 4.7 letters, so that one counts as much as three of these.
_LETTERS_IN_A_HAN = 3


class Script(StrEnum):
    """What most of a text is written in. A text of figures only is in no script: `OTHER`."""

    LATIN = "latin"
    HAN = "han"
    OTHER = "other"


_KINDS = {
    Script.LATIN: ("English or another language in Latin letters", "a model for that language, or a multilingual one"),
    Script.HAN: ("Chinese", "a multilingual model, or one for Chinese"),
    Script.OTHER: ("neither in Latin letters nor in Chinese", "a multilingual model that knows its language"),
}


def script_of(text: str) -> Script:
    """The script of most of the text's letters, a Han character counting as three.

    By the names that Unicode gives its characters (`unicodedata`), full-width letters and rare characters included.
    Japanese counts as Han too, unless less than a quarter of it is kanji.
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
    """None for what is no letter."""
    if not character.isalpha():
        return None
    name = unicodedata.name(character, "")
    if "CJK" in name:
        return Script.HAN
    return Script.LATIN if "LATIN" in name else Script.OTHER


def sight_sentence(unknown_share: float, script: Script, limit: float = UNKNOWN_SHARE_LIMIT) -> str:
    """What a model does not know (0 to 1, of all tokens) of a text of this script; above the limit with the mend."""
    language, model = _KINDS[script]
    if unknown_share <= limit:
        return f"The model does not know {unknown_share:.2%} of the tokens, which is usual."
    return (
        f"The model does not know {unknown_share:.0%} of the tokens of this text, which is {language}. "
        f"Set EMBEDDING_MODEL to {model}."
    )
