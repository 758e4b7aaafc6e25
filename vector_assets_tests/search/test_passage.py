"""What is shown of a hit's text."""

from vector_assets.search.passage import best_passage

_FILLING = "公司经营情况良好，没有其他变化。" * 12
_TEXT = f"净利润增长一成。{_FILLING}回购价格为每股不超过11.80元。{_FILLING}"


def test_the_passage_begins_with_the_sentence_that_answers() -> None:
    """However far it stands from the beginning."""
    shown = best_passage(_TEXT, "回购的价格上限是多少？", 60)

    assert shown.startswith("... 回购价格为每股不超过11.80元。")
    assert shown.endswith(" ...")


def test_a_short_text_is_shown_whole() -> None:
    """In one line."""
    assert best_passage("Net sales\nrose.", "What rose?", 60) == "Net sales rose."


def test_a_question_without_terms_shows_the_beginning() -> None:
    """There is nothing to look for."""
    assert best_passage(_TEXT, "?", 20) == _TEXT[:20] + " ..."
