"""How much of a text is unreadable: signs of a wrong encoding or of a broken reader."""

import re

# What no writer means and `ftfy.badness` does not count alone: U+FFFD, for which bytes were lost; control characters
# other than white space; U+FFFD and the punctuation 。、，’— in UTF-8 read as GBK, whose remains are in no common word;
# the quotation marks and the dash in GBK read as Latin-1 (`company¡¯s`, `¡°`, `¡±`, `¡ª`).
_UNREADABLE = re.compile("[\ufffd\x00-\x08\x0e-\x1f\x7f锛銆鈥]|锟斤拷|\u00a1[\u00a1-\u00be]")

# Text in English and Chinese rarely has one of these, and mojibake always: what bytes above 7F become in single-byte
# encodings (Latin-1, Windows-125x, Mac Roman), or the beginning of what is above. Of 5,580 chunks of real filings 106
# have one. Only their lines with one are searched for mojibake, which takes fifty times as long as this expression.
_SUSPICIOUS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u00a1-\u00b6\u00b8-\u04ff\ufffd锟锛銆鈥]")


def unreadable_share(text: str) -> float:
    """Share of the characters, 0 to 1, that are signs of a wrong encoding; 0 for an empty text.

    Each sequence that `ftfy.badness` finds counts as one character. Of filings read in a wrong encoding (UTF-8, GBK,
    Windows-1252, Latin-1 and ASCII, one as another) the share is 0.1 or more in Chinese, and 0.0015 or more in English,
    where only quotation marks and dashes break. `QualityLimits.max_unreadable_share` lies below both.
    """
    if _SUSPICIOUS.search(text) is None:
        return 0.0
    from ftfy.badness import badness

    unreadable = sum(len(match[0]) for match in _UNREADABLE.finditer(text))
    lines = filter(_SUSPICIOUS.search, _UNREADABLE.sub(" ", text).split("\n"))
    return (unreadable + sum(map(badness, lines))) / len(text)
