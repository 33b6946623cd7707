"""One person's machine: generated secrets in the state folder, the embedded database unless another is named."""

from orchestrator.settings.base import *  # noqa: F403
from orchestrator.settings.base import STATE_DIR, database, env
from workflows_app.running import arrangement, postgres, secrets

SECRET_KEY = env.str("SECRET_KEY", default="") or secrets.generated(STATE_DIR / "secret_key", length=64)
# One key a line, as in ORCHESTRATOR_SECRET_KEYS; 43 characters of URL-safe base64 are the 32 bytes of one.
ORCHESTRATOR_SECRET_KEYS = (
    env.list("ORCHESTRATOR_SECRET_KEYS", default=[])
    or secrets.generated(STATE_DIR / "secret_encryption_keys", length=43).split()
)
# `up` says so to its processes where the port is another one.
ORCHESTRATOR_PUBLIC_URL = env.str("ORCHESTRATOR_PUBLIC_URL", default="") or (
    f"http://127.0.0.1:{env.int('ORCHESTRATOR_PORT', default=arrangement.WEB_PORT)}"
)
# Nothing is collected on this machine: files are served from where they are.
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
DATABASES = {"default": database(env.str("DATABASE_URL", default="") or postgres.url(STATE_DIR / "postgres"))}
# Made when the first step uses it.
ORCHESTRATOR_FILE_ROOT = env.str("ORCHESTRATOR_FILE_ROOT", default="") or str(STATE_DIR / "files")
ORCHESTRATOR_ARCHIVE = env.str("ORCHESTRATOR_ARCHIVE", default="") or str(STATE_DIR / "archive")
ORCHESTRATOR_ARTIFACTS = env.str("ORCHESTRATOR_ARTIFACTS", default="") or str(STATE_DIR / "artifacts")
