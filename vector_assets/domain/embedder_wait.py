"""A pause of a run whose embedder is busy."""

from dataclasses import dataclass
from datetime import datetime

from ..translation import translate


@dataclass(frozen=True)
class EmbedderWait:
    """Why a run waits, and until when; it gives up at `gives_up_at`, unless the embedder has answered before."""

    reason: str
    until: datetime
    gives_up_at: datetime

    def line(self) -> str:
        """Format the pause as one line: `the embedder is busy (429 Too Many Requests): waiting until 10:15:03 ...`."""
        return translate(
            "the embedder is busy ({reason}): waiting until {until}, then the same chunks are tried again; the run "
            "gives up at {gives_up}",
            reason=self.reason,
            until=f"{self.until:%H:%M:%S}",
            gives_up=f"{self.gives_up_at:%H:%M:%S}",
        )
