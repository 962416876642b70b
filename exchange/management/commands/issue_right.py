"""`manage.py issue_right ISSUER HOLDER MANIFEST.json`: issue and activate a right; prints it as JSON."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from exchange.management.documents import manifest_document
from exchange.selectors import registry
from rights.domain.manifest import ManifestRefusedError
from rights.kernel.clock import now_us
from rights.kernel.ids import Mint, bare
from rights.models import Account, Issuer
from rights.selectors import right_document, rights_with_all
from rights.services.refusals import RegistryRefusalError
from settlement.services.issuance import issue_right


class Command(BaseCommand):
    help = "Issue a right under the assurance its manifest names, activate it, and print it as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("issuer", help="the issuer's slug")
        parser.add_argument("holder", help="a participant's slug (its first account) or an account id acc_…")
        parser.add_argument("manifest", help="a file with the manifest (rights/domain/schema/manifest.v0.json), or - for standard input")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        issuer = Issuer.objects.select_related("participant").filter(slug=options["issuer"]).first()
        if issuer is None:
            raise CommandError(f"no issuer {options['issuer']}")
        holder = _holder(options["holder"])
        document = manifest_document(options["manifest"])
        moment = now_us()
        try:
            right = issue_right(issuer=issuer, holder=holder, document=document, mint=Mint(), actor="command:issue_right", now_us=moment)
        except ManifestRefusedError as refusal:
            faults = "\n".join(f"  {fault.field}: {fault.detail} ({fault.code})" for fault in refusal.faults)
            raise CommandError(f"the manifest is refused:\n{faults}") from refusal
        except RegistryRefusalError as refusal:
            reasons = "\n".join(f"  {one.code}: {one.detail}" for one in refusal.refusals)
            raise CommandError(f"the right is not issued:\n{reasons}") from refusal
        shown = rights_with_all().get(pk=right.pk)
        symbols = registry.symbols([shown.series_id]).get(shown.series_id, [])
        self.stdout.write(json.dumps(right_document(shown, instruments=symbols, now_us=moment), ensure_ascii=False, indent=2))


def _holder(name: str) -> Account:
    uuid = bare("acc", name)
    accounts = Account.objects.select_related("participant").filter(code=None).order_by("pk")
    found = accounts.filter(uuid=uuid).first() if uuid else accounts.filter(participant__slug=name).first()
    if found is None:
        raise CommandError(f"no participant or account {name}")
    return found
