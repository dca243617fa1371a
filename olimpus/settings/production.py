"""Production: every key explicit, HTTPS only. `manage.py check --deploy` is clean with these."""

from olimpus import env

from .base import *  # noqa: F403

DEBUG = False
SECRET_KEY = env.secret_key(required=True)
OLIMPUS_SECRET_KEYS = env.fernet_keys(required=True)
ALLOWED_HOSTS = env.allowed_hosts()
CSRF_TRUSTED_ORIGINS = env.env.list("OLIMPUS_ORIGINS", default=[])

SECURE_SSL_REDIRECT = env.env.bool("OLIMPUS_HTTPS", default=True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31536000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
