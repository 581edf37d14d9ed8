"""Thumbs on replies."""

from django.db import transaction

from chats.models import Feedback, Message
from chats.querysets import Person
from chats.services import branches, history
from core.errors import Invalid
from core.text import storable


@transaction.atomic
def rate(*, user: Person, message_id: object, rating: int, comment: str = "") -> Message:
    """Rate a reply of one's own conversation 1 or -1; 0 takes the rating back. Raises NotFound, Invalid."""
    if rating not in (-1, 0, 1):
        raise Invalid(errors={"rating": ["Must be 1, -1 or 0."]})
    message = branches.own_message(user=user, message_id=message_id)
    if message.role != "assistant":
        raise Invalid("Only a reply can be rated.", errors={"rating": ["Only a reply can be rated."]})
    if rating:
        values = {"rating": rating, "comment": storable(comment)}
        Feedback.objects.update_or_create(message=message, defaults=values)
    else:
        Feedback.objects.filter(message=message).delete()
    return history.message(message.pk)
