"""The test suite: a PostgreSQL of its own unless ``DATABASE_URL`` names one, quick password hashes, nothing sent."""

import os
import tempfile

from orchestrator.settings.base import *  # noqa: F403
from orchestrator.settings.base import database, env
from workflows_app.running import postgres

SECRET_KEY = "only-for-tests"  # noqa: S105
ORCHESTRATOR_SECRET_KEYS = ["b25seS1mb3ItdGVzdHMtb25seS1mb3ItdGVzdHMtISE="]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
# One folder per run, inherited by the processes that a run starts, or one for each of pytest-xdist's workers;
# tests/conftest.py starts the server in it.
TEST_POSTGRES_DIR = os.environ.setdefault(
    "ORCHESTRATOR_TEST_POSTGRES", f"{tempfile.gettempdir()}/orchestrator-test-{os.getpid()}"
) + os.environ.get("PYTEST_XDIST_WORKER", "")
DATABASES = {
    "default": database(
        env.str("DATABASE_URL", default="") or postgres.url(TEST_POSTGRES_DIR, database="postgres", user="postgres")
    )
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
ORCHESTRATOR_PUBLIC_URL = env.str("ORCHESTRATOR_PUBLIC_URL", default="https://flow.example")
ORCHESTRATOR_ARCHIVE = env.str("ORCHESTRATOR_ARCHIVE", default=f"{TEST_POSTGRES_DIR}-archive")
