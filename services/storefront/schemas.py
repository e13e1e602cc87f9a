"""The forms that the pages send, read and checked."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import MultiDict

from chassis.errors import BadRequest
from storefront.domain import TEST_CARDS, quantity_of


@dataclass(frozen=True)
class Checkout:
    """What one checkout form orders. The key and the lines are made when the form is shown, not when it is sent.

    So a double click, a reload and a second try after a time-out all send the same request, and place one
    order, although the cart is empty after the first.
    """

    lines: tuple[tuple[str, int], ...]
    card: str = TEST_CARDS[0][0]
    key: str = field(default_factory=lambda: str(uuid.uuid4()))

    @classmethod
    def of_cart(cls, cart: dict[str, Any]) -> "Checkout":
        return cls(tuple((item["sku"], item["quantity"]) for item in cart["items"]))

    @classmethod
    def of_form(cls, form: "MultiDict[str, str]") -> "Checkout":
        """What was sent. Raises BadRequest when it is not one of our forms."""
        try:
            key = str(uuid.UUID(form.get("key", "")))
        except ValueError:
            raise BadRequest("this form has lost its key; open the checkout again") from None
        lines = tuple((sku, quantity_of(quantity)) for sku, _, quantity in
                      (line.rpartition(":") for line in form.getlist("line")))  # fmt: skip
        if not lines or not all(sku for sku, _ in lines):
            raise BadRequest("there is nothing in this order; open the checkout again")
        return cls(lines, form.get("card", "").strip(), key)

    @property
    def body(self) -> dict[str, Any]:
        """The body of `POST /api/orders`."""
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in self.lines]
        return {"lines": lines, "payment": {"card": self.card}}
