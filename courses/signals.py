"""What must happen however a row goes: by a service, in the admin, or with its course."""

from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver

from courses import pages
from courses.models import Document, Enrollment
from courses.services import enrolments


@receiver(post_delete, sender=Document)
def remove_file(instance: Document, **_: Any) -> None:
    """The file goes when the deletion is committed, not before: a rollback would leave a row without it."""
    if instance.file:
        storage, name = instance.file.storage, str(instance.file.name)
        transaction.on_commit(lambda: storage.delete(name))
    pictures = pages.folder_of(instance)
    transaction.on_commit(lambda: pages.forget(pictures))


@receiver(post_delete, sender=Enrollment)
def close_connections(instance: Enrollment, **_: Any) -> None:
    enrolments.access_changed(instance)
