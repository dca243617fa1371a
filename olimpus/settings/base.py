"""What every installation shares."""

from __future__ import annotations

from datetime import timedelta

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from olimpus import env

BASE_DIR = env.BASE_DIR
OLIMPUS_HOME = env.home()
OLIMPUS_METRICS = env.metrics_folder()  # before anything imports prometheus_client
#: Who may read /metrics beside superusers: whoever knows this. Empty: nobody.
OLIMPUS_METRICS_TOKEN = env.env("OLIMPUS_METRICS_TOKEN", default="")

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "mptt",
    "guardian",
    "django_fsm",
    "axes",
    "csp",
    "channels",
    "django_prometheus",
    "accounts",
    "hypervisors",
    "descriptors",
    "slices",
    "courses",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "accounts.middleware.JournalContextMiddleware",
    "accounts.middleware.TimeZoneMiddleware",
    "accounts.idempotency.IdempotencyMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "olimpus.urls"
ASGI_APPLICATION = "olimpus.asgi.application"
# One rule for slashes: the API answers with and without one, pages have one. No redirect that drops a POST body.
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

DATABASES = {"default": env.env.db_url_config(env.database_url())}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # WAL: readers never wait for the writer. IMMEDIATE: a transaction takes the write lock when it begins, so that two
    # writers queue up instead of failing half-way.
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 60,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-32768;",
    }
    DATABASES["default"]["TEST"] = {"NAME": str(OLIMPUS_HOME / "test.sqlite3")}
else:
    DATABASES["default"]["OPTIONS"] = {"charset": "utf8mb4", "isolation_level": "read committed"}
    DATABASES["default"]["TEST"] = {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_bin"}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
GUARDIAN_MONKEY_PATCH_USER = False
# Guardian keeps the grants; who may do what is answered by descriptors/permissions.py, not by its backend.
SILENCED_SYSTEM_CHECKS = ["guardian.W001"]
ANONYMOUS_USER_NAME = None

# Lockout: five failures of one account from one address within an hour.
AXES_FAILURE_LIMIT = env.env.int("OLIMPUS_LOGIN_FAILURES", default=5)
AXES_COOLOFF_TIME = timedelta(minutes=env.env.int("OLIMPUS_LOCKOUT_MINUTES", default=15))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ACCESS_FAILURE_LOG = False
# The journal says who signed in; axes would open a session for every API client to note it again.
AXES_DISABLE_ACCESS_LOG = True
# The time told to whoever is locked out stays true, however often they try.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_CALLABLE = "accounts.refusal.locked_out"
AXES_CLIENT_IP_CALLABLE = "accounts.middleware.client_ip"
#: Addresses or networks of proxies whose X-Forwarded-For is believed.
OLIMPUS_TRUSTED_PROXIES = env.env.list("OLIMPUS_TRUSTED_PROXIES", default=[])
#: Where people reach this site: links in e-mails written by commands and workers begin with it.
OLIMPUS_URL = env.env("OLIMPUS_URL", default="http://localhost:8000").rstrip("/")
# Links of password resets and invitations, in seconds.
PASSWORD_RESET_TIMEOUT = 3600 * env.env.int("OLIMPUS_LINK_HOURS", default=72)

LANGUAGE_CODE = env.env("OLIMPUS_LANGUAGE", default="en")
LANGUAGES = [("en", _("English")), ("es", _("Spanish"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.env("OLIMPUS_TIME_ZONE", default="UTC")
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = OLIMPUS_HOME / "static"
DATA_UPLOAD_MAX_MEMORY_SIZE = 6 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 6 * 1024 * 1024

EMAIL_CONFIG = env.env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
DEFAULT_FROM_EMAIL = env.env("OLIMPUS_FROM_EMAIL", default="Olimpus <olimpus@localhost>")

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.authentication.ApiTokenAuthentication",
        "accounts.api.authentication.JWTAuthentication",
        "accounts.api.authentication.BasicAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer", "olimpus.renderers.BrowsableAPIRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "olimpus.parsers.JSONParser",
        "olimpus.parsers.FormParser",
        "olimpus.parsers.MultiPartParser",
    ],
    "DEFAULT_PAGINATION_CLASS": "olimpus.pagination.Pagination",
    "DEFAULT_FILTER_BACKENDS": [
        "django_filters.rest_framework.DjangoFilterBackend",
        "rest_framework.filters.OrderingFilter",
    ],
    "DEFAULT_SCHEMA_CLASS": "olimpus.api.AutoSchema",
    "EXCEPTION_HANDLER": "olimpus.api.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Olimpus",
    "DESCRIPTION": "One tree of virtual machines over any hypervisor.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SORT_OPERATIONS": True,
    "ENUM_NAME_OVERRIDES": {
        "AccountKind": "accounts.roles.Kind",
        "AccountRole": "accounts.api.serializers.ROLES",
        "NodeKind": "descriptors.models.Kind",
        "TunnelState": "hypervisors.api.tunnels.STATES",
        "CircuitState": "hypervisors.api.serializers.CIRCUIT_STATES",
        "ResourceSource": "hypervisors.api.resources.SOURCES",
        "InventorySource": ["live", "cached", "last_known", "predefined"],
        "MachineState": "descriptors.states.CHOICES",
        "OperationStatus": "descriptors.models.Status",
        "GrantedRole": "descriptors.permissions.ROLES",
        "HypervisorHealth": "hypervisors.models.Health",
        "SliceHealth": "slices.api.serializers.HEALTHS",
        "SliceStatus": "slices.api.serializers.STATUSES",
    },
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=env.env.int("OLIMPUS_ACCESS_TOKEN_MINUTES", default=30)),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=env.env.int("OLIMPUS_REFRESH_TOKEN_DAYS", default=7)),
    # A changed password ends every token. Rotation and revocation: accounts/tokens.py.
    "CHECK_REVOKE_TOKEN": True,
}

#: An open console that nobody touches ends after so many minutes; how many may be open, for one person and in all.
OLIMPUS_CONSOLE_IDLE_MINUTES = env.env.float("OLIMPUS_CONSOLE_IDLE_MINUTES", default=30)
OLIMPUS_CONSOLES_PER_USER = env.env.int("OLIMPUS_CONSOLES_PER_USER", default=8)
OLIMPUS_CONSOLES = env.env.int("OLIMPUS_CONSOLES", default=200)

#: Folders above this size are refused where one document or upload is read, in bytes.
OLIMPUS_UPLOAD_LIMIT = 5 * 1024 * 1024
#: The largest image that is taken for a cloud, in bytes.
OLIMPUS_IMAGE_LIMIT = 20 * 1024**3

CELERY_BROKER_URL = env.broker_url()
#: What every worker's clock sends, and how often (seconds).
OLIMPUS_PERIODIC_TASKS = {
    "sweep": {"task": "descriptors.tasks.sweep", "schedule": 2.0, "options": {"expires": 2}},
    "reconcile": {"task": "descriptors.tasks.reconcile_due", "schedule": 5.0, "options": {"expires": 5}},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname:<7} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.env("OLIMPUS_LOG_LEVEL", default="INFO")},
    "loggers": {"axes": {"level": "WARNING"}, "django.channels.server": {"level": "WARNING"}},
}
