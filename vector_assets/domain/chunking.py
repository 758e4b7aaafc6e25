"""How a database chunks its documents."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ChunkingRecipe:
    """What the chunks of a database are made with: a tokenizer, as its JSON file, and the most tokens of a chunk.

    `identity` names the recipe: equal texts have equal chunks under one name. It does not depend on what embeds them.
    """

    identity: str
    tokenizer: str
    max_tokens: int
