"""What a page takes into itself: plots as SVG and formulas as MathML, so that it needs no other file and no network."""

import html
import re
from pathlib import Path
from xml.etree import ElementTree  # nosec B405 # it writes, and parses nothing

from markupsafe import Markup, escape

# What a browser must not meet inside a picture: it is inlined into a page, where these would run or fetch.
UNWANTED = re.compile(
    r"<(script|foreignObject|iframe|image|a|animate|set|style)\b|\son\w+\s*=|javascript:|data:", re.IGNORECASE
)
STYLE = re.compile(r"<style\b.*?</style>", re.DOTALL)
METADATA = re.compile(r"<metadata>.*?</metadata>|<!--.*?-->|<\?.*?\?>|<!DOCTYPE[^>]*>", re.DOTALL)
NAMESPACE = re.compile(r'\sxmlns(:\w+)?="[^"]*"')
SIZE = re.compile(r'\s(width|height|version)="[^"]*"')
MATHML = {
    "math", "mrow", "mi", "mo", "mn", "mtext", "ms", "mspace", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup",
    "munder", "mover", "munderover", "mtable", "mtr", "mtd", "mstyle", "mpadded", "mphantom", "menclose",
}  # fmt: skip


def svg(file: Path, prefix: str, title: str) -> Markup:
    """A plot as an element of the page: scaled by its style, and with ids that no other plot has.

    A file that is missing, or holds more than a picture, becomes a sentence that says so.
    """
    try:
        text = METADATA.sub("", file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return escape(f"{file.name} is missing.")
    text = NAMESPACE.sub("", STYLE.sub("", text)).strip()
    head, _, rest = text.partition(">")
    if not head.startswith("<svg") or UNWANTED.search(text):
        return escape(f"{file.name} is no plain picture, and is not shown.")
    rest = rest.replace("xlink:href=", "href=")
    rest = re.sub(r'\sid="([^"]+)"', rf' id="{prefix}-\1"', rest)
    rest = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', rest)
    rest = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", rest)
    # Nothing in here comes from a run but numbers, and words that matplotlib drew as paths.
    return Markup('%s role="img" aria-label="%s">%s') % (Markup(SIZE.sub("", head)), title, Markup(rest))  # nosec B704


def formula(tex: str, text: str = "") -> Markup:
    """TeX as MathML, which browsers draw by themselves; `text` as code where there is no TeX, or none that is known."""
    if not tex:
        return _code(text)
    try:
        from latex2mathml.converter import convert_to_element

        made = convert_to_element(tex, display="block")
    except Exception:  # it raises whatever it stumbles over; a page without a drawn formula is still a page
        return _code(text or tex)
    if {element.tag for element in made.iter()} - MATHML:
        return _code(text or tex)
    for element in made.iter():
        for name in ("xmlns", "href", "style", "class", "id"):
            element.attrib.pop(name, None)
        # It writes characters as entities into the tree's text; they are characters here.
        element.text = html.unescape(element.text) if element.text else None
    return Markup(ElementTree.tostring(made, encoding="unicode"))  # nosec B704


def _code(text: str) -> Markup:
    return Markup("<code>%s</code>") % text if text else Markup()
