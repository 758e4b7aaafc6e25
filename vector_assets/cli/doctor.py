"""`vector-assets doctor`."""

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click

from ..domain.wording import readable_bytes
from ..errors import InvalidSetting, VectorAssetsError
from ..translation import translate
from .options import examples
from .terminal import working

if TYPE_CHECKING:
    from ..embedding.remote.embedder import RemoteEmbedder
    from ..services import Services
    from ..settings import Settings

# The first load of a model, Dagster's storage and 100,000 vectors fit in this.
_NEEDED_DISK_BYTES = 2 * 1024**3


@click.command(short_help="Check the installation and say how to fix it.", epilog=examples("vector-assets doctor"))
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """List the settings, and check disk, databases, pgvector, model and vectors: each is ok, or says how to fix it."""
    from ..settings import load_settings
    from .open_services import configured_services

    healthy = True
    # The embedded server is tried; a database elsewhere may be another one than is meant, so that none is made.
    with configured_services(creates=load_settings().database_url is None) as services:
        click.echo(translate("settings"))
        for line in _settings_lines(services.settings):
            click.echo(f"  {line}")
        for name, check in _CHECKS.items():
            try:
                click.echo(f"ok    {name:<8} {check(services)}")
            except VectorAssetsError as error:
                healthy = False
                click.echo(f"FIX   {name:<8} {error}")
    if not healthy:
        ctx.exit(1)


def _disk(services: "Services") -> str:
    home = services.settings.home
    existing = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < _NEEDED_DISK_BYTES:
        fix = "Free some space, or set it to a directory on another disk."
        raise InvalidSetting("VECTOR_ASSETS_HOME", f"only {readable_bytes(free)} are free at {existing}", fix)
    return translate("{size} free at {directory}", size=readable_bytes(free), directory=home)


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
        "{model} ({revision}), {dimension} dimensions, {tokens} tokens, on {device}",
        model=space.model,
        revision=space.revision,
        dimension=len(vector),
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


def _settings_lines(settings: "Settings") -> Iterator[str]:
    for name, field in type(settings).model_fields.items():
        chosen = "" if name in settings.model_fields_set else "  " + translate("(default)")
        yield f"{field.validation_alias}={_shown(getattr(settings, name))}{chosen}"
        yield f"    {field.description}"


def _shown(value: object) -> str:
    """Format a setting: secrets as asterisks, one that is not set as nothing."""
    if isinstance(value, Mapping):
        return json.dumps(dict(value), ensure_ascii=False) if value else ""
    return "" if value is None else str(value)


_CHECKS = {
    "disk": _disk,
    "database": _database,
    "pgvector": _pgvector,
    "dagster": _dagster,
    "model": _model,
    "vectors": _vectors,
    "chunking": _chunking,
}
