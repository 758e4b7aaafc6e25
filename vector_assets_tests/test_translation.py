"""The texts of the code and the Chinese catalog agree, and the language is chosen once for the whole process."""

import ast
import subprocess
import sys
import threading
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po

from vector_assets.domain.progress import BatchProgress
from vector_assets.quality.check_runner import run_checks
from vector_assets.quality.limits import QualityLimits
from vector_assets.quality.token_warnings import TokenCounts, token_warnings
from vector_assets.quality.vector_checks import VECTOR_CHECKS
from vector_assets.translation import CATALOGS, DOMAIN, ngettext, translate, use_language

from .quality.facts import after, stored

PACKAGE = Path(__file__).parent.parent / "vector_assets"
FUNCTIONS = ("translate", "ngettext", "marked")


def messages_of_code() -> set[str | tuple[str, ...]]:
    """Every message that the code marks, as `make messages` finds them."""
    keywords = {**DEFAULT_KEYWORDS, "translate": None, "marked": None}
    found = extract_from_dir(PACKAGE, [("**.py", "python")], keywords=keywords)
    return {message for _, _, message, _, _ in found}


def catalog() -> Catalog:
    """The Chinese catalog as it is committed."""
    with (CATALOGS / "zh" / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as source:
        return read_po(source, locale="zh")


def placeholders(text: str) -> set[tuple[str, str, str | None]]:
    """Name, format and conversion of each placeholder."""
    return {(name, spec or "", conversion) for _, name, spec, conversion in Formatter().parse(text) if name is not None}


def forms(text: str | tuple[str, ...] | list[str]) -> list[str]:
    """A message, or its singular and its plural."""
    return [text] if isinstance(text, str) else list(text)


def test_the_catalog_has_the_messages_of_the_code_and_no_others() -> None:
    """After a change of a text, `make messages` adds and removes them."""
    translated = catalog()

    assert {message.id for message in translated if message.id} == messages_of_code()
    assert not translated.obsolete


@pytest.mark.parametrize("message", [message for message in catalog() if message.id], ids=lambda m: str(m.id)[:40])
def test_each_translation_is_whole(message: Message) -> None:
    """It is there, nobody marked it as a guess, and it fills in what the English text fills in."""
    assert all(forms(message.string))
    assert not message.fuzzy
    for translation in forms(message.string):
        assert placeholders(translation) == placeholders(forms(message.id)[-1])


def test_every_message_is_a_literal() -> None:
    """Neither Babel nor gettext finds a text whose values are filled in already."""
    computed = [
        f"{path.name}:{call.lineno}"
        for path in PACKAGE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in FUNCTIONS
        if any(isinstance(argument, ast.JoinedStr | ast.BinOp) for argument in call.args[:2])
    ]

    assert computed == []


def test_progress_reads_well_in_chinese() -> None:
    """The line, the outcomes and the details, with their durations."""
    use_language("zh")
    counts = {"vectorized_count": 3040, "superseded_count": 0, "failed_count": 0, "truncated_chunks": 12}
    tokens = {"tokens": 650_000, "tokens_embedded": 641_066, "unknown_tokens": 0}
    recent = {"recent_seconds_a_batch": 0.23, "recent_tokens_per_second": 30_200.0}
    left = {"seconds_left": 8.2, "seconds_left_spread": 1.0}
    batch = BatchProgress(
        95, 132, 32, 3040, 4194, **counts, **tokens, elapsed_seconds=22.03, **recent, **left, batch_chunks=()
    )
    before = BatchProgress(
        94, 132, 32, 3008, 4194, **{**counts, "vectorized_count": 3008}, **tokens, elapsed_seconds=21.8, **recent,
        **left, batch_chunks=(),
    )  # fmt: skip

    assert f"{batch.line()} · {batch.outcomes_since(before)}" == (
        "批次 95/132 · 3,040/4,194 分块 (72.5%) · 138 块/秒 · 剩余 8 秒 · 成功 32 失败 0"
    )
    assert batch.details() == ("已用 22 秒 · 每批 0.23 秒 · 29,100 词元/秒 (近期 30,200) · 剩余 ± 1 秒 · 截断 12")


def test_check_results_and_warnings_read_well_in_chinese() -> None:
    """Several sentences follow one another without blanks, and what an embedder returned is named in Chinese."""
    use_language("zh")
    facts = after(stored(chunks=1200, current=1187, pending=13, missed=3), faults={"not finite": 2, "zero": 1})

    results = dict(run_checks(VECTOR_CHECKS, facts))
    warnings = token_warnings(TokenCounts(100, 3, 9000, 8580, 4462, "han"), QualityLimits())

    assert results["complete"].description == (
        "1,200 个分块中有 1,187 个为最新。3 个分块在运行开始时待处理，目前仍待处理。请重新运行该分区。"
        "10 个分块仍待处理，因为它们在运行期间新增或有改动。"
    )
    assert "含非有限值 2 个，零向量 1 个" in results["vectors_valid"].description
    assert warnings == [
        "模型不认识该文本 52% 的词元；文本为中文。请将 EMBEDDING_MODEL 设为多语言模型或中文模型。",
        "100 个分块中有 3 个超出模型上限而被截断，损失 420 个词元（4.7%）。"
        "请减小分块（VECTOR_ASSETS_CHUNK_TOKENS），或选用支持更长文本的模型。",
    ]


def test_a_number_decides_the_form_in_english_only() -> None:
    """Chinese has one form."""

    def count(number: int) -> str:
        return ngettext("{number:,} chunk", "{number:,} chunks", number)

    assert [count(0), count(1), count(2000)] == ["0 chunks", "1 chunk", "2,000 chunks"]
    use_language("zh")
    assert [count(1), count(2000)] == ["1 个分块", "2,000 个分块"]


def test_the_language_holds_in_every_thread() -> None:
    """Dagster runs sensors and steps in threads of its own."""
    use_language("zh")
    translated = []

    thread = threading.Thread(target=lambda: translated.append(translate("pending")))
    thread.start()
    thread.join()

    assert translated == ["待处理"]


def test_english_loads_no_babel() -> None:
    """Only who reads Chinese pays for the catalog."""
    code = (
        "import sys; from vector_assets.translation import translate, use_language; use_language('en'); "
        "print(translate('pending'), 'babel' in sys.modules); use_language('zh'); print(translate('pending'))"
    )

    result = subprocess.run([sys.executable, "-X", "utf8", "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.split() == ["pending", "False", "待处理"]
