"""Pictures of the products, drawn from their category, name and SKU: the same product always looks the same.

Inline SVG with nothing in it but the constants below, so there is nothing to escape and nothing to fetch.
"""

import hashlib
from string import Template

from markupsafe import Markup

from storefront.motifs import MOTIFS, PARCEL

# main, dark and light colour
PALETTES = {
    "terracotta": ("#c8643c", "#7d3219", "#f0b48c"),
    "saffron": ("#e0a02c", "#8f5a0e", "#f7d98a"),
    "teal": ("#2f8f8a", "#14504f", "#9fd8d0"),
    "indigo": ("#4a5fa8", "#252f63", "#b3bfe6"),
    "olive": ("#7f8f3c", "#454f1a", "#cfd896"),
    "rose": ("#c4607f", "#742740", "#f2b7c6"),
    "plum": ("#80558f", "#452650", "#d2b3dd"),
    "brass": ("#b98a3e", "#6a4a17", "#ecd29a"),
}
# Words in a product's name that say what colour it has.
WORDS = {
    "cobalt": "indigo", "blue": "indigo", "indigo": "indigo", "lapis": "indigo", "lavender": "plum",
    "emerald": "teal", "turquoise": "teal", "mint": "teal", "eucalyptus": "teal", "green": "olive",
    "olive": "olive", "sage": "olive", "verbena": "olive", "pistachio": "olive", "rose": "rose",
    "damask": "rose", "hibiscus": "rose", "red": "terracotta", "rust": "terracotta", "paprika": "terracotta",
    "terracotta": "terracotta", "copper": "terracotta", "coral-red": "terracotta", "saffron": "saffron",
    "turmeric": "saffron", "yellow": "saffron", "honey": "saffron", "lemon": "saffron", "brass": "brass",
    "tan": "brass", "gold-plated": "brass", "palm": "brass", "walnut": "brass", "amber": "saffron",
}  # fmt: skip
# A teal heap of spice would look odd where no word says so.
WARM = frozenset({"Spices", "Sweets", "Leather", "Baskets", "Music"})
WARM_PALETTES = ("terracotta", "saffron", "olive", "brass")
PATTERNS = (
    "M0 20h160M0 50h160M0 80h160M0 110h160",
    "M0 0l40 40 40-40 40 40 40-40M0 40l40 40 40-40 40 40 40-40M0 80l40 40 40-40 40 40 40-40",
    "M20 0v120M50 0v120M80 0v120M110 0v120M140 0v120",
    "M0 60a40 40 0 0 1 80 0a40 40 0 0 1 80 0"
    "M0 100a40 40 0 0 1 80 0a40 40 0 0 1 80 0M0 20a40 40 0 0 1 80 0a40 40 0 0 1 80 0",
)
FRAME = Template(
    '<svg class="picture" viewBox="0 0 160 120" preserveAspectRatio="xMidYMid slice" aria-hidden="true" '
    'focusable="false"><path class="wash" fill="$light" fill-opacity=".45" d="M0 0h160v120H0z"/>'
    '<path d="$pattern" fill="none" stroke="$main" stroke-opacity=".16" stroke-width="2"/>'
    '<path class="arch" fill="#fff" fill-opacity=".55" d="M30 120V64C30 34 56 26 80 8c24 18 50 26 50 56v56z"/>'
    '<ellipse cx="80" cy="105" rx="46" ry="4" fill="$dark" fill-opacity=".18"/>$motif</svg>'
)


def picture(sku: str, category: str = "", name: str = "") -> Markup:
    """An `<svg>` for a product, to be hidden from screen readers: the name stands beside it."""
    digest = hashlib.sha256(str(sku).encode()).digest()
    named = [WORDS[word] for word in str(name).lower().replace(",", "").split() if word in WORDS]
    usual = WARM_PALETTES if category in WARM else tuple(PALETTES)
    main, dark, light = PALETTES[named[0] if named else usual[digest[0] % len(usual)]]
    colours = {"main": main, "dark": dark, "light": light}
    motif = Template(MOTIFS.get(str(category), PARCEL)).substitute(colours)
    # Safe: only colours and shapes of ours go in.
    return Markup(FRAME.substitute(colours, pattern=PATTERNS[digest[1] % len(PATTERNS)], motif=motif))  # nosec B704
