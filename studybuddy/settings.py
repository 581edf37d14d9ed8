"""All settings of the site. What an operator may change comes from the environment or from `.env`."""

import logging
import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from corsheaders.defaults import default_headers

from studybuddy import logs
from studybuddy.environment import Environment, origins_of, wrong

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"
env = Environment(os.environ.get("ENV_FILE", str(BASE_DIR / ".env")))

# --- The basics ---------------------------------------------------------------------------------------------------

DEBUG = env.flag("DEBUG")
SECRET_KEY = env.text("SECRET_KEY", "development-only-" + "0" * 50 if DEBUG else "")
if not SECRET_KEY:
    raise wrong(
        "SECRET_KEY",
        "is required without DEBUG",
        "SECRET_KEY=$(python3 -c 'import secrets; print(secrets.token_urlsafe(50))')",
    )
HOST = env.text("HOST", "127.0.0.1")
PORT = env.number("PORT", 8000, most=65535)
ASGI_SERVER = env.choice("ASGI_SERVER", "daphne", ["daphne", "uvicorn"])
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")
SITE_NAME = "StudyBuddy"

INSTALLED_APPS = [
    "studybuddy.apps.SiteAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "servestatic",
    "django.contrib.staticfiles",
    "channels",
    "corsheaders",
    "csp",
    "django_htmx",
    "django_prometheus",
    "django_structlog",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "core",
    "courses",
    "django_tasks_db",  # after courses, whose `db_worker` does more
    "chats",
    "studybuddy",
]

MIDDLEWARE = [
    "studybuddy.middleware.probe_middleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "studybuddy.middleware.RequestLogMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "studybuddy.urls"
ASGI_APPLICATION = "studybuddy.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SILENCED_SYSTEM_CHECKS = ["models.W040"]  # indexes that cover a query do so on PostgreSQL; SQLite keeps their keys
APPEND_SLASH = False  # API paths answer with and without one; pages are spelled without

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

# --- Database, cache, channel layer, background tasks -------------------------------------------------------------

RUNNER_LEASE_SECONDS = env.number("RUNNER_LEASE_SECONDS", 10, least=1)
DATABASES = {"default": env.database("DATABASE_URL", f"sqlite:///{VAR_DIR / 'studybuddy.sqlite3'}")}
DATABASE_POOL_SIZE = env.number("DATABASE_POOL_SIZE", 20, least=6, most=500)
# Threads for database work of sockets and streams; the rest of the pool is for requests and supervision.
DATABASE_THREADS = max(2, min(8, DATABASE_POOL_SIZE - 4))
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["ENGINE"] = "core.sqlite"
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000;",
        **DATABASES["default"].get("OPTIONS", {}),
    }
    DATABASES["default"]["TEST"] = {"NAME": DATABASES["default"]["NAME"] + ".test"}
else:
    DATABASES["default"]["ENGINE"] = "core.postgresql"
    DATABASES["default"]["OPTIONS"] = {
        # What `core.statements` sends over a connection for the third time is prepared there.
        "prepare_threshold": 2 if env.flag("DATABASE_PREPARE", default=True) else None,
        # A process that froze within a transaction must not keep its locks for longer than its lease.
        "options": f"-c idle_in_transaction_session_timeout={max(RUNNER_LEASE_SECONDS, 5)}s",
        **DATABASES["default"].get("OPTIONS", {}),
        # A pool that waits longer between its tries sleeps through the database's return.
        "pool": {"min_size": 2, "max_size": DATABASE_POOL_SIZE, "timeout": 5, "reconnect_timeout": 2},
        "connect_timeout": 5,
    }
DATABASES["default"]["CONN_MAX_AGE"] = 0  # under ASGI each request has a thread of its own

REDIS_URL = env.url("REDIS_URL", ["redis", "rediss", "unix"], "REDIS_URL=redis://localhost:6379/0")
if REDIS_URL:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            # Publishing knows no databases: two sites on one Redis are told apart by their prefixes.
            "CONFIG": {"hosts": [REDIS_URL], "prefix": f"studybuddy{urlsplit(REDIS_URL).path}"},
        },
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

# --- Files --------------------------------------------------------------------------------------------------------

MEDIA_ROOT = env.text("MEDIA_ROOT", str(VAR_DIR / "media"))
STATIC_URL = "static/"
STATIC_ROOT = env.text("STATIC_ROOT", str(BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [BASE_DIR / "static"]
UPLOAD_MAX_MB = env.number("UPLOAD_MAX_MB", 50, least=1)
DOCUMENT_STALE_SECONDS = 60  # without progress: its reader is taken for dead
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024  # bodies of other kinds: imports, long conversations
SERVESTATIC_USE_FINDERS = DEBUG
SERVESTATIC_AUTOREFRESH = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "studybuddy.storage.StaticStorage",
    },
}

# --- The tutor ----------------------------------------------------------------------------------------------------

OPENAI_API_KEY = env.text("OPENAI_API_KEY")
OPENAI_BASE_URL = env.url("OPENAI_BASE_URL", ["http", "https"], "OPENAI_BASE_URL=http://localhost:11434/v1")
CHAT_MODEL = env.text("CHAT_MODEL", "gpt-5-mini")
TITLE_MODEL = env.text("TITLE_MODEL", CHAT_MODEL)
EMBEDDING_MODEL = env.text("EMBEDDING_MODEL")
CHAT_HISTORY_TURNS = env.number("CHAT_HISTORY_TURNS", 10, most=1000)
CHAT_CONTEXT_TOKENS = env.number("CHAT_CONTEXT_TOKENS", 16000, least=1000)
MESSAGE_MAX_CHARS = env.number("MESSAGE_MAX_CHARS", 32000, least=1)
MODEL_PRICES = env.json("MODEL_PRICES", {}, 'MODEL_PRICES={"gpt-5-mini": [0.25, 2.0]}')

REPLY_TIMEOUT_SECONDS = env.number("REPLY_TIMEOUT_SECONDS", 120, least=1)
REPLY_SILENCE_SECONDS = env.number("REPLY_SILENCE_SECONDS", 30, least=1)
REPLY_JOURNAL_MS = env.number("REPLY_JOURNAL_MS", 200, least=10, most=5000)
SHUTDOWN_GRACE_SECONDS = env.number("SHUTDOWN_GRACE_SECONDS", 10)
STREAM_COMMENT_MS = env.number("STREAM_COMMENT_MS", 15000, least=10)

# --- Limits and retention -----------------------------------------------------------------------------------------

DAILY_TOKEN_QUOTA = env.number("DAILY_TOKEN_QUOTA", 0)
SESSION_RETENTION_DAYS = env.number("SESSION_RETENTION_DAYS", 0)
HIDE_MESSAGE_TEXT = env.flag("HIDE_MESSAGE_TEXT")
THROTTLE_SEND = env.text("THROTTLE_SEND", "30/min")
THROTTLE_UPLOAD = env.text("THROTTLE_UPLOAD", "60/hour")
THROTTLE_SIGNIN = env.text("THROTTLE_SIGNIN", "10/min")
THROTTLE_OTHER = env.text("THROTTLE_OTHER", "600/min")
for _name in ("THROTTLE_SEND", "THROTTLE_UPLOAD", "THROTTLE_SIGNIN", "THROTTLE_OTHER"):
    _count, _, _period = globals()[_name].partition("/")
    if not _count.isdecimal() or _period[:1] not in ("s", "m", "h", "d"):
        raise wrong(_name, "must be a number per second, min, hour or day", f"{_name}=30/min")

# --- Signing in ---------------------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
SIGNUP_OPEN = env.flag("SIGNUP_OPEN", default=DEBUG)
ACCOUNT_ADAPTER = "studybuddy.accounts.AccountAdapter"
# The account under which agent frameworks keep the conversations of people who have none here (chats.services.owners).
ACCOUNT_USERNAME_BLACKLIST = ["integrations"]
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_EMAIL_SUBJECT_PREFIX = f"[{SITE_NAME}] "
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_USER_MODEL_EMAIL_FIELD = "email"
OIDC_PROVIDERS = env.json(
    "OIDC_PROVIDERS",
    [],
    'OIDC_PROVIDERS=[{"provider_id": "uni", "name": "University", "client_id": "…", "secret": "…",'
    ' "settings": {"server_url": "https://sso.example.org"}}]',
)
OIDC_ORIGINS = origins_of(OIDC_PROVIDERS)
SOCIALACCOUNT_ADAPTER = "studybuddy.accounts.ProviderAdapter"
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": OIDC_PROVIDERS, "OAUTH_PKCE_ENABLED": True}}
SOCIALACCOUNT_ONLY = False
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = SITE_NAME
MFA_TOTP_TOLERANCE = 1  # half a minute: telephones' clocks are that wrong
MFA_ALLOW_UNVERIFIED_EMAIL = True  # as signing in does: a site without a mail server verifies none

if EMAIL_URL := env.text("EMAIL_URL"):
    import environ as _environ

    vars().update(_environ.Env.email_url_config(EMAIL_URL))
else:
    EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"

# --- Security -----------------------------------------------------------------------------------------------------

if not DEBUG:
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^health(/ready)?/?$", r"^metrics/?$"]  # asked from inside, without TLS
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
# With a proxy in front, limits per address count the address that it saw; else no header about it is believed.
TRUSTED_PROXIES = int(env.flag("TRUSTED_PROXY_TLS"))
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "studybuddy.errors.csrf_failure"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    },
}

CORS_ALLOWED_ORIGINS = env.origins("CORS_ALLOWED_ORIGINS")
CORS_URLS_REGEX = r"^/api/.*$"
CORS_ALLOW_HEADERS = [*default_headers, "if-match"]
CORS_EXPOSE_HEADERS = ["X-Session-Id", "X-Has-More", "Link", "ETag", "Retry-After"]

# --- The API ------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    # The token stands first: its challenge makes a request without credentials a 401.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "core.api.authentication.BearerAuthentication",
        "core.api.authentication.CookieAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["core.api.throttles.Throttle"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "core.api.browsable.BrowsableRenderer",
    ],
    "DEFAULT_PARSER_CLASSES": [
        "core.api.parsers.JsonParser",
        "core.api.parsers.FormParser",
        "core.api.parsers.MultiPartParser",
    ],
    "DEFAULT_SCHEMA_CLASS": "core.api.schema.Schema",
    "EXCEPTION_HANDLER": "core.api.errors.exception_handler",
    "URL_FORMAT_OVERRIDE": None,  # `format` is a parameter of exports
    "NUM_PROXIES": TRUSTED_PROXIES,
}
KNOX_TOKEN_MODEL = "core.ApiToken"  # noqa: S105 - the name of a model
REST_KNOX = {"AUTH_HEADER_PREFIX": "Bearer", "TOKEN_TTL": timedelta(days=90), "TOKEN_PREFIX": "sb_"}
SPECTACULAR_SETTINGS = {
    "TITLE": f"{SITE_NAME} API",
    "VERSION": "1.0.0",
    "DESCRIPTION": (
        "Courses, conversations with their tutor, and what they stand on. Send `Authorization: Bearer <token>`, or the "
        "site's session cookie with its CSRF token. Errors are `{detail, code}`; a 422 adds `errors` by field. Paths "
        "answer with and without a slash at their end. Times are ISO 8601 in UTC, ids are UUIDs."
    ),
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "PREPROCESSING_HOOKS": ["core.api.routes.without_slashes"],
    "POSTPROCESSING_HOOKS": ["core.api.schema.describe_errors"],
    "SCHEMA_PATH_PREFIX": "/api",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,  # what a PATCH may leave out is said by each body
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# --- Seeing -------------------------------------------------------------------------------------------------------

LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ["DEBUG", "INFO", "WARNING", "ERROR"])
LOG_FORMAT = env.choice("LOG_FORMAT", "console" if DEBUG else "json", ["console", "json"])
METRICS_TOKEN = env.text("METRICS_TOKEN")
SENTRY_DSN = env.text("SENTRY_DSN")

LOGGING = logs.configure(level=LOG_LEVEL, form=LOG_FORMAT)
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_STATUS_5XX_LOG_LEVEL = logging.WARNING  # 503s of weather; a crash is logged as an error by itself
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False

if SENTRY_DSN:
    import sentry_sdk

    sentry_sdk.init(
        dsn=SENTRY_DSN,
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,
        before_send=logs.without_request_details,
    )
