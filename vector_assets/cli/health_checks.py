"""What `vector-assets doctor` checks: each check returns what it found, or raises the error that says the fix."""

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ..domain.wording import readable_bytes
from ..errors import InvalidSetting, LandingDirectoryMissing, PgvectorUnsafe
from ..translation import translate
from .terminal import working

if TYPE_CHECKING:
    from ..embedding.remote.embedder import RemoteEmbedder
    from ..services import Services

# The first load of a model, Dagster's storage and 100,000 vectors fit in this.
_NEEDED_DISK_BYTES = 2 * 1024**3


# Embedded with and without a prompt, to show what the prompt does.
_LINE = "net sales rose"


class Doubt(Exception):
    """What a check found can be worked with, but may not be what was meant."""


def _variables(_: "Services") -> str:
    from ..settings import Settings, unknown_variables

    unknown = unknown_variables(os.environ)
    if unknown:
        raise Doubt("; ".join(_unknown_variable(name, nearest) for name, nearest in unknown.items()))
    count = sum(str(field.validation_alias) in os.environ for field in Settings.model_fields.values())
    return translate("{count} set in the environment", count=count)


def _unknown_variable(name: str, nearest: str | None) -> str:
    if nearest is None:
        return translate("{name} is set, but there is no such setting", name=name)
    return translate("{name} is set, but there is no such setting; there is {nearest}", name=name, nearest=nearest)


def _disk(services: "Services") -> str:
    home = services.settings.home
    existing = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < _NEEDED_DISK_BYTES:
        fix = "Free some space, or set it to a directory on another disk."
        raise InvalidSetting("VECTOR_ASSETS_HOME", f"only {readable_bytes(free)} are free at {existing}", fix)
    return translate("{size} free at {directory}", size=readable_bytes(free), directory=home)


def _landing(services: "Services") -> str:
    try:
        scan = services.landing.scan()
    except LandingDirectoryMissing as error:
        raise Doubt(str(error)) from error
    return translate(
        "{files:,} files in {partitions:,} partitions at {directory}",
        files=len(scan.documents),
        partitions=len({landed.partition for landed in scan.documents}),
        directory=services.landing.root,
    )


def _database(services: "Services") -> str:
    from ..storage.database_url import printable_url

    version, url = services.database.server_version(), printable_url(services.url)
    return translate("PostgreSQL {version} at {url}", version=version, url=url)


def _pgvector(services: "Services") -> str:
    return f"pgvector {services.database.pgvector_version()}"


def _dagster(services: "Services") -> str:
    from ..storage.database_url import printable_url

    return translate("Dagster's storage at {url}", url=printable_url(services.dagster_url))


def _model(services: "Services") -> str:
    from ..embedding.model_files import about_bundled
    from ..embedding.remote.embedder import RemoteEmbedder

    if isinstance(services.embedder, RemoteEmbedder):
        return _server(services.embedder)
    with working(translate("loading the model")):
        vector = services.embedder.embed_query("ready")
    space, device = services.embedder.space, services.embedder.device
    found = translate(
        "{model} ({revision}), {dimension} dimensions, {pooling} pooling, {tokens} tokens, on {device}",
        model=space.model,
        revision=space.revision,
        dimension=len(vector),
        pooling=space.pooling,
        tokens=space.max_tokens,
        device=device,
    )
    about = about_bundled(space.model)
    return f"{found}; {about}" if about else found


def _server(embedder: "RemoteEmbedder") -> str:
    """Have the server embed a question, and say what it takes, how fast it is, and what it costs."""
    with working(translate("calling the server")):
        embedder.load()
        started = time.perf_counter()
        dimension = len(embedder.embed_query("ready"))
        seconds = time.perf_counter() - started
    model = embedder.model
    price = translate("price unknown; set EMBEDDING_PRICE_PER_MILLION")
    if model.price_per_million is not None:
        currency = model.provider.currency
        price = translate("{price:g} {currency} a million tokens", price=model.price_per_million, currency=currency)
    return translate(
        "{model} on {device}, {dimension} dimensions, {tokens:,} tokens a text; {texts:,} texts and {request_tokens:,} "
        "tokens a request; it answered in {milliseconds:.0f} ms; {price}",
        model=model.name,
        device=embedder.device,
        dimension=dimension,
        tokens=embedder.space.max_tokens,
        texts=embedder.most_texts,
        request_tokens=embedder.most_tokens,
        milliseconds=1000 * seconds,
        price=price,
    )


def _prompts(services: "Services") -> str:
    space, known = services.embedder.space, services.prompts
    if space.document_prompt or space.query_prompt:
        return translate(
            "{document!r} before documents, {query!r} before questions (from {source})",
            document=space.document_prompt,
            query=space.query_prompt,
            source=translate(known.source),
        ) + _effect_of_prompt(services)
    asked = json.loads(space.request or "{}")
    if fields := {**asked.get("document", {}), **asked.get("query", {})}:
        return translate("none; the server adds its own, by the field {fields} of requests", fields=", ".join(fields))
    if known.family is None or not known.family.needs_prompts:
        return translate("none, and none are known for this model")
    raise Doubt(
        translate(
            "none, although models of the family {family} were trained with {document!r} before documents and "
            "{query!r} before questions. Set EMBEDDING_DOCUMENT_PROMPT and EMBEDDING_QUERY_PROMPT to these, then: "
            "vector-assets spaces add {model}",
            family=known.family.name,
            document=known.family.document_prompt,
            query=known.family.query_prompt,
            model=space.source,
        )
    )


def _effect_of_prompt(services: "Services") -> str:
    """Compare a line as a question with the same line without a prompt; a server is not asked for that."""
    if services.settings.asks_a_server:
        return ""
    without_prompts = services.in_space(replace(services.embedder.space, document_prompt="", query_prompt=""))
    question, line = services.embedder.embed_query(_LINE), without_prompts.embedder.embed_query(_LINE)
    return translate(
        "; {line!r} as a question has a cosine of {cosine:.3f} with the same line without a prompt",
        line=_LINE,
        cosine=float(question @ line),
    )


def _vectors(services: "Services") -> str:
    services.require_live()
    status = services.spaces.status(services.space)
    if status is None:
        return translate("none yet; the first run makes them")
    return translate("in space {space} ({status}), made with these weights", space=services.space.slug, status=status)


def _chunking(services: "Services") -> str:
    stored, configured = services.chunking.identity(), services.configured_chunker.identity
    if stored is None:
        return translate("none yet; the first ingestion chunks as configured")
    if stored == configured:
        return translate("as configured ({identity})", identity=stored)
    return translate(
        "as the database says ({stored}); configured is {configured}, which vector-assets rechunk would use",
        stored=stored,
        configured=configured,
    )


def _index(services: "Services") -> str:
    from ..vector_index.pgvector_versions import NEEDED, WISHED, IndexSupport, index_support

    version = services.database.pgvector_version()
    support = index_support(version)
    if support is IndexSupport.REFUSED:
        raise PgvectorUnsafe(version, NEEDED, WISHED)
    if support is IndexSupport.RISKY:
        raise Doubt(
            translate(
                "VACUUM of pgvector {version} may damage an index; {wished} does not", version=version, wished=WISHED
            )
        )
    found = [f"{space.slug}: {_index_in_use(services, space.slug)}" for space in services.spaces.live()]
    return "; ".join(found) or translate("none yet; there are no vectors")


def _index_in_use(services: "Services", slug: str) -> str:
    state = services.index_upkeep.catalog.state(slug)
    used = state.in_use
    if used is None:
        return translate("no index; each of {vectors:,} vectors is compared", vectors=state.vectors)
    return translate("ef_search {ef_search}, recall@10 {recall:.3f}", ef_search=used.ef_search, recall=used.recall)


CHECKS: Mapping[str, Callable[["Services"], str]] = {
    "settings": _variables,
    "disk": _disk,
    "landing": _landing,
    "database": _database,
    "pgvector": _pgvector,
    "dagster": _dagster,
    "model": _model,
    "prompts": _prompts,
    "vectors": _vectors,
    "chunking": _chunking,
    "index": _index,
}
