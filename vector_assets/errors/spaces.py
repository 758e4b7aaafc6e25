"""Embedding spaces, and what stands against a change of them."""

import shlex
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from ..translation import translate
from .family import VectorAssetsError
from .models import ModelError


class InvalidQuestions(VectorAssetsError):
    """A file of questions cannot be used."""

    FORM = '{"query": "...", "relevant_documents": ["us/annual_report/AAPL/2024.pdf"]}'

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(
            translate(
                "questions {name}: {problem}. Write one JSON object a line: {form}.",
                name=name,
                problem=problem,
                form=self.FORM,
            )
        )
        self.name = name
        self.problem = problem


class SpaceNotLive(ModelError):
    """The model that this process is configured for has no live space in the database. Nothing was changed."""

    def __init__(self, configured: str, status: str | None = None, serving: str | None = None) -> None:
        state = f"is {status}" if status else "is not in the database"
        serves = f"the database serves {serving}; " if serving else ""
        super().__init__(
            f"{serves}this process is configured for {configured}, whose embedding space {state}. Nothing was changed. "
            f"Unset EMBEDDING_MODEL to work with what serves, or fill the other space beside it: vector-assets spaces "
            f"add {configured}."
        )


class SpaceNotFound(ModelError):
    """There is no such embedding space in the database. The message has the nearest names, or else all of them."""

    def __init__(self, name: str, known: Sequence[str] = ()) -> None:
        if nearest := get_close_matches(name.lower(), known, n=2, cutoff=0.4):
            listed = translate("The nearest are {names}.", names=", ".join(nearest))
        elif known:
            listed = translate("There are: {names}.", names=", ".join(known))
        else:
            listed = translate("There is none yet.")
        super().__init__(
            translate(
                "there is no embedding space {name!r}. {listed} See vector-assets spaces.", name=name, listed=listed
            )
        )
        self.name = name


class SpaceRetired(ModelError):
    """A retired space is not kept up to date, so that it cannot serve."""

    def __init__(self, slug: str, model: str) -> None:
        super().__init__(
            f"embedding space {slug} is retired, and so not kept up to date. Fill it first: vector-assets spaces add "
            f"{model}."
        )


class SpaceServes(ModelError):
    """The serving space can be neither retired nor dropped."""

    def __init__(self, slug: str) -> None:
        super().__init__(
            f"embedding space {slug} serves: searches read it. Let another one serve first: vector-assets spaces "
            "promote."
        )


def filling_command(variables: Mapping[str, object]) -> str:
    """Write the command that fills a space, with the variables of the environment that choose it; None: not set."""
    chosen = [f"{name}={shlex.quote(str(value))}" for name, value in variables.items() if value is not None]
    return " ".join([*chosen, "vector-assets backfill"])


class SpaceIncomplete(ModelError):
    """A space in which chunks have no vector would not find them, so that it is not promoted.

    `variables` are those of the environment that choose its model.
    """

    def __init__(self, slug: str, variables: Mapping[str, object], pending: int, quarantined: int) -> None:
        super().__init__(
            f"embedding space {slug} lacks vectors: {pending:,} pending, {quarantined:,} quarantined. Embed them: "
            f"{filling_command(variables)}. Or promote it as it is, with --force."
        )


class FewerHits(ModelError):
    """A space that finds the answers to fewer questions than the serving one is not promoted."""

    def __init__(self, slug: str, serving: str, hits: int, serving_hits: int, questions: int, rank: int) -> None:
        super().__init__(
            translate(
                "embedding space {slug} finds the answers to {hits:,} of {questions:,} questions among the first "
                "{rank} documents; {serving}, which serves, finds {serving_hits:,}. See "
                "vector-assets spaces compare {slug}. To promote it nevertheless, use --force.",
                slug=slug,
                hits=hits,
                questions=questions,
                rank=rank,
                serving=serving,
                serving_hits=serving_hits,
            )
        )
        self.slug = slug
        self.hits = hits
        self.serving_hits = serving_hits


class NothingToCompare(ModelError):
    """A space is compared with the serving one, and there is no other."""

    def __init__(self, slug: str | None) -> None:
        if slug:
            message = translate(
                "{slug} serves, and is compared with another space. Name one that vector-assets spaces lists beside "
                "it.",
                slug=slug,
            )
        else:
            message = translate(
                "no embedding space serves yet, so that there is nothing to compare with. Promote one first: "
                "vector-assets spaces promote SPACE."
            )
        super().__init__(message)


class NothingServedBefore(ModelError):
    """No space that is kept up to date has served before."""

    def __init__(self) -> None:
        super().__init__(
            "no embedding space that is kept up to date has served before, so there is none to go back to. See "
            "vector-assets spaces."
        )


class NoSpaceToFill(ModelError):
    """No embedding space is filled beside the serving one."""

    def __init__(self) -> None:
        super().__init__(
            "no embedding space is filled beside the serving one. Add one with vector-assets spaces add MODEL."
        )


class AnotherSpaceFills(ModelError):
    """One space at a time is filled beside the serving one."""

    def __init__(self, slug: str, model: str) -> None:
        super().__init__(
            f"embedding space {slug} is kept up to date beside the serving one, and there can be one such space. To "
            f"add {model}, stop that one first: vector-assets spaces retire {slug}."
        )
