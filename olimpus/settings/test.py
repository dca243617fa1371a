"""Tests: fast hashing, messages kept in memory, tasks called by the tests themselves."""

import tempfile

from olimpus import env

env.env.ENVIRON.setdefault("OLIMPUS_HOME", tempfile.mkdtemp(prefix="olimpus-test-"))
# Workers of pytest share the data folder; each counts for itself.
worker = env.env.ENVIRON.get("PYTEST_XDIST_WORKER", "")
env.env.ENVIRON["PROMETHEUS_MULTIPROC_DIR"] = str(env.home() / f"metrics{worker}")

from .base import *  # noqa: E402, F403

DEBUG = False
SECRET_KEY = env.secret_key(required=False)
OLIMPUS_SECRET_KEYS = env.fernet_keys(required=False)
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CELERY_BROKER_URL = "memory://"
WHITENOISE_USE_FINDERS = True
STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise warns about a missing folder, even where it is not used
