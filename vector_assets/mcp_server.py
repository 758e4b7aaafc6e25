"""The server by which agents search: three tools of the Model Context Protocol, none of which can write."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, ParamSpec
from uuid import UUID

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from .domain.coverage import GroupBy, GroupStatus, PartitionStatus, grouped
from .domain.partition_selection import Selection
from .domain.search import SearchFilter
from .errors import InvalidChunkId, VectorAssetsError
from .search.json_records import answer_record, passage_record
from .services import Services

# An agent reads what it is given: more than these would fill its memory and not its knowledge.
_MOST_HITS, _MOST_AROUND, _MOST_PARTITIONS = 50, 20, 200

_INSTRUCTIONS = """
Passages from filings of listed companies (annual and quarterly reports, announcements; English and Chinese). Ask
search_filings in the words that a filing would use, in its language. A hit names its document and pages: quote them.
read_passage gives what stands around a hit. list_partitions says which companies there are, and how much of each can
be found. A partition is market/doc_type/stock_code; us/ is a market, AAPL a company, us/annual_report/AAPL is both.
"""

Question = Annotated[str, Field(description="What to look for, in the language of the filings.")]
Patterns = Annotated[
    list[str], Field(description="Any of these partitions, e.g. us/, AAPL, hk/annual_report, */announcement/00700.")
]
Periods = Annotated[list[str], Field(description="Documents of any of these periods, e.g. 2024.")]
Languages = Annotated[list[str], Field(description="Documents in any of these languages, e.g. en or zh.")]
Limit = Annotated[int, Field(ge=1, le=_MOST_HITS, description="The number of hits.")]
ChunkId = Annotated[str, Field(description="The chunk_id of a hit.")]
Around = Annotated[int, Field(ge=0, le=_MOST_AROUND, description="Chunks of the document before and after the hit.")]

Record = dict[str, Any]
Parameters = ParamSpec("Parameters")


def make_server(services: Services) -> MCPServer:
    """Make the server. Whatever the product refuses is answered with its line."""
    server = MCPServer("filings", instructions=_INSTRUCTIONS.strip(), log_level="WARNING")
    tools = _Tools(services)
    for tool in (tools.search_filings, tools.read_passage, tools.list_partitions):
        reads_only = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
        server.tool(annotations=reads_only)(_one_at_a_time(tool, tools.lock))
    return server


def _one_at_a_time(tool: Callable[Parameters, Record], lock: threading.Lock) -> Callable[Parameters, Record]:
    """Let one call work at a time: the model uses all cores for one question already."""

    @wraps(tool)
    def answered(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Record:
        with lock:
            try:
                return tool(*args, **kwargs)
            except VectorAssetsError as error:
                raise ToolError(str(error)) from error

    return answered


class _Tools:
    """What agents can call. The docstrings are what they read."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.lock = threading.Lock()

    def search_filings(
        self,
        question: Question,
        partitions: Patterns = [],  # noqa: B006 - never changed; None would be one more way to say "any"
        periods: Periods = [],  # noqa: B006
        languages: Languages = [],  # noqa: B006
        limit: Limit = 5,
    ) -> Record:
        """Find the passages of filings that answer a question best, best first.

        Each hit has its text, company, document, pages (page_from, page_to), period, score (cosine similarity; null
        where it was found by its words alone) and chunk_id. coverage counts the chunks asked for and those that can be
        found by now; its note says what is missing.
        """
        where = SearchFilter(Selection(tuple(partitions)), tuple(periods), tuple(languages))
        return answer_record(self._services.search.answer(question, where, limit))

    def read_passage(self, chunk_id: ChunkId, around: Around = 2) -> Record:
        """Read a hit with the text before and after it in its document."""
        try:
            id_ = UUID(chunk_id)
        except ValueError:
            raise InvalidChunkId(chunk_id) from None
        return passage_record(self._services.search.passage(id_, around))

    def list_partitions(self, partitions: Patterns = []) -> Record:  # noqa: B006
        """List the partitions that match, with their chunks and coverage; sums by market where they are many.

        Only current chunks are found; pending ones have no vector yet, quarantined ones failed.
        """
        statuses = self._services.status()
        keys = set(Selection(tuple(partitions)).of([status.partition for status in statuses]))
        chosen = [status for status in statuses if status.partition in keys]
        if len(chosen) > _MOST_PARTITIONS:
            markets = [{"market": group.name, **_counts(group)} for group in grouped(chosen, GroupBy.MARKET)]
            return {"count": len(chosen), "markets": markets}
        names = self._services.company_names.all()
        listed = [
            {"partition": str(item.partition), "company_name": names.get(item.partition, ""), **_counts(item)}
            for item in chosen
        ]
        return {"count": len(chosen), "partitions": listed}


def _counts(item: PartitionStatus | GroupStatus) -> Record:
    return {
        "chunks": item.chunks,
        "current": item.current,
        "pending": item.pending,
        "quarantined": item.quarantined,
        "coverage": item.rounded_coverage,
    }
