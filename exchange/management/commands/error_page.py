"""`manage.py error_page > docs/errors.md`: the page of error codes, made from the table the API answers from."""

from typing import Any

from django.core.management.base import BaseCommand

from exchange.api.error_page import error_page


class Command(BaseCommand):
    help = "Print docs/errors.md, made from the error table."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        self.stdout.write(error_page(), ending="")
