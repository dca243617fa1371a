"""Embedded defaults: `make run`. Keys are made on first use and kept in the data folder."""

from olimpus import env

from .base import *  # noqa: F403

DEBUG = env.env.bool("OLIMPUS_DEBUG", default=False)
SECRET_KEY = env.secret_key(required=False)
OLIMPUS_SECRET_KEYS = env.fernet_keys(required=False)
ALLOWED_HOSTS = env.allowed_hosts()
# Without collectstatic: files are found where they are, so that a fresh clone serves at once.
WHITENOISE_USE_FINDERS = True
MIDDLEWARE = [
    name.replace("whitenoise.middleware.WhiteNoise", "olimpus.compression.CompressedStatic") for name in MIDDLEWARE
]
STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise warns about a missing folder, even where it is not used
WHITENOISE_AUTOREFRESH = DEBUG
