"""`manage.py check_manifest FILE`: is this a right's manifest, and what class does it make? `--reference`: try the published examples. Needs no database."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from exchange.api.strict_json import Malformed, parse
from rights.domain.fungibility import class_key, dimensions, fingerprint, lot_size
from rights.domain.manifest import ManifestRefusedError, read_manifest
from rights.domain.reference_manifests import as_expected, reference_manifests


class Command(BaseCommand):
    help = "Check a manifest against the published schema and the rules across fields; exit 1 with every fault."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", help="a JSON file, or - for standard input")
        parser.add_argument(
            "--reference", action="store_true", help="try every reference manifest; exit 1 when a verdict is another than expected"
        )
        parser.add_argument("--tier", type=int, default=1, help="the issuer's tier, which is part of the class")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["reference"] == bool(options["file"]):
            raise CommandError("name a file, or --reference")
        if options["reference"]:
            self._reference()
            return
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

    def _reference(self) -> None:
        references = reference_manifests()
        wrong = [reference for reference in references if not as_expected(reference)]
        for reference in references:
            kind = "refused" if reference.expect else "taken"
            mark = "WRONG" if reference in wrong else "ok"
            self.stdout.write(f"{mark} {reference.name}: {kind}. {reference.about}")
        self.stdout.write(f"{len(references)} reference manifests, {len(wrong)} with another verdict than expected")
        if wrong:
            sys.exit(1)
