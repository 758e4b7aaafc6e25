"""How often search finds a document that answers a question, over the filings that are in the database.

The questions are lines of JSON with `query` and `relevant_documents`, paths under the landing directory. Documents
are ranked by their best chunk.
"""

import argparse
import json
from pathlib import Path

from benchmarks.table import Table, add_json_option
from vector_assets.domain.search import SearchFilter
from vector_assets.services import Services
from vector_assets.settings import load_settings

# Chunks looked at to find five different documents: most documents bring several near ones.
_CHUNKS = 200


def ranked_documents(services: Services, question: str, market: str | None) -> list[str]:
    """Documents by their best chunk, best first."""
    hits = services.search.find(question, SearchFilter(market=market), _CHUNKS)
    return list(dict.fromkeys(hit.document for hit in hits))


def main() -> None:
    """Print the hits at rank 1 and 5."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("questions", type=Path, help="a JSON Lines file")
    parser.add_argument("--market", help="search in this market only")
    add_json_option(parser)
    arguments = parser.parse_args()
    questions = [json.loads(line) for line in arguments.questions.read_text("utf-8").splitlines()]
    at_1 = at_5 = 0
    with Services(load_settings()) as services:
        for question in questions:
            ranked = ranked_documents(services, question["query"], arguments.market)
            evidence = set(question["relevant_documents"])
            at_1 += bool(evidence & set(ranked[:1]))
            at_5 += bool(evidence & set(ranked[:5]))
        device = services.embedder.device
    table = Table("questions", "embedder", "hits at 1", "hits at 5", json_file=arguments.json)
    table.add(len(questions), device, at_1 / len(questions), at_5 / len(questions))


if __name__ == "__main__":
    main()
