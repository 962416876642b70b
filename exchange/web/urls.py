"""The pages people see. Everything that changes anything goes through the API; these only show, but for logging in and passwords."""

from django.urls import path

from exchange.web import account, desk, inventory, issuer, market, packages, password, policies, right, session, use

app_name = "web"
urlpatterns = [
    path("", market.markets, name="markets"),
    path("trade/<str:symbol>", market.trade, name="trade"),
    path("rights", inventory.rights, name="rights"),
    path("rights/<str:right_id>", right.right, name="right"),
    path("policies", policies.policies, name="policies"),
    path("use", use.use, name="use"),
    path("use/disputes", use.disputes, name="disputes"),
    path("use/<str:request_id>", use.one, name="request"),
    path("issuers/<str:slug>", issuer.issuer, name="issuer"),
    path("packages", packages.packages, name="packages"),
    path("packages/new", packages.compose, name="compose"),
    path("packages/<str:package_id>/change", packages.change, name="change-package"),
    path("account", account.account, name="account"),
    path("desk", desk.assurances, name="desk-assurances"),
    path("desk/issued", desk.issued, name="desk-issued"),
    path("desk/listings", desk.listings, name="desk-listings"),
    path("desk/consents", desk.consents, name="desk-consents"),
    path("desk/supply", desk.supply, name="desk-supply"),
    path("login", session.log_in, name="login"),
    path("password", password.password, name="password"),
    path("logout", session.log_out, name="logout"),
]
