"""What a process counts and times for `/metrics`. Labels are few and fixed: never an id, never text."""

from prometheus_client import Counter, Gauge, Histogram

# First tokens come within tens of milliseconds from a model nearby and within many seconds from one that thinks.
_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300)

REPLIES_RUNNING = Gauge("studybuddy_replies_running", "Replies that this process is making now.")
FIRST_TOKEN_SECONDS = Histogram(
    "studybuddy_reply_first_token_seconds", "From the question's commit to the first token.", buckets=_SECONDS
)
REPLY_SECONDS = Histogram(
    "studybuddy_reply_seconds", "From the question's commit to the reply's end.", ["outcome"], buckets=_SECONDS
)
JOURNAL_LAG_SECONDS = Histogram(
    "studybuddy_journal_lag_seconds",
    "How old the oldest unwritten text was when the journal was written.",
    buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30),
)
REPLY_RECOVERIES = Counter("studybuddy_reply_recoveries", "Replies taken over from a process that died.")
REPLY_ERRORS = Counter("studybuddy_reply_errors", "Replies that failed, by error code.", ["code"])
