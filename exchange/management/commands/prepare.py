"""`manage.py prepare`: bring the database's tables and the static files up to date, and see that the venue has a key to sign with."""

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection

from exchange.services.venue_key import current_signer
from rights.kernel.clock import now_us
from rights.services.venue_keys import VenueKeyRefusal

# Any number, as long as every machine uses the same.
_LOCK = 7_362_110_051


class Command(BaseCommand):
    help = "Migrate the database, one machine at a time, and collect static files."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--patience", type=float, default=600.0, help="seconds to wait for another machine's migration")

    def handle(self, **options: Any) -> None:
        self._migrate(options["patience"])
        try:
            current_signer(actor="command:prepare", now_us=now_us())
        except VenueKeyRefusal as refusal:  # trading goes on; what has to be signed waits
            self.stderr.write(str(refusal))
        for directory in settings.STATICFILES_DIRS:
            directory.mkdir(exist_ok=True)
        call_command("collectstatic", interactive=False, verbosity=0)

    def _migrate(self, patience_s: float) -> None:
        # The lock belongs to the session that migrates, so it ends with it, however it ends.
        deadline = time.monotonic() + patience_s
        with connection.cursor() as cursor:
            # A migration may take longer than any request should.
            cursor.execute("SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0")
            while True:
                cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
                if cursor.fetchone() == (True,):
                    break
                if time.monotonic() > deadline:
                    raise TimeoutError("another machine has been migrating for too long")
                time.sleep(0.2)
        call_command("migrate", interactive=False, verbosity=1)
        connection.close()
