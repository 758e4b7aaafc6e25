"""The limits of the checks, each with the measurement behind it."""

import json
from dataclasses import asdict, fields
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from pydantic_core import from_json

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class QualityLimits:
    """Shares and cosines, 0 to 1, beyond which a check does not pass. docs/quality.md describes each.

    Raises:
        pydantic.ValidationError: a value is outside 0 to 1, or a name is unknown.
    """

    # A model for English knows all tokens of English filings and less than half of those of Chinese ones; a few rare
    # symbols are normal.
    max_unknown_share: Share = 0.05
    # The product's own chunks fit the model, so that any lost token is worth a warning.
    max_lost_share: Share = 0.0
    # In 114 real filings in English and Chinese no character was unreadable. Read in a wrong encoding, each of them had
    # a share above this limit: the Chinese ones at least 0.1, the English ones at least 0.0015.
    max_unreadable_share: Share = 0.001
    # In 19 partitions of real filings there were no fragments in 16, and 2.2 % in the worst (lone figures of tables).
    max_fragments_share: Share = 0.05
    # The same texts have a cosine above this from any arithmetic of the bundled model to another; it is also the bound
    # by which a converted model counts as the same model.
    min_drift_cosine: Share = 0.999
    # Of 500 chunks of real filings embedded again with the same arithmetic, the farthest had a cosine of 0.99984 with
    # its stored vector; from one arithmetic to another, 0.99914. Twice as far is another vector.
    min_retrieval_cosine: Share = 0.998

    # With pgvector's defaults the index of a million chunks of filings finds 96 to 99 of 100 nearest vectors.
    min_recall_at_10: Share = 0.97

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse an object such as `{"max_unknown_share": 0.1}`; limits that it does not name keep their defaults.

        Raises:
            ValueError: the text is not a JSON object.
            pydantic.ValidationError: a value is outside 0 to 1, or a name is unknown.
        """
        given: Any = from_json(text)
        if not isinstance(given, dict):
            raise ValueError("it is not a JSON object")
        return cls(**given)

    def __str__(self) -> str:
        """Write the limits as the JSON that `from_json` parses."""
        return json.dumps(asdict(self))


LIMIT_NAMES = tuple(field.name for field in fields(QualityLimits))
