"""The markers of list items: numbers, letters and bullets, as browsers draw them."""

from dataclasses import dataclass

_BULLETS = {"disc": "•", "circle": "◦", "square": "▪", "disclosure-open": "▾", "disclosure-closed": "▸"}
_LETTERS = {
    "lower-alpha": "abcdefghijklmnopqrstuvwxyz",
    "lower-latin": "abcdefghijklmnopqrstuvwxyz",
    "upper-alpha": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "upper-latin": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "lower-greek": "αβγδεζηθικλμνξοπρστυφχψω",
    "cjk-earthly-branch": "子丑寅卯辰巳午未申酉戌亥",
    "cjk-heavenly-stem": "甲乙丙丁戊己庚辛壬癸",
}
_ROMAN = (("m", 1000), ("cm", 900), ("d", 500), ("cd", 400), ("c", 100), ("xc", 90), ("l", 50), ("xl", 40), ("x", 10),
          ("ix", 9), ("v", 5), ("iv", 4), ("i", 1))  # fmt: skip
_MAX_ROMAN = 3999
_CHINESE = {"cjk-ideographic", "trad-chinese-informal", "simp-chinese-informal", "cjk-decimal", "japanese-informal"}
_CHINESE_DIGITS = "〇一二三四五六七八九"
_TYPES = {"1": "decimal", "a": "lower-alpha", "A": "upper-alpha", "i": "lower-roman", "I": "upper-roman"}


def list_style_of_type(tag: str, value: str) -> str:
    """Return the list style that the attribute `type` of a list or an item names, or nothing."""
    numbers = _TYPES.get(value.strip(), "") if tag in {"ol", "li"} else ""
    bullet = value.strip().lower() if tag != "ol" else ""
    return numbers or (bullet if bullet in {*_BULLETS, "none"} else "")


@dataclass
class ListCounter:
    """Counts the items of one list."""

    next_number: int = 1
    step: int = 1

    def take(self, value: str | None) -> int:
        """Return the number of the next item; `value` is what the item itself says."""
        number = whole_number(value)
        if number is not None:
            self.next_number = number
        taken = self.next_number
        self.next_number += self.step
        return taken


def whole_number(text: str | None) -> int | None:
    """Read the integer at the beginning of an attribute's value, as browsers do; None where there is none."""
    digits = (text or "").strip(" \t\n\r\f")
    sign, digits = (digits[0], digits[1:]) if digits[:1] in {"-", "+"} else ("", digits)
    end = next((at for at, character in enumerate(digits) if not "0" <= character <= "9"), len(digits))
    if not 0 < end <= 9:
        return None
    return -int(digits[:end]) if sign == "-" else int(digits[:end])


def marker_of(style: str, number: int) -> str:
    """Return the marker with the space after it; nothing for the style `none`."""
    if style in _BULLETS:
        return f"{_BULLETS[style]} "
    if style == "none":
        return ""
    if style[:1] in {"'", '"'}:
        return style[1:-1]
    return _numbered(style, number)


def _numbered(style: str, number: int) -> str:
    if style in _LETTERS and number > 0:
        return f"{_letters(number, _LETTERS[style])}. "
    if style.endswith("-roman") and 0 < number <= _MAX_ROMAN:
        roman = _roman(number)
        return f"{roman.upper() if style.startswith('upper') else roman}. "
    if style in _CHINESE and 0 <= number < 100:
        return f"{_chinese(number, style)}、"
    if style == "decimal-leading-zero" and abs(number) < 10:
        return f"{'-' if number < 0 else ''}0{abs(number)}. "
    return f"{number}. "


def _letters(number: int, alphabet: str) -> str:
    letters = ""
    while number > 0:
        number, position = divmod(number - 1, len(alphabet))
        letters = alphabet[position] + letters
    return letters


def _roman(number: int) -> str:
    letters = ""
    for letter, value in _ROMAN:
        count, number = divmod(number, value)
        letters += letter * count
    return letters


def _chinese(number: int, style: str) -> str:
    if style == "cjk-decimal":
        return "".join(_CHINESE_DIGITS[int(digit)] for digit in str(number))
    tens, ones = divmod(number, 10)
    if tens == 0:
        return "零" if number == 0 else _CHINESE_DIGITS[ones]
    return ("" if tens == 1 else _CHINESE_DIGITS[tens]) + "十" + (_CHINESE_DIGITS[ones] if ones else "")
