"""A LangChain retriever over the filings. It needs the extra `langchain`."""

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from ..domain.search import SearchFilter
from ..search import FilingsSearch
from ..search.filings_search import ANYWHERE
from ..search.json_records import hit_record


class FilingsRetriever(BaseRetriever):
    """Gives the hits of a question as documents, best first; what a hit says of itself is their metadata."""

    search: FilingsSearch
    where: SearchFilter = ANYWHERE
    limit: int = 5

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        hits = self.search.find(query, self.where, self.limit)
        records = [hit_record(hit) for hit in hits]
        return [Document(str(record.pop("text")), id=str(record["chunk_id"]), metadata=record) for record in records]
