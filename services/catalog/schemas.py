"""The shapes on the wire."""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from catalog.domain import MOST_SKUS, SKU
from chassis.paging import Page
from chassis.schemas import Answer, Body, Readable, Text

MANY_SKUS = {"type": "array", "items": {"type": "string", "pattern": SKU}, "maxItems": MOST_SKUS}


class ProductsQuery(Page):
    """`sku` may be repeated, up to 100 times, and is read beside this model, which holds one value a name."""

    q: Annotated[Text, Field(max_length=100)] = ""
    category: Annotated[Text, Field(max_length=40)] | None = None
    sku: Annotated[str, WithJsonSchema(MANY_SKUS)] = ""


class ProductWritten(Body):
    """All of a product but its sku, which is in the path."""

    name: Readable = Field(max_length=120)
    description: Annotated[Text, Field(max_length=2000)] = ""
    category: Readable = Field(max_length=40)
    price_cents: int = Field(ge=1, le=100_000_000)
    currency: Literal["EUR"] = "EUR"


class ProductAnswer(Answer):
    sku: str
    name: str
    description: str
    category: str
    price_cents: int
    currency: str


class ProductsAnswer(Answer):
    items: list[ProductAnswer]
    next: str | None


class CategoryAnswer(Answer):
    category: str
    products: int


class CategoriesAnswer(Answer):
    items: list[CategoryAnswer]
    next: str | None


def product_answer(product: Any) -> dict[str, Any]:
    """A product as everybody sees it."""
    return {name: getattr(product, name) for name in ProductAnswer.model_fields}
