"""Whom carts asks: the catalog, for names and prices."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from carts.domain import Product
from chassis.calls import Calls, raise_for_problem
from chassis.errors import Unavailable


class _Product(BaseModel):
    sku: str
    name: str
    price_cents: int
    currency: str


class _Products(BaseModel):
    items: list[_Product]


@dataclass(frozen=True)
class Catalog:
    calls: Calls
    timeout_s: float

    def products(self, skus: Iterable[str]) -> dict[str, Product]:
        """The products that exist, by sku, in one call; none for none. Raises Unavailable or DeadlinePassed."""
        params = [("sku", sku) for sku in skus]
        if not params:
            return {}
        params.append(("limit", "100"))
        response = self.calls.request(
            "catalog", "GET", "/api/catalog/products", params=params, timeout_s=self.timeout_s
        )
        try:
            products = _Products.model_validate_json(raise_for_problem(response).content).items
        except ValidationError as error:
            raise Unavailable("the catalog gave an answer that cannot be read; try again") from error
        return {product.sku: Product(**product.model_dump()) for product in products}
