"""Standing policies over REST: made, changed, ended, tried without doing anything, and what they did with the rule behind each act."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields
from exchange.api.base import ApiView, not_found, page
from exchange.api.doc import Doc
from exchange.api.form import Form
from exchange.api.policy_form import read_rules, shown_rules
from exchange.api.refusals import as_problems
from exchange.api.views.rights import MINT
from exchange.domain.rebalancing import Action, Plan
from exchange.domain.standing_policy import KINDS, STATES, rules_of
from exchange.feed.wire import SIDES, TIFS
from exchange.models import Policy
from exchange.selectors import policies as rows
from exchange.selectors.policies import ActionRow, RunRow
from exchange.services import policies
from exchange.services.idempotency import Done
from exchange.services.policies import SETTABLE, NewPolicy, PolicyChange
from exchange.services.rules import rules_of as rules_of_book
from exchange.services.run_policy import MANUAL, plan_of, run_policy
from rights.kernel.clock import rfc3339, to_us
from rights.kernel.ids import bare
from settlement.services.ledger import cash_asset

_KINDS, _STATES = {kind: kind for kind in KINDS}, {state: state for state in STATES}
_SETTABLE = {state: state for state in SETTABLE}
_YES_NO = {"true": True, "false": False}
_PLAN = {200: "PolicyPlan"}


def shown(row: Policy) -> dict[str, Any]:
    """A policy on the wire."""
    return {
        "id": f"pol_{row.uuid}",
        "kind": row.kind,
        "label": row.label,
        "key_id": f"key_{row.key.uuid}",
        "state": row.state,
        "reason": row.reason or None,
        "revision": row.revision,
        "every_s": row.every_s,
        "runs": str(row.runs),
        "looked_at": None if row.looked_at is None else rfc3339(to_us(row.looked_at)),
        "rules": shown_rules(rules_of(row.kind, row.rules), cash_asset().scale),
        "created_at": rfc3339(to_us(row.created_at)),
        "updated_at": rfc3339(to_us(row.updated_at)),
    }


def shown_plan(plan: Plan) -> dict[str, Any]:
    """What would be done, each with its rule, and what would not."""
    return {
        "actions": [_planned(action) for action in plan.actions],
        "passed": [_passed(one.rule, one.symbol, one.code, one.why) for one in plan.passed],
    }


def _planned(action: Action) -> dict[str, Any]:
    book = rules_of_book(action.book_id)
    return {
        "rule": action.rule,
        "verb": action.verb,
        "instrument": action.symbol,
        "side": SIDES[action.side],
        "quantity": str(action.lots),
        "price": book.price_text(action.price_ticks),
        "units": str(action.units),
        "time_in_force": TIFS[action.tif],
        "order_id": f"ord_{action.order_id}" if action.order_id else None,
        "pair": None if action.pair_book is None else rules_of_book(action.pair_book).symbol,
        "why": action.why,
    }


def _passed(rule: str, symbol: str, code: str, why: str) -> dict[str, str]:
    return {"rule": rule, "instrument": symbol, "code": code, "why": why}


def _acted(row: ActionRow) -> dict[str, Any]:
    book = rules_of_book(row.book_id)
    return {
        "rule": row.rule,
        "verb": row.verb,
        "instrument": book.symbol,
        "side": SIDES[row.side],
        "quantity": str(row.lots),
        "price": book.price_text(row.price_ticks),
        "units": str(row.units),
        "time_in_force": TIFS[row.tif],
        "order_id": f"ord_{row.order_id}",
        "pair": None if row.pair_book_id is None else rules_of_book(row.pair_book_id).symbol,
        "why": row.why,
        "outcome": row.outcome,
        "code": row.code or None,
        "detail": row.detail or None,
        "order_status": row.status,
        "filled_quantity": str(row.filled_lots),
    }


def shown_run(run: RunRow) -> dict[str, Any]:
    """A run on the wire."""
    return {
        "id": run.id,
        "number": str(run.number),
        "revision": run.revision,
        "trigger": run.trigger,
        "at": rfc3339(run.at_us),
        "actions": [_acted(action) for action in run.actions],
        "passed": [_passed(one["rule"], one["symbol"], one["code"], one["why"]) for one in run.passed],
    }


class _PolicyApi(ApiView):
    """What the views of policies share."""

    def policy(self, policy_id: str) -> Policy:
        """The caller's policy."""
        uuid = bare("pol", policy_id)
        found = rows.policy(account_id=self.principal.account_id, uuid=uuid) if uuid else None
        if found is None:
            raise not_found()
        return found

    @property
    def dry(self) -> bool:
        return bool(self.query.choice("dry_run", _YES_NO))

    def tried(self, act: Callable[[], Policy]) -> Response:
        """What the policy would do now if `act` were done; nothing is."""
        with transaction.atomic(), as_problems():
            row = act()
            plan = plan_of(rows.policy(account_id=row.account_id, uuid=str(row.uuid)) or row, self.now_us)
            transaction.set_rollback(True)
        return Response(shown_plan(plan))


class PoliciesView(_PolicyApi):
    scopes: ClassVar = {"GET": "read", "POST": "trade"}
    queries: ClassVar = {"GET": ("state", "kind", "limit", "cursor"), "POST": ("dry_run",)}
    docs: ClassVar = {
        "GET": Doc("The account's standing policies, newest first", "Policy", listed=True),
        "POST": Doc(
            "Make a standing policy",
            "Policy",
            body="PolicyRequest",
            status=201,
            idempotent=True,
            description="With `dry_run=true` nothing is made: the answer is what the policy would do now, each act with its rule.",
            also=_PLAN,
        ),
    }

    def get(self, _request: Request) -> Response:
        limit, before = self.query.limit(), self.query.cursor("policies", "i")
        given = {"before_id": int(before[0])} if before else {}
        state, kind = self.query.choice("state", _STATES), self.query.choice("kind", _KINDS)
        found = rows.policies(account_id=self.principal.account_id, limit=limit, state=state, kind=kind, **given)
        return page(found, limit, "policies", lambda row: (row.pk,), shown)

    def post(self, _request: Request) -> Response:
        form = Form(self.body, ("kind", "label", "key_id", "every_s", "rules"))
        kind = form.need("kind", "", fields.choice, _KINDS)
        label = form.read("label", "", fields.text, 0, 80)
        key = form.read("key_id", None, fields.public_id, "key")
        every_s = form.read("every_s", 30, fields.integer, 5, 86_400)
        rules = form.need("rules", None, read_rules, kind, cash_asset().scale) if kind else None
        form.close()
        if rules is None:
            raise fields.FieldError("rules", "is required", "required")
        new, principal, policy_id = NewPolicy(kind, rules, label, every_s, key), self.principal, MINT.uuid(self.now_us)

        def make() -> Policy:
            return policies.create_policy(new=new, who=principal, policy_id=policy_id, now_us=self.now_us)

        if self.dry:
            return self.tried(make)

        def act() -> Done:
            with as_problems():
                return Done(201, shown(make()))

        return self.once(act)


class PolicyView(_PolicyApi):
    scopes: ClassVar = {"GET": "read", "PATCH": "trade", "DELETE": "trade"}
    queries: ClassVar = {"PATCH": ("dry_run",)}
    docs: ClassVar = {
        "GET": Doc("One policy", "Policy"),
        "PATCH": Doc(
            "Change a policy, pause it, or let it go on",
            "PolicyOrPlan",
            body="PolicyChange",
            description="`rules` are given whole. With `dry_run=true` nothing is changed: the answer is what it would do then.",
        ),
        "DELETE": Doc("End a policy; its orders stay until somebody cancels them", "Policy"),
    }

    def get(self, _request: Request, policy_id: str) -> Response:
        return Response(shown(self.policy(policy_id)))

    def patch(self, _request: Request, policy_id: str) -> Response:
        row = self.policy(policy_id)
        form = Form(self.body, ("label", "every_s", "rules", "state"))
        change = PolicyChange(
            label=form.read("label", None, fields.text, 0, 80),
            rules=form.read("rules", None, read_rules, row.kind, cash_asset().scale),
            every_s=form.read("every_s", None, fields.integer, 5, 86_400),
            state=form.read("state", None, fields.choice, _SETTABLE),
        )
        if change == PolicyChange() and not self.dry:
            form.wrong("rules", "is required, or a new label, every_s or state", "required")
        form.close()

        def alter() -> Policy:
            return policies.change_policy(policy_id=str(row.uuid), change=change, who=self.principal, now_us=self.now_us)

        if self.dry:
            return self.tried(alter)
        with as_problems():
            return Response(shown(alter()))

    def delete(self, _request: Request, policy_id: str) -> Response:
        row = self.policy(policy_id)
        with as_problems():
            return Response(shown(policies.end_policy(policy_id=str(row.uuid), who=self.principal, now_us=self.now_us)))


class PolicyRunsView(_PolicyApi):
    scopes: ClassVar = {"GET": "read", "POST": "trade"}
    queries: ClassVar = {"GET": ("limit", "cursor"), "POST": ("dry_run",)}
    docs: ClassVar = {
        "GET": Doc("What a policy did, newest first: each act with its rule, its order, and how that stands", "PolicyRun", listed=True),
        "POST": Doc(
            "Let a policy look and act now",
            "PolicyRun",
            body="Empty",
            status=201,
            description="With `dry_run=true` nothing is done: the answer is what it would do.",
            also=_PLAN,
        ),
    }

    def get(self, _request: Request, policy_id: str) -> Response:
        row = self.policy(policy_id)
        limit, before = self.query.limit(), self.query.cursor("runs", "i")
        given = {"before": int(before[0])} if before else {}
        return page(rows.runs(policy_id=row.pk, limit=limit, **given), limit, "runs", lambda run: (run.number,), shown_run)

    def post(self, _request: Request, policy_id: str) -> Response:
        fields.members(self.body, "", ())
        row = self.policy(policy_id)
        if self.dry:
            with as_problems():
                return Response(shown_plan(plan_of(row, self.now_us)))
        with as_problems():
            ran = run_policy(policy_id=str(row.uuid), trigger=MANUAL, mint=MINT, now_us=self.now_us)
            if ran is None or ran.stopped:
                raise policies.PolicyRefusal(
                    "policy_state", (ran and ran.stopped) or "the policy is not an active rebalancer, or runs already"
                )
        return Response(shown_run(rows.runs(policy_id=row.pk, limit=1)[0]), status=201)
