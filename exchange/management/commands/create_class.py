"""`manage.py create_class ISSUER MANIFEST.json`: define a class, so that an assurance can name it; prints one JSON line.

A class that is there already is printed as it is.
"""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from exchange.management.documents import manifest_document
from rights.domain.manifest import ManifestRefusedError
from rights.domain.reason import ReasonMissing
from rights.kernel.clock import now_us
from rights.models import Issuer
from rights.services.define_class import class_of, define_class
from rights.services.refusals import RegistryRefusalError


class Command(BaseCommand):
    help = "Define the class of rights under a manifest, recorded in the registry. Prints one JSON line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("issuer", help="the issuer's slug; its tier is a part of the class")
        parser.add_argument("manifest", help="a file with the manifest (rights/domain/schema/manifest.v0.json), or - for standard input")
        parser.add_argument("--reason", default="defined by manage.py create_class", help="goes on the record")

    def handle(self, *_args: Any, **options: Any) -> None:
        issuer = Issuer.objects.filter(slug=options["issuer"]).first()
        if issuer is None:
            raise CommandError(f"no issuer {options['issuer']}")
        told = {"reason": options["reason"], "actor": "command:create_class", "now_us": now_us()}
        document = manifest_document(options["manifest"])
        try:
            known = class_of(issuer=issuer, document=document)
            shown = known or define_class(issuer=issuer, document=document, **told)
        except ManifestRefusedError as refusal:
            faults = "\n".join(f"  {fault.field}: {fault.detail} ({fault.code})" for fault in refusal.faults)
            raise CommandError(f"the manifest is refused:\n{faults}") from refusal
        except (RegistryRefusalError, ReasonMissing) as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(json.dumps({"class": shown.key, "fingerprint": shown.fingerprint, "unit": shown.unit, "new": known is None}))
