"""Whom orders asks while a customer waits: the catalog, for prices."""

from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from chassis.calls import Calls
from chassis.errors import DeadlinePassed, Unavailable


class Product(BaseModel):
    sku: str
    name: str
    price_cents: int
    currency: str


class _Products(BaseModel):
    items: list[Product]


@dataclass(frozen=True)
class Catalog:
    calls: Calls
    timeout_s: float

    def products(self, skus: list[str]) -> dict[str, Product]:
        """The products that exist, by sku, in one call. Raises Unavailable when the catalog cannot be asked."""
        params = [("sku", sku) for sku in skus] + [("limit", str(len(skus)))]
        try:
            response = self.calls.request(
                "catalog", "GET", "/api/catalog/products", params=params, timeout_s=self.timeout_s
            )
        except DeadlinePassed as error:
            raise Unavailable("the catalog does not answer; try again") from error
        if response.status_code != 200:
            raise Unavailable("the catalog cannot price this order now; try again")
        try:
            products = _Products.model_validate_json(response.content).items
        except ValidationError as error:
            raise Unavailable("the catalog gave an answer that cannot be read; try again") from error
        return {product.sku: product for product in products}
