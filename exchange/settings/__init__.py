"""Settings, all from the environment; `manage.py up` fills in what an embedded run needs."""

from pathlib import Path

import environ

from exchange.settings.console import UNFOLD as UNFOLD
from exchange.settings.embedded_urls import database, embedded_urls

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent.parent

DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / ".data")))

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    # A key that is made here would differ in every process; sessions need one that all share.
    from exchange.settings.secret import development_key

    SECRET_KEY = development_key(DATA_DIR)
# What the venue signs anchors and receipts with: 64 hexadecimal digits, the same on every machine. Empty: a file beside the data.
VENUE_KEY = env.str("VENUE_KEY", default="")
# What suppliers' secrets are encrypted with: any texts of 32 characters or more, the newest first; older ones still decrypt. Empty: SECRET_KEY.
SUPPLIER_SECRET_KEYS = env.list("SUPPLIER_SECRET_KEYS", default=[])
# Whether suppliers may name endpoints inside this network themselves. Without, only an operator may.
ENDPOINTS_INSIDE = env.bool("ENDPOINTS_INSIDE", default=False)
# Local commands that endpoints of the adapter `command` may run, by name: JSON such as {"echo": ["/usr/bin/cat"]}.
COMMAND_RUNTIMES = env.json("COMMAND_RUNTIMES", default={})
# Seconds between two anchors of the registry, when there is something new to anchor.
ANCHOR_EVERY_S = env.int("ANCHOR_EVERY_S", default=300)
# Who hears of what happens to requests and settlements, and how: called in the transaction that does it (settlement/services/remember.py).
SETTLEMENT_TELL = "exchange.services.use_messages.tell_parties"
# A demonstration says so where people log in.
DEMO = env.bool("DEMO", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]", "testserver"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Exact origins from which a browser may open a socket with its session; empty: the page's own host.
SOCKET_ORIGINS = env.list("SOCKET_ORIGINS", default=[])

# What breaks while a request is answered is told on the process's own log, with its traceback; Django alone tells it only where DEBUG is on.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "loggers": {"django": {"handlers": ["stderr"], "level": "ERROR", "propagate": False}},
}

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "rest_framework",
    "drf_spectacular",
    "django_filters",
    "rights",
    "settlement",
    "exchange",
]

MIDDLEWARE = [
    "exchange.api.request_id.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "exchange.web.security.ContentSecurityMiddleware",
    "exchange.web.static_files.WholeFilesMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "exchange.web.password.FirstPasswordMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "exchange.web.session.locked_out"
AXES_ENABLE_ADMIN = False
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in (
        ("MinimumLengthValidator", {"min_length": 12}),
        ("UserAttributeSimilarityValidator", {}),
        ("CommonPasswordValidator", {}),
        ("NumericPasswordValidator", {}),
    )
]

ROOT_URLCONF = "exchange.urls"
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
                "exchange.web.page.frame",
            ],
        },
    },
]
ASGI_APPLICATION = "exchange.asgi.application"
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login"

_embedded = embedded_urls(DATA_DIR)
DATABASE_URL = env.str("DATABASE_URL", default="") or _embedded.get("DATABASE_URL", "")
REDIS_URL = env.str("REDIS_URL", default="") or _embedded.get("REDIS_URL", "redis://127.0.0.1:6379/0")
_database = database(DATABASE_URL or "postgres://postgres@127.0.0.1:5432/synthference")
DATABASES = {
    "default": {
        **_database,
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,  # after a restart of the database the pool is full of dead connections
        "OPTIONS": {
            # A server that vanished without a word, or is reached but never answers, is given up within seconds; its address may say
            # otherwise. (The pools would wait two minutes to connect, the kernel two hours for a peer.)
            "connect_timeout": 5,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
            **_database["OPTIONS"],
            # Statements that come often are prepared by rights/kernel/trip.py; psycopg's own would end with every rollback.
            "prepare_threshold": None,
            "pool": {"min_size": 1, "max_size": env.int("DB_POOL", default=8), "timeout": 10},
            "options": ("-c statement_timeout=30000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=15000 -c timezone=UTC"),
        },
    }
}

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["exchange.settings.formats"]
STATIC_URL = "/static/"
STATIC_ROOT = env.path("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [BASE_DIR / "exchange" / "static"]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = env.bool("SECURE_COOKIES", default=False)
CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The bell (TRUST.md, known traps): tasks carry a book's id and nothing of value.
LANES = env.int("LANES", default=16)
# So many commands may wait for one book; then orders are answered 503 until it catches up. Cancels are always taken.
PENDING_PER_BOOK = env.int("PENDING_PER_BOOK", default=20_000)
# What the buyer of a package pays the venue, in basis points of the price.
BLOCK_FEE_BPS = env.int("BLOCK_FEE_BPS", default=20)
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 30
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 60,
    "health_check_interval": 25,
    "socket_timeout": 30,
    "socket_keepalive": True,
    "priority_steps": [0],  # rings are all alike: a list per lane to wait on, not four
}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "exchange.api.authentication.KeyAuthentication",
        "exchange.api.authentication.BrowserAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["exchange.api.permissions.ScopePermission"],
    "DEFAULT_PARSER_CLASSES": ["exchange.api.strict_json.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["exchange.api.strict_json.OrJSONRenderer"],
    "EXCEPTION_HANDLER": "exchange.api.problems.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Synthference Exchange",
    "DESCRIPTION": "Secondary trading of rights to future AI compute.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
}
