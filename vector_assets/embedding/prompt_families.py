"""The prompts of well-known model families, for models whose files lack them.

A model that was trained with a text before each question or document finds less without it. Many repositories have that
text on the model's page only, which no program reads. The prompts below are those of the pages.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_SEARCH_TASK = "Given a web search query, retrieve relevant passages that answer the query"
_PASSAGES = "Represent this sentence for searching relevant passages: "


@dataclass(frozen=True)
class PromptFamily:
    """The models that share their prompts. `models` matches the last part of a name in lower case, from its start."""

    name: str
    models: re.Pattern[str]
    document_prompt: str
    query_prompt: str

    @property
    def needs_prompts(self) -> bool:
        """Whether its models were trained with one."""
        return bool(self.document_prompt or self.query_prompt)


def _family(name: str, models: str, document_prompt: str, query_prompt: str) -> PromptFamily:
    return PromptFamily(name, re.compile(models), document_prompt, query_prompt)


# The first that matches counts. The page of each family's models says: e5 and multilingual-e5 (intfloat), bge (BAAI),
# gte and gte-Qwen2 (Alibaba-NLP), Qwen3-Embedding (Qwen), nomic-embed-text (nomic-ai), snowflake-arctic-embed
# (Snowflake), jina-embeddings (jinaai). The last families need no prompts, which is worth knowing too.
FAMILIES = (
    _family("e5-instruct", r"(multilingual-)?e5-.*instruct", "", f"Instruct: {_SEARCH_TASK}\nQuery: "),
    _family("e5", r"(multilingual-)?e5-(small|base|large)", "passage: ", "query: "),
    _family("bge zh", r"bge-(small|base|large)-zh", "", "为这个句子生成表示以用于检索相关文章："),
    _family("bge en", r"bge-(small|base|large)-en", "", _PASSAGES),
    _family("gte-Qwen", r"gte-qwen.*instruct", "", f"Instruct: {_SEARCH_TASK}\nQuery: "),
    _family("Qwen3-Embedding", r"qwen3-embedding", "", f"Instruct: {_SEARCH_TASK}\nQuery:"),
    _family("nomic-embed-text", r"nomic-embed-text", "search_document: ", "search_query: "),
    _family("arctic-embed v2", r"snowflake-arctic-embed-.*v2", "", "query: "),
    _family("arctic-embed", r"snowflake-arctic-embed", "", _PASSAGES),
    _family(
        "jina-embeddings v3",
        r"jina-embeddings-v3",
        "Represent the document for retrieval: ",
        "Represent the query for retrieving evidence documents: ",
    ),
    _family("jina-embeddings v2", r"jina-embeddings-v2", "", ""),
    _family("bge-m3", r"bge-m3", "", ""),
    _family("gte", r"gte-", "", ""),
)


def family_of(names: Sequence[str]) -> PromptFamily | None:
    """Return the family of a model that has one of these names, with or without an owner before a slash."""
    for name in names:
        last = name.rpartition("/")[2].lower()
        found = next((family for family in FAMILIES if family.models.match(last)), None)
        if found:
            return found
    return None
