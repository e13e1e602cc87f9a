"""The words from which `seed` makes products, shelf by shelf, with prices in cents and shares in per cent."""

from dataclasses import dataclass

STALLS = (
    "Yasmin's stall at the north gate", "the Haddad brothers", "the corner by the fountain",
    "Madame Zohra's shop", "the old caravanserai", "Idris and daughters", "the cooperative of Ourika",
    "the lane of the copper smiths", "Karim's stall under the arch", "the house of Benali",
    "Leyla's workshop", "the stall with the green door", "the widow Amrani",
)  # fmt: skip


@dataclass(frozen=True)
class Shelf:
    """One category: what there is, in which sizes, made in which way."""

    category: str
    description: str
    things: tuple[tuple[str, int], ...]  # with the price of the usual size
    sizes: tuple[tuple[str, int], ...]
    styles: tuple[tuple[str, int], ...]


SHELVES = (
    Shelf(
        "Spices",
        "Ground or whole, weighed before your eyes and packed airtight.",
        (("Cumin", 290), ("Saffron", 1490), ("Ras el Hanout", 490), ("Sumac", 390), ("Turmeric", 320),
         ("Cardamom", 690), ("Cinnamon", 350), ("Za'atar", 420), ("Paprika", 310), ("Black Pepper", 450),
         ("Coriander Seed", 280), ("Star Anise", 520), ("Nigella Seed", 360)),
        (("50 g", 100), ("100 g", 180), ("250 g", 400)),
        (("Mountain", 115), ("Sun-dried", 100), ("Stone-ground", 110), ("Smoked", 120), ("Wild", 135),
         ("Fragrant", 100), ("Hand-picked", 125), ("Toasted", 105)),
    ),
    Shelf(
        "Tea",
        "Loose leaves in a tin that keeps them fresh for a year.",
        (("Mint Tea", 590), ("Green Tea", 690), ("Rose Tea", 740), ("Verbena", 560), ("Black Tea", 640),
         ("Sage Tea", 520), ("Hibiscus", 490), ("Chamomile", 510), ("White Tea", 1190), ("Lemongrass", 540),
         ("Spiced Tea", 720)),
        (("75 g tin", 100), ("150 g tin", 175), ("300 g tin", 320)),
        (("Desert", 100), ("Evening", 95), ("High Atlas", 125), ("Caravan", 110), ("Garden", 100),
         ("Imperial", 150), ("Morning", 95), ("Riad", 105)),
    ),
    Shelf(
        "Ceramics",
        "Thrown by hand, glazed twice and safe in the dishwasher.",
        (("Bowl", 1890), ("Tagine", 4490), ("Plate", 1690), ("Jug", 2890), ("Tea Cup", 990), ("Vase", 3490),
         ("Serving Dish", 3890), ("Tile", 690), ("Sugar Pot", 1590), ("Olive Dish", 1290), ("Ash Tray", 890)),
        (("small", 75), ("medium", 100), ("large", 145)),
        (("Cobalt", 110), ("Hand-painted", 140), ("Terracotta", 85), ("Emerald", 110), ("Fez Blue", 125),
         ("White-glazed", 95), ("Zellige", 150), ("Saffron Yellow", 105), ("Crackled", 115)),
    ),
    Shelf(
        "Lamps",
        "Throws a star-lit pattern on the wall; for bulbs with an E14 socket.",
        (("Table Lamp", 5900), ("Lantern", 3900), ("Ceiling Lamp", 12900), ("Wall Lamp", 6900),
         ("Floor Lamp", 15900), ("Tea Light Holder", 1290), ("Oil Lamp", 2900), ("Pendant", 8900)),
        (("20 cm", 80), ("30 cm", 100), ("45 cm", 150), ("60 cm", 210)),
        (("Pierced Brass", 120), ("Hammered Copper", 130), ("Stained Glass", 140), ("Mosaic", 110),
         ("Wrought Iron", 95), ("Goatskin", 105), ("Silvered", 125), ("Star-shaped", 115)),
    ),
    Shelf(
        "Textiles",
        "Woven on a hand loom and washed once, so that it stays the size it is.",
        (("Cushion Cover", 2490), ("Blanket", 6900), ("Table Runner", 2990), ("Shawl", 4490),
         ("Hammam Towel", 1990), ("Bedspread", 11900), ("Napkins, set of four", 1890), ("Curtain", 5900),
         ("Kaftan", 7900), ("Scarf", 2290)),
        (("natural", 100), ("indigo", 110), ("rust red", 105), ("olive green", 105)),
        (("Striped", 100), ("Embroidered", 145), ("Tasselled", 115), ("Linen", 125), ("Cotton", 90),
         ("Wool", 120), ("Silk", 190), ("Block-printed", 110)),
    ),
    Shelf(
        "Leather",
        "Tanned with mimosa bark; the colour deepens with the years.",
        (("Satchel", 8900), ("Slippers", 3490), ("Pouffe", 11900), ("Belt", 2990), ("Wallet", 2890),
         ("Travel Bag", 17900), ("Book Cover", 2490), ("Coin Purse", 1290), ("Handbag", 9900),
         ("Key Case", 1490)),
        (("tan", 100), ("dark brown", 105), ("black", 105), ("ochre", 100)),
        (("Stitched", 100), ("Embossed", 125), ("Braided", 120), ("Soft", 105), ("Tooled", 145),
         ("Saddler's", 150), ("Plain", 85)),
    ),
    Shelf(
        "Jewellery",
        "Each piece is stamped, and comes in a box of cedar wood.",
        (("Earrings", 3490), ("Necklace", 6900), ("Bracelet", 4900), ("Ring", 3900), ("Brooch", 3290),
         ("Anklet", 2890), ("Pendant Chain", 5400), ("Hair Pin", 1990), ("Bangle", 4400)),
        (("fine", 90), ("classic", 100), ("bold", 140)),
        (("Silver", 130), ("Gold-plated", 150), ("Amber", 140), ("Turquoise", 125), ("Coral-red", 110),
         ("Filigree", 170), ("Beaded", 75), ("Lapis", 145), ("Enamelled", 115), ("Coin", 100)),
    ),
    Shelf(
        "Carpets",
        "Knotted from undyed and plant-dyed wool; every knot tied by hand.",
        (("Kilim", 24900), ("Runner", 19900), ("Berber Carpet", 39900), ("Prayer Rug", 12900),
         ("Boucherouite", 17900), ("Doormat", 5900), ("Wall Hanging", 14900)),
        (("80 x 150 cm", 100), ("120 x 180 cm", 165), ("170 x 240 cm", 290), ("200 x 300 cm", 390)),
        (("Diamond", 110), ("Ivory", 115), ("Tribal", 120), ("Faded Red", 100), ("Indigo", 110),
         ("Flat-woven", 90), ("Deep-pile", 135), ("Checkered", 105), ("Vintage", 160)),
    ),
    Shelf(
        "Sweets",
        "Baked or boiled the same morning; keeps for three weeks.",
        (("Baklava", 990), ("Turkish Delight", 790), ("Halva", 690), ("Date Rolls", 640), ("Nougat", 840),
         ("Sesame Bars", 490), ("Almond Crescents", 890), ("Candied Orange", 720), ("Ma'amoul", 940),
         ("Fig Paste", 590)),
        (("250 g", 100), ("500 g", 185), ("1 kg", 350)),
        (("Pistachio", 130), ("Rose", 105), ("Honey", 110), ("Walnut", 115), ("Orange Blossom", 110),
         ("Cardamom", 115), ("Lemon", 100), ("Salted", 105)),
    ),
    Shelf(
        "Hammam",
        "Nothing but oils, clay and plants; not tested on animals.",
        (("Black Soap", 690), ("Argan Oil", 1990), ("Rose Water", 890), ("Clay Mask", 790),
         ("Olive Oil Soap", 490), ("Bath Salt", 840), ("Body Scrub", 1190), ("Kessa Glove", 590),
         ("Solid Perfume", 1290), ("Hair Oil", 1490)),
        (("travel size", 60), ("standard size", 100), ("family size", 210)),
        (("Eucalyptus", 105), ("Damask", 130), ("Lavender", 100), ("Orange Blossom", 110), ("Amber", 120),
         ("Jasmine", 120), ("Unscented", 90), ("Cedar", 110)),
    ),
    Shelf(
        "Baskets",
        "Plaited from palm leaf and doum, with a rim that holds its shape.",
        (("Market Basket", 2490), ("Laundry Basket", 5900), ("Bread Basket", 1490), ("Shoulder Bag", 2990),
         ("Tray", 1990), ("Fruit Basket", 1790), ("Lidded Basket", 3490), ("Plant Basket", 2190)),
        (("small", 80), ("medium", 100), ("large", 140)),
        (("Palm Leaf", 100), ("Rush", 95), ("Leather-handled", 140), ("Pompom", 115), ("Two-tone", 105),
         ("Raffia", 110), ("Sequinned", 125), ("Tall", 110), ("Round", 100)),
    ),
    Shelf(
        "Music",
        "Tuned by the maker before it leaves the stall.",
        (("Oud", 34900), ("Darbuka", 7900), ("Frame Drum", 5900), ("Tambourine", 3900), ("Ney", 4900),
         ("Finger Cymbals", 1990), ("Krakebs", 2490), ("Rebab", 18900), ("Santoor", 42900)),
        (("for beginners", 80), ("for the house", 100), ("for the stage", 160)),
        (("Walnut", 120), ("Cedar", 110), ("Inlaid", 160), ("Painted", 105), ("Mahogany", 130),
         ("Travelling", 90), ("Bright", 100), ("Deep-toned", 110)),
    ),
)  # fmt: skip
