"""A course, who is in it, and the material that its tutor knows."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.ids import join_code, uuid7
from courses.analysis import headings_of, index_text
from courses.fields import DerivedTextField
from courses.querysets import CourseOwnedQuerySet, CourseQuerySet, PassageQuerySet


class Course(models.Model):
    class Grounding(models.TextChoices):
        COURSE_ONLY = "course_only", "only from the course's material"
        COURSE_FIRST = "course_first", "from the material first, and say where it ends"
        OPEN = "open", "from the material and from general knowledge"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.CharField(max_length=40, unique=True)
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    instructions = models.TextField(blank=True, help_text="What the tutor should know about teaching this course.")
    grounding = models.CharField(max_length=20, choices=Grounding, default=Grounding.COURSE_FIRST)
    language = models.CharField(max_length=20, default="english", help_text="The language of most of the material.")
    is_archived = models.BooleanField(default=False)
    ends_on = models.DateField(null=True, blank=True)
    retention_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Days after the course's end at which its conversations are removed. Empty: the site's rule.",
    )
    daily_token_quota = models.PositiveIntegerField(
        null=True, blank=True, help_text="Tokens per student and day. Empty: the site's quota; 0: none."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = CourseQuerySet.as_manager()

    class Meta:
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(grounding__in=["course_only", "course_first", "open"]),
                name="course_grounding_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.title}"


class Enrollment(models.Model):
    class Role(models.TextChoices):
        STUDENT = "student"
        INSTRUCTOR = "instructor"

    course = models.ForeignKey(Course, models.CASCADE, related_name="enrolments")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="enrolments")
    role = models.CharField(max_length=20, choices=Role, default=Role.STUDENT)
    share_name = models.BooleanField(default=False, help_text="The student agreed that instructors see the name.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CourseOwnedQuerySet.as_manager()

    class Meta:
        verbose_name = "enrolment"
        constraints = [
            models.UniqueConstraint(fields=["course", "user"], name="enrolment_once_per_course"),
            models.CheckConstraint(condition=Q(role__in=["student", "instructor"]), name="enrolment_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.course} as {self.role}"


class JoinLink(models.Model):
    """A code with which whoever has it enrols in the course as a student, while it lasts."""

    course = models.ForeignKey(Course, models.CASCADE, related_name="join_links")
    code = models.CharField(max_length=40, unique=True, default=join_code)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: until it is taken back.")
    is_open = models.BooleanField(default=True, help_text="Untick to take it back.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.code} to {self.course}"


class Lecture(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    course = models.ForeignKey(Course, models.CASCADE, related_name="lectures")
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    held_on = models.DateField(null=True, blank=True)

    objects = CourseOwnedQuerySet.as_manager()

    class Meta:
        ordering = ["course", "number"]
        constraints = [models.UniqueConstraint(fields=["course", "number"], name="lecture_number_once_per_course")]

    def __str__(self) -> str:
        return f"{self.number}. {self.title}"


class Document(models.Model):
    """A file of a course. Its passages are searchable once `state` is ready, all of them or none."""

    class State(models.TextChoices):
        PENDING = "pending"
        PROCESSING = "processing"
        READY = "ready"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    course = models.ForeignKey(Course, models.CASCADE, related_name="documents")
    lecture = models.ForeignKey(Lecture, models.SET_NULL, null=True, blank=True, related_name="documents")
    title = models.CharField(max_length=300)
    file = models.FileField(upload_to="documents/", max_length=300)
    file_name = models.CharField(max_length=300, help_text="As it was called when it was uploaded.")
    kind = models.CharField(max_length=20, blank=True)
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes.")
    sha256 = models.CharField(max_length=64)
    language = models.CharField(max_length=20, blank=True, help_text="Found out while it is read.")
    archive = models.ForeignKey(
        "self",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="parts",
        help_text="The ZIP that it came in, which it is removed with.",
    )
    state = models.CharField(max_length=20, choices=State, default=State.PENDING)
    error = models.TextField(blank=True)
    page_count = models.PositiveIntegerField(null=True, blank=True)
    page_sizes = models.JSONField(
        default=list, blank=True, help_text="Width and height of each page in points; one pair if all are alike."
    )
    pages_done = models.PositiveIntegerField(default=0)
    passage_count = models.PositiveIntegerField(default=0)
    embedded_with = models.CharField(
        max_length=100, blank=True, help_text="The embedding model by which all its passages can be found."
    )
    embedding_note = models.TextField(blank=True, help_text="Why it can't be found by meaning yet.")
    claimed_by = models.CharField(max_length=100, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = CourseOwnedQuerySet.as_manager()

    class Meta:
        ordering = ["course", "lecture__number", "title"]
        constraints = [
            models.UniqueConstraint(fields=["course", "sha256"], name="document_once_per_course"),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "processing", "ready", "failed"]),
                name="document_state_known",
            ),
        ]
        indexes = [models.Index(fields=["state", "claimed_at"], name="document_queue")]

    def __str__(self) -> str:
        return self.title

    @property
    def notice(self) -> str:
        """What its uploader should know: why it failed, or what it can't be found by; empty if all is well."""
        note = self.embedding_note if settings.EMBEDDING_MODEL and self.state == self.State.READY else ""
        return " ".join(part for part in (self.error, note) if part)


class Word(models.Model):
    """A word that occurs in a course's material: what a misspelt word of a question may have meant."""

    course = models.ForeignKey(Course, models.CASCADE, related_name="+")
    word = models.CharField(max_length=60)
    shape = models.CharField(max_length=4, help_text="Its first letter and its length.")

    class Meta:
        indexes = [models.Index(fields=["course", "shape"], name="word_shape")]
        constraints = [models.UniqueConstraint(fields=["course", "word"], name="word_once_per_course")]

    def __str__(self) -> str:
        return self.word


def scope_words(document: Document) -> str:
    return f"course{document.course_id.hex} document{document.pk.hex}"


class Passage(models.Model):
    """A piece of a document, about 200 to 350 words, with its place."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    document = models.ForeignKey(Document, models.CASCADE, related_name="passages")
    position = models.PositiveIntegerField()
    text = models.TextField()
    heading = models.CharField(max_length=500, blank=True, help_text="The path of headings it stands under.")
    page = models.PositiveIntegerField(null=True, blank=True)
    slide = models.PositiveIntegerField(null=True, blank=True)
    start_seconds = models.FloatField(null=True, blank=True)
    marks = models.JSONField(
        default=list,
        blank=True,
        help_text="Where its lines are: [page, left, top, width, height] in fractions, or [offset, seconds].",
    )
    text_hash = models.CharField(max_length=64, blank=True, db_index=True)
    # What the database's full-text index is made of; its triggers read nothing else.
    search_scope = DerivedTextField(derive=lambda passage: scope_words(passage.document))
    search_text = DerivedTextField(derive=lambda passage: index_text(passage.text))
    search_heading = DerivedTextField(derive=lambda passage: index_text(headings_of(passage.heading, passage.text)))

    objects = PassageQuerySet.as_manager()

    class Meta:
        ordering = ["document", "position"]
        constraints = [models.UniqueConstraint(fields=["document", "position"], name="passage_position_once")]

    def __str__(self) -> str:
        return f"{self.document} #{self.position}"


class PassageVector(models.Model):
    """What a passage means, as an embedding model sees it: numbers that are near those of a question about it."""

    passage = models.OneToOneField(Passage, models.CASCADE, primary_key=True, related_name="vector")
    model = models.CharField(max_length=100)
    text_hash = models.CharField(max_length=64, help_text="Of the text that the model was given.")
    values = models.BinaryField(help_text="Of length one, as 32-bit floats, the least significant byte first.")

    class Meta:
        indexes = [models.Index(fields=["text_hash", "model"], name="vector_of_text")]

    def __str__(self) -> str:
        return f"{self.passage_id} by {self.model}"
