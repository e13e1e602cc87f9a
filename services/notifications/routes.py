"""HTTP in: parse, one use case, answer."""

from typing import Any

from apiflask import APIBlueprint

from chassis.database import app_database
from chassis.identity import caller, requires
from chassis.openapi import answers
from chassis.paging import Page
from notifications.schemas import MessagesAnswer, message_answer
from notifications.usecases import list_messages

routes = APIBlueprint("notifications", __name__, url_prefix="/api/notifications")


@routes.get("")
@requires()
@routes.input(Page, location="query")
@answers(MessagesAnswer)
def index(query_data: Page) -> dict[str, Any]:
    """One's own messages, newest first."""
    messages, following = list_messages(app_database(), caller().id, query_data.limit, query_data.cursor)
    return {"items": [message_answer(message) for message in messages], "next": following}
