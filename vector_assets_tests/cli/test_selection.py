"""Which partitions patterns and names select, and which error there is where they select none."""

import pytest

from vector_assets.cli.selection import Selection, selected
from vector_assets.domain.coverage import PartitionStatus
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.errors import NothingMatches

KEYS = ["cn/report/600519", "hk/report/00700", "us/announcement/AAPL", "us/report/AAPL", "us/report/MSFT"]
STATUSES = [PartitionStatus(PartitionKey.parse(key), 1, 0, 0, None, None) for key in KEYS]


@pytest.mark.parametrize(
    ("selection", "meant"),
    [
        (Selection(), KEYS),
        (Selection(markets=("us",)), KEYS[2:]),
        (Selection(markets=("us", "hk")), KEYS[1:]),
        (Selection(companies=("AAPL",)), KEYS[2:4]),
        (Selection(markets=("us",), doc_types=("report",)), KEYS[3:]),
        (Selection(("*/*/AAPL", "hk/*/*")), KEYS[1:4]),
        (Selection(("*/*/AAPL",), doc_types=("report",)), KEYS[3:4]),
        (Selection(("us/",)), KEYS[2:]),
        (Selection(("/AAPL",)), KEYS[2:4]),
        (Selection(("aapl",)), KEYS[2:4]),
        (Selection(("us/report",)), KEYS[3:]),
        (Selection(("report/AAPL", "HK")), [KEYS[1], KEYS[3]]),
        (Selection(("us//A*",)), KEYS[2:4]),
        (Selection(markets=("US",), companies=("msft",)), KEYS[4:]),
    ],
)
def test_each_kind_narrows_the_others(selection: Selection, meant: list[str]) -> None:
    """Of one kind, any may fit."""
    assert [str(status.partition) for status in selected(STATUSES, selection)] == meant


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection(markets=("uss",)), "no partition matches --market uss. The nearest are us."),
        (Selection(companies=("aaple",)), "no partition matches --company aaple. The nearest are AAPL."),
        (Selection(("mstf",)), "no partition matches mstf. The nearest are MSFT."),
        (Selection(companies=("AAPL", "0700")), "no partition matches --company 0700. The nearest are 00700"),
        (Selection(doc_types=("reports",)), "no partition matches --doc-type reports. The nearest are report."),
        (Selection(("uss/",)), "no partition matches uss/. The nearest are us."),
        (Selection(("report/MSTF",)), "no partition matches report/MSTF. The nearest are report/MSFT"),
        (Selection(("us/report/MSTF",)), "no partition matches us/report/MSTF. The nearest are us/report/MSFT"),
        (Selection(markets=("#",)), "no partition matches --market #. List"),
        (Selection(("hk/*/*",), companies=("AAPL",)), "no partition matches 'hk/*/*' --company AAPL. List"),
    ],
)
def test_what_means_nothing_is_answered_with_the_nearest(selection: Selection, message: str) -> None:
    """A misspelt name is corrected quickly."""
    with pytest.raises(NothingMatches) as raised:
        selected(STATUSES, selection)

    assert str(raised.value).startswith(message)


def test_a_selection_can_be_typed_again() -> None:
    """As the shell wants it."""
    selection = Selection(("us/*/*",), ("us",), ("BRK B",), ("report",))

    assert selection.as_typed() == " 'us/*/*' --market us --company 'BRK B' --doc-type report"
    assert Selection().as_typed() == ""
