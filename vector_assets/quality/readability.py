"""How much of a text is no text: signs of a wrong encoding or of a broken reader."""

import re

UNREADABLE_LIMIT = 0.001
"""Above this share a text should be looked at before it is embedded.

In 94 real filings in English and Chinese, cut into 4,641 chunks, not one character was found unreadable. Read in a
wrong encoding, each of them came out above the limit: the Chinese ones at 10 % or more, the English ones, of which
only the typographic quotes and dashes break, at 0.22 % or more.
"""

# What the bytes 80 to BF, which go on a character in UTF-8, become in Latin-1 and in Windows-1252.
_GOES_ON = "\u0080-\u00bf" + bytes(sorted({*range(0x80, 0xA0)} - {0x81, 0x8D, 0x8F, 0x90, 0x9D})).decode("cp1252")

_UNREADABLE = re.compile(
    "|".join(
        (
            "\ufffd",  # the replacement character: bytes were lost
            "[\x00-\x08\x0e-\x1f\x7f]",  # controls, those of white space left out
            # UTF-8 read as Latin-1 or Windows-1252: `Ã©` for é, `â€™` for a quote, `å…¬` for 公. Of two bytes only
            # those of Latin, Greek and Cyrillic, for other pairs may be meant: `NESTLÉ®`, `Spaß”`.
            f"[ÂÃÄÅÎÏÐÑ][{_GOES_ON}]|[\u00e0-\u00ef][{_GOES_ON}]{{2}}|[\u00f0-\u00f4][{_GOES_ON}]{{3}}",
            "[\x80-\x9f]",  # the second block of controls: no writer means one
            # GBK read as either: two Chinese characters or more, `¹«Ë¾` for 公司. Leaders as `····` are meant.
            "([\u00a1-\u00fe])(?!\\1)[\u00a1-\u00fe]{3,}",
            "\u00a1[\u00a1-\u00be]",  # a single one: the quotes and the dash of `company¡¯s`, `¡°`, `¡±`, `¡ª`
            # UTF-8 read as GBK: the remains of 。、，’ and — in no common word, and of U+FFFD.
            "锟斤拷|[锛銆鈥]",
        )
    )
)

# With one of these the patterns begin. Most texts have none, and looking for them alone is ten times as fast.
_BEGINS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u00a1-\u00fe\ufffd锟锛銆鈥]")


def unreadable_share(text: str) -> float:
    """Share of the characters, 0 to 1, that no writer meant; 0 for an empty text.

    What is found: U+FFFD, control characters but white space, UTF-8 read as Latin-1 or Windows-1252, GBK read as
    either, and UTF-8 read as GBK by the remains of its punctuation. Compare with `UNREADABLE_LIMIT`.
    """
    if _BEGINS.search(text) is None:
        return 0.0
    return sum(len(match[0]) for match in _UNREADABLE.finditer(text)) / len(text)
