"""`manage.py check_manifest FILE`: is this a right's manifest, and what class does it make? Needs no database."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from exchange.api.strict_json import Malformed, parse
from rights.domain.fungibility import class_key, dimensions, fingerprint, lot_size
from rights.domain.manifest import ManifestRefusedError, read_manifest


class Command(BaseCommand):
    help = "Check a manifest against the published schema and the rules across fields; exit 1 with every fault."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="a JSON file, or - for standard input")
        parser.add_argument("--tier", type=int, default=1, help="the issuer's tier, which is part of the class")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            text = sys.stdin.buffer.read() if options["file"] == "-" else Path(options["file"]).read_bytes()
        except OSError as error:
            raise CommandError(str(error)) from error
        try:
            manifest = read_manifest(parse(text))
        except Malformed as error:
            raise CommandError(f"not a JSON document this exchange takes: {error}") from error
        except ManifestRefusedError as refused:
            for fault in refused.faults:
                self.stdout.write(f"{fault.field or 'manifest'}: {fault.detail} ({fault.code})")
            sys.exit(1)
        dims = dimensions(manifest, issuer_tier=options["tier"])
        answer = {
            "class_fingerprint": fingerprint(dims),
            "class_key": class_key(dims),
            "lot_size": str(lot_size(manifest.document["resource"]["unit"])),
            "terms_hash": manifest.terms_hash,
        }
        self.stdout.write(json.dumps(answer, indent=2))
