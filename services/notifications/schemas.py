"""The shapes on the wire: what customers get, and what is read from others' events."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from chassis.schemas import Answer, Text, utc_text
from notifications.models import Message

Id = Annotated[Text, Field(min_length=1, max_length=64)]


class AccountRegistered(BaseModel):
    """What is needed of `account.registered`."""

    user_id: Id
    name: Text = Field(max_length=200)


class OrderEnded(BaseModel):
    """What is needed of `order.confirmed` and `order.cancelled`."""

    order_id: Id
    customer_id: Id
    total_cents: int = Field(ge=0)
    currency: Text = Field(max_length=3)
    reason: str | None = None


class MessageAnswer(Answer):
    subject: str
    body: str
    at: datetime


class MessagesAnswer(Answer):
    items: list[MessageAnswer]
    next: str | None


def message_answer(message: Message) -> dict[str, Any]:
    return {"subject": message.subject, "body": message.body, "at": utc_text(message.at)}
