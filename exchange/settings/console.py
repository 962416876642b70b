"""The operators' console: unfold's settings. Loaded by `exchange.settings`."""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy


def _item(title: str, icon: str, view: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(view)}


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Synthference console",
    "SITE_HEADER": "Synthference",
    "SITE_SUBHEADER": "Operators' console",
    "SITE_SYMBOL": "candlestick_chart",
    "SITE_URL": "/",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "DASHBOARD_CALLBACK": "exchange.admin.dashboard.dashboard",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("mark.svg")}],  # noqa: ARG005
    # The venue's brass; white text on 600 and 700 has more than 4.5:1.
    "COLORS": {
        "primary": {
            "50": "#fbf6e9",
            "100": "#f5e7c6",
            "200": "#ecd39a",
            "300": "#e4b95f",
            "400": "#dba93f",
            "500": "#c18f2a",
            "600": "#8a5f0a",
            "700": "#7d5506",
            "800": "#5f4107",
            "900": "#47310a",
            "950": "#2b1d05",
        }
    },
    "SCRIPTS": [lambda request: static("console/console.js")],  # noqa: ARG005
    "STYLES": [lambda request: static("console/console.css")],  # noqa: ARG005 - unfold passes the request
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "title": "Venue",
                "items": [
                    _item("Overview", "monitoring", "admin:index"),
                    _item("Proposals", "how_to_vote", "admin:exchange_proposal_changelist") | {"badge": "exchange.admin.proposals.waiting"},
                    _item("Instruments", "candlestick_chart", "admin:exchange_instrument_changelist"),
                    _item("Listings", "playlist_add_check", "admin:exchange_listingrequest_changelist"),
                    _item("Orders", "receipt_long", "admin:exchange_order_changelist"),
                    _item("Trades", "swap_horiz", "admin:exchange_trade_changelist"),
                    _item("Commands", "keyboard", "admin:exchange_command_changelist"),
                    _item("Batches", "inventory_2", "console_batches"),
                ],
            },
            {
                "title": "Parties",
                "items": [
                    _item("Participants", "groups", "admin:rights_participant_changelist"),
                    _item("Accounts", "account_balance_wallet", "admin:rights_account_changelist"),
                    _item("Members", "badge", "admin:exchange_membership_changelist"),
                    _item("Users", "person", "admin:auth_user_changelist"),
                    _item("API keys", "key", "admin:exchange_apikey_changelist"),
                    _item("Issuers", "verified", "admin:rights_issuer_changelist"),
                    _item("Attestations", "verified_user", "admin:rights_attestation_changelist"),
                    _item("Registry roles", "shield_person", "admin:rights_rolegrant_changelist"),
                ],
            },
            {
                "title": "Registry",
                "items": [
                    _item("Rights", "confirmation_number", "admin:rights_right_changelist"),
                    _item("Freeze desk", "ac_unit", "console_freeze_desk"),
                    _item("Consents", "handshake", "admin:rights_consent_changelist"),
                    _item("Assurances", "shield", "admin:rights_assurance_changelist"),
                    _item("Suppliers", "factory", "admin:rights_supplier_changelist"),
                    _item("Capabilities", "tune", "admin:rights_capability_changelist"),
                    _item("Endpoints", "lan", "admin:settlement_endpoint_changelist"),
                    _item("Nodes", "dns", "admin:settlement_node_changelist"),
                    _item("Jobs", "work", "admin:settlement_job_changelist"),
                    _item("Posted capacity", "stacked_bar_chart", "admin:rights_postedcapacity_changelist"),
                    _item("Classes", "category", "admin:rights_computeclass_changelist"),
                    _item("Series", "date_range", "admin:rights_series_changelist"),
                    _item("Terms", "contract", "admin:rights_terms_changelist"),
                    _item("Events", "history", "console_events"),
                ],
            },
            {
                "title": "Use",
                "items": [
                    _item("Requests", "outbox", "admin:settlement_request_changelist"),
                    _item("Settlements", "fact_check", "admin:settlement_settlement_changelist"),
                    _item("Pending proofs", "pending_actions", "console_proofs"),
                    _item("Disputes", "gavel", "admin:settlement_dispute_changelist"),
                    _item("Escrow", "lock_clock", "console_escrow"),
                    _item("Policies", "autorenew", "admin:exchange_policy_changelist"),
                    _item("Policy runs", "play_circle", "admin:exchange_policyrun_changelist"),
                ],
            },
            {
                "title": "Ledger",
                "items": [
                    _item("Balances", "balance", "console_balances"),
                    _item("Postings", "menu_book", "console_postings"),
                    _item("Assets", "token", "admin:settlement_asset_changelist"),
                ],
            },
        ],
    },
}
