"""What `make run` serves with, but for one thing: passwords are hashed quickly.

Hashing one is slow on purpose, 0.6 s of a core, and tests sign in hundreds of times.
"""

from olimpus.settings.dev import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
