"""`manage.py simulate`: a market day on real demand, next to the same day without a market.

Starts a database of its own unless `--attach` says that the present one, which has to be empty, is to be used.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from exchange.audit.run import audit
from exchange.demo.bots.trace import generate
from exchange.demo.day.causes import cut_of, otherwise, steps_of
from exchange.demo.day.demand import Setting, day_of
from exchange.demo.day.figures import WindowFigures
from exchange.demo.day.live import PaperShop, live
from exchange.demo.day.report import Told, document, page, text
from exchange.demo.day.requests import Unreadable, read_requests
from exchange.demo.day.servers import servers
from exchange.demo.day.stage import BEGIN_US, WARE
from exchange.demo.day.venue_shop import VenueShop
from exchange.replay.run import replay
from rights.models import Participant

_NUMBERS = {  # what is taken unless given, between what, and about what
    "tenants": (20, 1, 500, "over whom the requests are spread"),
    "seed": (1, 0, 2**31, "of the spreading, and of the requests where no file is given"),
    "windows": (0, 0, 10_000, "how many to live through, behind the one that teaches the forecast; 0: as many as the requests last"),
    "window_s": (300, 20, 86_400, "seconds of a window"),
    "session_s": (4, 0, 86_400, "mean seconds for which a service's calls are one tenant's; 0: each call by itself"),
    "smoothing": (70, 1, 100, "percent of a forecast that the newest window makes; the rest are those before it"),
    "value_percent": (
        180,
        101,
        900,
        "what being served is worth to a tenant, in percent of what its rights cost; it says how much is bought",
    ),
    "scale": (1000, 1, 1_000_000, "how many alike a call stands for"),
    "every": (1, 1, 1_000_000, "take only every so-manieth request"),
}


class Command(BaseCommand):
    help = "Live a day of real requests with standing policies on real books, and say what the market was good for."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--requests", type=Path, metavar="CSV|DIR", help="time, context tokens, generated tokens; made up when not given"
        )
        for name, (value, _, _, about) in _NUMBERS.items():
            parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value, help=f"{about} (default {value})")
        parser.add_argument("--report", type=Path, metavar="FILE.html")
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--audit", action="store_true", help="check every invariant and replay the events afterwards")
        parser.add_argument("--attach", action="store_true", help="use the present database, which has to be empty")

    def handle(self, *_args: Any, **options: Any) -> None:
        for name, (_, least, most, _) in _NUMBERS.items():
            if not least <= options[name] <= most:
                raise CommandError(f"--{name.replace('_', '-')} is a number from {least} to {most}")
        if options["requests"] and not options["requests"].exists():
            raise CommandError(f"no such file or folder: {options['requests']}; leave --requests away and requests are made up")
        if options["attach"]:
            self._live(options)
            return
        with servers() as env:
            again = [sys.executable, "manage.py", "simulate", "--attach"]
            again += [word for name in _NUMBERS for word in (f"--{name.replace('_', '-')}", str(options[name]))]
            again += [word for name in ("requests", "report") if options[name] for word in (f"--{name}", str(options[name].absolute()))]
            again += [f"--{name}" for name in ("json", "audit") if options[name]]
            done = subprocess.run(again, cwd=settings.BASE_DIR, env=env, check=False)  # noqa: S603 - its words are ours
            if done.returncode:
                raise CommandError("the day did not come to its end; see above")

    def _live(self, options: dict[str, Any]) -> None:
        if Participant.objects.exclude(slug="venue").exists():
            raise CommandError("the database is not empty: leave --attach out")
        setting = Setting(**{name: options[name] for name in _NUMBERS if name != "every"})
        try:
            calls = read_requests(options["requests"]) if options["requests"] else generate(setting.seed)
        except (Unreadable, OSError) as error:
            raise CommandError(str(error)) from error
        calls = calls[:: options["every"]]
        day = day_of(calls, setting)
        if not day.windows:
            raise CommandError("the requests last for one window alone, which teaches the forecast; take smaller windows")
        without, shop = live(day, setting, PaperShop()), VenueShop(setting)
        market = live(day, setting, shop, self._told)
        shop.tell(market)
        source = options["requests"].name if options["requests"] else f"made up, seed {setting.seed}"
        steps, others = steps_of(day, setting, WARE.lot_units), otherwise(calls, setting, WARE.lot_units)
        told = Told(setting, source, without, market, steps, cut_of(day, setting), others)
        if options["report"]:
            options["report"].write_text(page(told), encoding="utf-8")
        self.stdout.write(json.dumps(document(told)) if options["json"] else text(told))
        if options["audit"]:
            self._audit(BEGIN_US + (len(day.asks) + 1) * setting.window_us)

    def _told(self, number: int, window: WindowFigures) -> None:
        """A long day is told as it goes by."""
        lots = [getattr(window, name) // WARE.lot_units for name in ("asked", "served", "unserved", "stranded", "traded_units")]
        self.stderr.write("window {}: asked {}, served {}, unserved {}, stranded {}, traded {} lots".format(number, *lots))

    def _audit(self, now_us: int) -> None:
        broken, differences = audit(now_us=now_us).broken, replay().differences
        if broken or differences:
            raise CommandError(f"the day left broken invariants: {broken} {differences}")
        self.stderr.write("audit and replay: nothing is broken")
