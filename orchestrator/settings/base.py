"""What every environment shares: applications, middleware, limits. Values come from the environment where they vary."""

import os
from datetime import timedelta
from pathlib import Path

import environ

from orchestrator.environment import duration_or_none, one_of, positive_duration
from orchestrator.settings.messaging import celery_settings
from workflows_app.activities.discovery import SHIPPED_MODULES
from workflows_app.running import folder_broker

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent.parent
# All that an installation without servers keeps: database, broker folders, logs, generated secrets.
STATE_DIR = Path(env.str("ORCHESTRATOR_STATE_DIR", default=str(BASE_DIR / "var"))).resolve()

DEBUG = False
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=[])
# Earlier values of SECRET_KEY: what was signed under them stays valid.
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "django_celery_beat",
    "django_htmx",
    "axes",
    "workflows_app",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "orchestrator.security.ContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # Deny by default: a page without log-in has to say so.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Last: it turns a log-in that was refused unread into 429.
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "orchestrator.urls"
ASGI_APPLICATION = "orchestrator.asgi.application"
WSGI_APPLICATION = "orchestrator.wsgi.application"

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
                "workflows_app.ui.theme.context",
            ],
        },
    },
]

# ------------------------------------------------------------------ database
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEST_RUNNER = "django.test.runner.DiscoverRunner"


def database(url: str) -> dict[str, object]:
    """Django's database entry for ``url``; workers keep their connections, the web process closes them."""
    config = env.db_url_config(url)
    age = os.environ.get("ORCHESTRATOR_CONN_MAX_AGE", "")
    return {
        **config,
        "CONN_MAX_AGE": int(age) if age else None,
        "CONN_HEALTH_CHECKS": True,
        # PgBouncer in transaction mode has no server-side cursors.
        "DISABLE_SERVER_SIDE_CURSORS": True,
        # A server that vanished without a word is noticed within seconds.
        "OPTIONS": {"connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 3, "keepalives_count": 3}
        | dict(config.get("OPTIONS", {})),
    }


# ------------------------------------------------------------------ people
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# Twenty bad log-ins for one name, or from one address, close the door for a while. A good one in between does not
# reset the count: whoever has an account could otherwise go on guessing at another's.
AXES_FAILURE_LIMIT = 20
AXES_COOLOFF_TIME = timedelta(minutes=5)
AXES_LOCKOUT_PARAMETERS = ["username", "ip_address"]
AXES_LOCKOUT_CALLABLE = "workflows_app.ui.sessions.locked_out"
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_VERBOSE = False
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

# ------------------------------------------------------------------ language, time, files
LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT: Path | None = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static", ("docs", BASE_DIR / "docs" / "images")]
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000

REST_FRAMEWORK = {
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}

# ------------------------------------------------------------------ mail: to files unless a server is named
ORCHESTRATOR_MAIL_DIR = str(STATE_DIR / "mail")
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="orchestrator@localhost")
EMAIL_TIMEOUT = 10
if env.str("EMAIL_URL", default=""):
    vars().update(env.email_url("EMAIL_URL"))
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = ORCHESTRATOR_MAIL_DIR

# ------------------------------------------------------------------ broker
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=folder_broker.URL)
vars().update(celery_settings(CELERY_BROKER_URL, STATE_DIR))

# ------------------------------------------------------------------ the engine's limits (bytes, seconds, counts)
ORCHESTRATOR_LEASE_SECONDS = env.float("ORCHESTRATOR_LEASE_SECONDS", default=8.0)
ORCHESTRATOR_RESEND_SECONDS = env.float("ORCHESTRATOR_RESEND_SECONDS", default=2.0)
ORCHESTRATOR_WINDOW = env.int(
    "ORCHESTRATOR_WINDOW", default=200 if CELERY_BROKER_URL.startswith("filesystem") else 1000
)
# Light steps on one queue share a message, each with a commit of its own; off: one message a step.
ORCHESTRATOR_FUSION = env.bool("ORCHESTRATOR_FUSION", default=True)
# How many instances may stand above one that a step calls: a recursion without an end fails instead of going on.
ORCHESTRATOR_CALL_DEPTH = env.int("ORCHESTRATOR_CALL_DEPTH", default=32)
ORCHESTRATOR_MAX_LOSSES = env.int("ORCHESTRATOR_MAX_LOSSES", default=5)
# How long a published event is kept for waiters to come; a duration such as 7d.
ORCHESTRATOR_EVENT_RETENTION = positive_duration("ORCHESTRATOR_EVENT_RETENTION", default="7d")
# How long finished instances are kept where their definition does not say, a duration such as 90d, and what becomes of
# them then: purge or archive; none: they are kept for ever.
ORCHESTRATOR_RETENTION = duration_or_none("ORCHESTRATOR_RETENTION")
ORCHESTRATOR_RETENTION_THEN = one_of("ORCHESTRATOR_RETENTION_THEN", ("purge", "archive"))
# Where archives are kept: an absolute folder or s3://bucket/prefix; none: nothing is archived.
ORCHESTRATOR_ARCHIVE = env.str("ORCHESTRATOR_ARCHIVE", default="") or None
ORCHESTRATOR_ARCHIVE_ENDPOINT = env.str("ORCHESTRATOR_ARCHIVE_ENDPOINT", default="") or None
ORCHESTRATOR_MAX_INPUT_BYTES = env.int("ORCHESTRATOR_MAX_INPUT_BYTES", default=1_000_000)
ORCHESTRATOR_MAX_OUTPUT_BYTES = env.int("ORCHESTRATOR_MAX_OUTPUT_BYTES", default=1_000_000)
ORCHESTRATOR_MAX_DOCUMENT_BYTES = env.int("ORCHESTRATOR_MAX_DOCUMENT_BYTES", default=1_000_000)
# What is kept of the log of each attempt: lines, and characters of each; the worker's own log has it all.
ORCHESTRATOR_LOG_LINES = env.int("ORCHESTRATOR_LOG_LINES", default=500)
ORCHESTRATOR_LOG_LINE_LENGTH = env.int("ORCHESTRATOR_LOG_LINE_LENGTH", default=2_000)
# What is kept of the parameters and of the result of a call of a service: larger ones by their beginning.
ORCHESTRATOR_CALL_RECORD_BYTES = env.int("ORCHESTRATOR_CALL_RECORD_BYTES", default=4_000)

# The address under which other systems reach this installation, such as https://flow.example: callbacks need it.
ORCHESTRATOR_PUBLIC_URL = env.str("ORCHESTRATOR_PUBLIC_URL", default="") or None

# What stored secrets are encrypted with: the first key encrypts, all of them decrypt.
ORCHESTRATOR_SECRET_KEYS: list[str] = env.list("ORCHESTRATOR_SECRET_KEYS", default=[])

# ------------------------------------------------------------------ activities and what they may reach
ORCHESTRATOR_ACTIVITY_MODULES = [*SHIPPED_MODULES, *env.list("ORCHESTRATOR_ACTIVITIES", default=[])]
ORCHESTRATOR_CONNECTIONS = env.json("ORCHESTRATOR_CONNECTIONS", default={})
ORCHESTRATOR_HTTP_MAX_RESPONSE_BYTES = env.int("ORCHESTRATOR_HTTP_MAX_RESPONSE_BYTES", default=1_000_000)
ORCHESTRATOR_MESSAGE_MAX_BYTES = env.int("ORCHESTRATOR_MESSAGE_MAX_BYTES", default=1_000_000)
ORCHESTRATOR_HTTP_CA_FILE = env.str("ORCHESTRATOR_HTTP_CA_FILE", default="") or None
ORCHESTRATOR_MAIL_TEMPLATES = env.str("ORCHESTRATOR_MAIL_TEMPLATES", default="") or None
# The only folder below which steps use files; none: they use no files.
ORCHESTRATOR_FILE_ROOT = env.str("ORCHESTRATOR_FILE_ROOT", default="") or None
# Where content that is too large for a row is kept: an absolute folder or s3://bucket/prefix; none: steps keep no
# artifacts. Sizes in bytes: of one artifact, and of all of one instance.
ORCHESTRATOR_ARTIFACTS = env.str("ORCHESTRATOR_ARTIFACTS", default="") or None
ORCHESTRATOR_ARTIFACTS_ENDPOINT = env.str("ORCHESTRATOR_ARTIFACTS_ENDPOINT", default="") or None
ORCHESTRATOR_ARTIFACT_MAX_BYTES = env.int("ORCHESTRATOR_ARTIFACT_MAX_BYTES", default=100_000_000)
ORCHESTRATOR_ARTIFACTS_MAX_BYTES = env.int("ORCHESTRATOR_ARTIFACTS_MAX_BYTES", default=1_000_000_000)
ORCHESTRATOR_EGRESS_ALLOW: list[str] = env.list("ORCHESTRATOR_EGRESS_ALLOW", default=[])

# Where people find Flower, for a link on the page of operations.
ORCHESTRATOR_FLOWER_URL = env.str("ORCHESTRATOR_FLOWER_URL", default="")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("ORCHESTRATOR_LOG_LEVEL", default="INFO")},
    # The log-in limiter writes several lines about every log-in.
    "loggers": {
        "axes": {"level": "WARNING"},
        # Celery sets the root's level to its own; what activities log is for their authors all the same.
        "orchestrator.activity": {"level": env.str("ORCHESTRATOR_LOG_LEVEL", default="INFO")},
    },
}
