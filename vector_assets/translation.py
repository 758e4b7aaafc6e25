"""Translate what people read while work goes on. The sources are English; Chinese is in the catalog under `locale/`.

A message is written where it is used, as a literal with named placeholders, so that Babel finds it:

    translate("{duration} left", duration="8 s")
    ngettext("{number:,} chunk", "{number:,} chunks", 2)

`make messages` brings the catalog up to date; its header lists the Chinese words of the glossary.
"""

from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Literal

import humanize

Language = Literal["en", "zh"]

CATALOGS = Path(__file__).parent / "locale"
DOMAIN = "vector_assets"

# One language for the whole process, because the threads that Dagster starts do not inherit a context variable. The
# object is replaced and never changed, so that every thread may read it without a lock.
_translations = NullTranslations()


def use_language(language: Language) -> None:
    """Set the language of this process. English reads no catalog and imports no Babel.

    The ages that humanize writes follow in the calling thread: only the command line shows them.
    """
    global _translations
    humanize.activate("zh_CN") if language == "zh" else humanize.deactivate()
    _translations = NullTranslations() if language == "en" else _catalog(language)


def translate(message: str, /, **values: object) -> str:
    """Translate a message and fill in its placeholders."""
    return _translations.gettext(message).format(**values)


def ngettext(singular: str, plural: str, number: int, /, **values: object) -> str:
    """Translate the form of a message that agrees with `number`, and fill in `{number}` and the other placeholders."""
    return _translations.ngettext(singular, plural, number).format(number=number, **values)


def marked(message: str) -> str:
    """Return a message unchanged and mark it for the catalog: whoever shows it passes it to `translate`."""
    return message


@cache
def _catalog(language: Language) -> GNUTranslations:
    """Compile the catalog in memory, so that installing and developing need no build step."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = BytesIO()
    with (CATALOGS / language / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)
