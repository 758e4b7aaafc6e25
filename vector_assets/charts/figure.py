"""Make matplotlib figures that look the same everywhere, and turn them into PNGs that fit into an event's metadata."""

import base64
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

from ..translation import translate

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.ft2font import FT2Font

logger = logging.getLogger(__name__)

# A picture brings its own light background, so that it reads the same on a light and on a dark page.
BACKGROUND, INK, MUTED, GRID = "#ffffff", "#1f2328", "#59636e", "#d8dee4"

TITLE_SIZE, LABEL_SIZE, SMALL_SIZE = 15, 12, 11
"""Font sizes in pixels."""

# At 72 dots per inch a point is a pixel: sizes of texts and lines are pixels, as sizes of figures are.
_DPI = 72

# So many suffice for smooth letters in a few inks, and take a third of the bytes that all colours take.
_COLOURS = 64

# The font that matplotlib's wheel carries: a picture needs no font of the machine, and is the same on all of them.
_FONT = "DejaVu Sans"

_STYLE: Mapping[Any, Any] = {
    "axes.axisbelow": True,  # grid lines lie under the bars
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.labelsize": SMALL_SIZE,
    "axes.linewidth": 1,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.edgecolor": GRID,
    "figure.facecolor": BACKGROUND,
    "font.family": _FONT,
    "font.size": LABEL_SIZE,
    "grid.color": GRID,
    "grid.linewidth": 1,
    "text.color": INK,
    "text.parse_math": False,  # a name may hold a `$`
    "xtick.color": MUTED,
    "xtick.labelsize": SMALL_SIZE,
    "ytick.color": MUTED,
    "ytick.labelsize": SMALL_SIZE,
}


@contextmanager
def chart_style() -> Iterator[None]:
    """Draw in the charts' style whatever the user's matplotlibrc says; the former style is restored afterwards."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def new_figure(width: int, height: int) -> "Figure":
    """Make an empty figure of so many pixels with a border of one; `chart_style` must be in force."""
    from matplotlib.figure import Figure

    return Figure((width / _DPI, height / _DPI), dpi=_DPI, linewidth=2)  # half of the line is outside


def as_png(figure: "Figure") -> bytes:
    """Render the figure in few colours; the same figure gives the same bytes."""
    from PIL import Image

    pixels, file = BytesIO(), BytesIO()
    figure.savefig(pixels, format="rgba", dpi=_DPI)
    image = Image.frombytes("RGBA", figure.canvas.get_width_height(), pixels.getvalue()).convert("RGB")
    image.quantize(_COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(file, "PNG")
    return file.getvalue()


def as_markdown(png: bytes, title: str) -> str:
    """Embed the picture in Markdown as a data URL, for a page that loads no other file; `title` is its alternative."""
    return f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})"


def drawable(text: str) -> str:
    """Replace each character that the charts' font lacks by `?`, and log a warning, instead of drawing empty boxes."""
    font = _font()
    missing = {character for character in text if not font.get_char_index(ord(character))}
    if not missing:
        return text
    warning = translate(
        "the charts' font lacks {characters} of {text!r}: ? is drawn instead",
        characters="".join(sorted(missing)),
        text=text,
    )
    logger.warning(warning)
    return "".join("?" if character in missing else character for character in text)


def text_width(text: str, size: int) -> float:
    """Return how many pixels the text is wide."""
    font = _font()
    font.set_size(size, _DPI)
    font.set_text(text)
    width, _ = font.get_width_height()
    return float(width) / 64  # FreeType counts in 64ths


def shortened(text: str, size: int, max_width: float) -> str:
    """Return the text, or its beginning and an ellipsis where it is wider than so many pixels."""
    shown = drawable(text)
    while text_width(shown, size) > max_width and len(shown) > 1:
        shown = f"{shown[:-2]}…"
    return shown


def _font() -> "FT2Font":
    from matplotlib.font_manager import findfont, get_font

    return get_font(findfont(_FONT))
