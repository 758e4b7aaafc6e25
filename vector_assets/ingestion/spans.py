"""Spans of a text that stay together: figures and quotations."""

import re
from bisect import bisect_left
from re import Pattern

_DIGITS = r"[0-9０-９]"
_CHINESE_DIGITS = "零〇○一二三四五六七八九十百千万萬亿億兆两兩壹贰貳叁參肆伍陆陸柒捌玖拾佰仟点點"
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
FIGURES = re.compile(
    # 1,234.5 and $ (12.5) % and １，２３４ and 2024年12月31日 and 5.2 million
    rf"(?:(?:HK|US|NT|A|C)?[$￥¥€£]|HKD|USD|RMB|CNY|人民币|人民幣|港币|港幣|港元|美元|百分之)?[ \xa0]?\(?"
    rf"{_DIGITS}+(?:[.,:/．，：／·-]{_DIGITS}+)*\)?"
    rf"(?:[ \xa0]?(?:[%％‰]|[{_CHINESE_DIGITS}]*[元年月日股吨噸倍个個]|(?:million|billion|trillion|thousand)\b)"
    rf"(?:[ \xa0]?{_DIGITS}+[ \xa0]?[年月日])*)*"
    # 五亿七千三百九十二万元 and 二〇一三年六月十三日
    rf"|[{_CHINESE_DIGITS}]{{2,}}(?:[元年月日股吨噸]|[{_CHINESE_DIGITS}角分整])*"
    rf"|\b(?:{_MONTHS})[ \xa0]+\d{{1,2}}(?:,\s?\d{{4}})?"
)
QUOTATIONS = re.compile(r"「[^「」]{1,200}」|『[^『』]{1,200}』|“[^“”]{1,200}”|《[^《》]{1,200}》")


class Spans:
    """The parts of a text that a pattern matches."""

    def __init__(self, text: str, pattern: Pattern[str]) -> None:
        found = [match.span() for match in pattern.finditer(text)]
        self._starts = [start for start, _ in found]
        self._ends = [end for _, end in found]

    def hold(self, offset: int) -> bool:
        """Return whether a break at this offset would split one of them."""
        return self.begin_at(offset) < offset

    def begin_at(self, offset: int) -> int:
        """Return where the one begins that a break at this offset would split; the offset itself if there is none."""
        last = bisect_left(self._starts, offset) - 1
        return self._starts[last] if last >= 0 and offset < self._ends[last] else offset
