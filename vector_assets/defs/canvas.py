"""A card to draw on, small enough to leave one with every run: rectangles, dots, lines and text, as a PNG."""

import base64
import math
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL import ImageFont

# The card brings its own light background, so that it reads the same on a dark page.
CARD, INK, MUTED, BORDER = "#ffffff", "#1f2328", "#656d76", "#d0d7de"

# Pillow's shapes have hard edges: they are drawn twice as large, then reduced. Its letters are smooth as they are.
_SCALE = 2

# So many suffice for smooth letters in a few inks. Level 9 packs 4 % better, in six times the time.
_COLOURS, _PACKING = 24, 7

# Pillow looks for the nearest of some colours in steps of 4.
_A_LITTLE = 8

_Colour = tuple[int, int, int]


class _Text(NamedTuple):
    x: float
    y: float
    words: str
    size: int
    ink: str
    align: str = "m"
    upright: bool = False


class Canvas:
    """Places and sizes are in pixels, from the upper left corner. Later shapes lie on earlier ones, text on all."""

    def __init__(self, width: int, height: int) -> None:
        from PIL import Image, ImageDraw

        self.width, self.height = width, height
        self._image = Image.new("RGB", (width * _SCALE, height * _SCALE), CARD)
        self._shapes = ImageDraw.Draw(self._image, "RGBA")
        self._texts: list[_Text] = []
        self._fonts: dict[int, ImageFont.FreeTypeFont] = {}
        self._fills: dict[str, _Colour] = {CARD: (255, 255, 255)}
        self.frame(0, 0, width, height, BORDER)

    def rectangle(self, left: float, top: float, right: float, bottom: float, fill: str) -> None:
        """Up to `right` and `bottom`, without them: two that share a bound touch and do not overlap. Thin ones show."""
        from PIL import ImageColor

        red, green, blue, *_ = ImageColor.getrgb(fill)
        self._fills[fill] = (red, green, blue)
        x, y = round(left * _SCALE), round(top * _SCALE)
        far_x, far_y = max(round(right * _SCALE) - 1, x), max(round(bottom * _SCALE) - 1, y)
        self._shapes.rectangle((x, y, far_x, far_y), fill=fill)

    def frame(self, left: float, top: float, right: float, bottom: float, ink: str) -> None:
        """A border of one pixel inside these bounds."""
        self.rectangle(left, top, right, top + 1, ink)
        self.rectangle(left, bottom - 1, right, bottom, ink)
        self.rectangle(left, top, left + 1, bottom, ink)
        self.rectangle(right - 1, top, right, bottom, ink)

    def line(self, points: Sequence[tuple[float, float]], ink: str, width: float) -> None:
        """Through all the points."""
        scaled = [(x * _SCALE, y * _SCALE) for x, y in points]
        self._shapes.line(scaled, fill=ink, width=round(width * _SCALE), joint="curve")

    def dots(self, centres: Sequence[tuple[float, float]], radius: float, ink: str) -> None:
        """With `#rrggbbaa`, several on one place are darker than one."""
        size = radius * _SCALE
        for x, y in centres:
            left, top = x * _SCALE - size, y * _SCALE - size
            self._shapes.ellipse((left, top, left + 2 * size, top + 2 * size), fill=ink)

    def text(self, x: float, y: float, words: str, size: int, ink: str = INK, align: str = "l") -> None:
        """A line whose middle is at `y`, and whose left end (`l`), middle (`m`) or right end (`r`) is at `x`."""
        self._texts.append(_Text(x, y, words, size, ink, align))

    def upright(self, x: float, y: float, words: str, size: int, ink: str = INK) -> None:
        """A line read from below, whose middle is at (x, y)."""
        self._texts.append(_Text(x, y, words, size, ink, upright=True))

    def text_width(self, words: str, size: int) -> float:
        """In pixels."""
        return self._font(size).getlength(words)

    def fitting(self, words: str, size: int, most: float) -> str:
        """The words, or so much of them as so many pixels hold."""
        shown = words
        while self.text_width(shown, size) > most and len(shown) > 1:
            shown = f"{shown[:-2]}…"
        return shown

    def png(self) -> bytes:
        """The picture in few colours, which takes a quarter of the bytes."""
        from PIL import Image, ImageDraw

        image = self._image.reduce(_SCALE)
        letters = ImageDraw.Draw(image)
        for text in self._texts:
            font = self._font(text.size)
            if text.upright:
                long, high = round(font.getlength(text.words)) + 2, 2 * text.size
                mask = Image.new("L", (long, high))
                ImageDraw.Draw(mask).text((long / 2, text.size), text.words, 255, font, "mm")
                corner = (round(text.x) - text.size, round(text.y - long / 2))
                image.paste(text.ink, corner, mask.transpose(Image.Transpose.ROTATE_90))
            else:
                letters.text((round(text.x), round(text.y)), text.words, text.ink, font, f"{text.align}m")
        found = image.quantize(_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).getpalette() or []
        palette = Image.new("P", (1, 1))
        palette.putpalette([part for colour in self._colours(found) for part in colour])
        file = BytesIO()
        image.quantize(palette=palette, dither=Image.Dither.NONE).save(file, "PNG", compress_level=_PACKING)
        return file.getvalue()

    def _colours(self, found: Sequence[int]) -> list[_Colour]:
        """Those of the shapes, and those found in the picture, without what is a shape's colour but a little off."""
        meant = list(self._fills.values())
        others = [(found[at], found[at + 1], found[at + 2]) for at in range(0, len(found), 3)]
        return meant + [one for one in others if min(math.dist(one, fill) for fill in meant) > _A_LITTLE]

    def _font(self, size: int) -> "ImageFont.FreeTypeFont":
        """Aileron, which Pillow brings along: the picture is the same everywhere. It holds ASCII and not much more."""
        from PIL import ImageFont

        if size not in self._fonts:
            font = ImageFont.load_default(size)
            assert isinstance(font, ImageFont.FreeTypeFont)  # without a size it would be another
            self._fonts[size] = font
        return self._fonts[size]


def as_markdown(png: bytes, title: str) -> str:
    """The picture itself, for a page that can reach no other file; the title is for those who cannot see it."""
    return f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})"
