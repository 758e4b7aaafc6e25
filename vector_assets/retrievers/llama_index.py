"""A LlamaIndex retriever over the filings. It needs the extra `llama-index`."""

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from ..domain.search import SearchFilter, SearchHit
from ..search import FilingsSearch
from ..search.filings_search import ANYWHERE
from ..search.json_records import hit_record


class FilingsRetriever(BaseRetriever):
    """Gives the hits of a question as nodes, best first; what a hit says of itself is their metadata."""

    def __init__(self, search: FilingsSearch, where: SearchFilter = ANYWHERE, limit: int = 5) -> None:
        super().__init__()
        self._search = search
        self._where = where
        self._limit = limit

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = self._search.find(query_bundle.query_str, self._where, self._limit)
        return [NodeWithScore(node=_node(hit), score=hit.score) for hit in hits]


def _node(hit: SearchHit) -> TextNode:
    record = hit_record(hit)
    return TextNode(id_=str(hit.chunk_id), text=str(record.pop("text")), metadata=record)
