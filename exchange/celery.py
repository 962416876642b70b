"""The Celery application. Matching lanes are queues `match.00` … ; other work goes to `redeem` and `sweep`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange.settings")
app = Celery("exchange")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Celery would close the whole connection pool after every task, which costs a new server process per ring. Tasks give their
# connections back themselves (exchange/tasks.py).
app.conf["CELERY_DB_REUSE_MAX"] = 2**40
app.conf.beat_schedule = {
    "forget-old": {"task": "exchange.tasks.forget_old", "schedule": 600, "options": {"queue": "sweep", "expires": 600}},
    # Fills and windows near their end are noticed by looking, so a lost message costs one beat.
    "run-policies": {"task": "exchange.tasks.run_policies", "schedule": 2, "options": {"queue": "sweep", "expires": 4}},
}
app.autodiscover_tasks(["exchange", "settlement", "rights"])
