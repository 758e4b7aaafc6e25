"""What readers lose: pages against what Chromium shows, PDFs against what was drawn, texts in other charsets.

    python -m benchmarks.reading_fuzz [--pages 5000] [--pdfs 500] [--charsets 2000] [--seed 1]

Each input is made at random from its seed. Every word and figure that is shown must be read, in order, and words that
are apart must stay apart, or the document is refused with the reason.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator

from benchmarks.chromium_text import ChromiumText, compare
from benchmarks.generated_pages import GeneratedPage
from benchmarks.generated_pdfs import GeneratedPdf
from benchmarks.generated_texts import GeneratedText
from vector_assets.errors import DamagedText, DocumentError, ImageOnlyDocument, NulBytes, WrongEncoding
from vector_assets.ingestion.html import read_page
from vector_assets.ingestion.pdf import read_pdf
from vector_assets.ingestion.readers import extract_text

_SHOWN = 5


def page_outcomes(seeds: range, chromium: ChromiumText) -> Iterator[tuple[int, str]]:
    """Compare pages with what Chromium shows of them."""
    for seed in seeds:
        source = GeneratedPage(seed).source()
        yield seed, compare(chromium.shown(source), read_page(source, "page"))


def pdf_outcome(seed: int) -> str:
    """Compare a PDF with the words that were drawn on its pages, typed into its fields or pasted as pictures."""
    made = GeneratedPdf(seed)
    try:
        found = read_pdf(made.data(), "pdf")
    except ImageOnlyDocument:
        return "refused" if made.is_scan else "refused without need"
    if made.is_scan:
        return "scan not noticed"
    if ("pictures" in found.warning) != (made.pictures > 0):
        return "pictures miscounted"
    pages = [page.split() for page in found.text.split("\f")]
    return "equal" if [sorted(page) for page in pages] == [sorted(page) for page in made.pages] else "lost"


def charset_outcome(seed: int) -> str:
    """Compare a decoded text with the one that was encoded."""
    made = GeneratedText(seed)
    try:
        found = extract_text(made.data, made.suffix, "text").text
    except (WrongEncoding, DamagedText, NulBytes) as error:
        if isinstance(error, WrongEncoding) and "iconv -f" in str(error) and made.iconv not in str(error):
            return "refused, with another encoding advised"
        return "refused"
    except DocumentError as error:
        return f"refused ({type(error).__name__})"
    return "equal" if found == made.text else "other text"


def report(kind: str, outcomes: Iterator[tuple[int, str]]) -> None:
    """Print how often each outcome came, and the first seeds of each."""
    seeds: dict[str, list[int]] = {}
    counts: Counter[str] = Counter()
    for seed, outcome in outcomes:
        counts[outcome] += 1
        seeds.setdefault(outcome, []).append(seed)
    for outcome, count in counts.most_common():
        examples = "" if outcome == "equal" else f"  seeds {', '.join(map(str, seeds[outcome][:_SHOWN]))}"
        print(f"{kind:9} {count:6,}  {outcome}{examples}", flush=True)


def each(judge: Callable[[int], str], seeds: range) -> Iterator[tuple[int, str]]:
    for seed in seeds:
        yield seed, judge(seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind, count in (("pages", 5_000), ("pdfs", 500), ("charsets", 2_000)):
        parser.add_argument(f"--{kind}", type=int, default=count)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    options = parser.parse_args()

    def seeds(count: int) -> range:
        return range(options.seed, options.seed + count)

    if options.pages:
        with ChromiumText() as chromium:
            report("pages", page_outcomes(seeds(options.pages), chromium))
    report("pdfs", each(pdf_outcome, seeds(options.pdfs)))
    report("charsets", each(charset_outcome, seeds(options.charsets)))


if __name__ == "__main__":
    main()
