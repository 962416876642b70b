"""Every REST route that Django serves. Writes of orders are served by exchange/api/order_entry in front of it."""

from django.urls import path

from exchange.api.views import account, instruments, market_data, orders, system

urlpatterns = [
    path("time", system.TimeView.as_view()),
    path("status", system.StatusView.as_view()),
    path("errors", system.ErrorsView.as_view()),
    path("fees", system.FeesView.as_view()),
    path("calendar", system.CalendarView.as_view()),
    path("classes", instruments.ClassesView.as_view()),
    path("classes/<str:key>", instruments.ClassView.as_view()),
    path("instruments", instruments.InstrumentsView.as_view()),
    path("instruments/<str:symbol>", instruments.InstrumentView.as_view()),
    path("instruments/<str:symbol>/book", market_data.BookView.as_view()),
    path("instruments/<str:symbol>/trades", market_data.TradesView.as_view()),
    path("instruments/<str:symbol>/candles", market_data.CandlesView.as_view()),
    path("instruments/<str:symbol>/ticker", market_data.TickerView.as_view()),
    path("tickers", market_data.TickersView.as_view()),
    path("curve", market_data.CurveView.as_view()),
    path("orders", orders.OrdersView.as_view()),
    path("orders/by-client-id/<path:client_order_id>", orders.OrderByClientIdView.as_view()),
    path("orders/<str:order_id>", orders.OrderView.as_view()),
    path("orders/<str:order_id>/events", orders.OrderEventsView.as_view()),
    path("fills", orders.FillsView.as_view()),
    path("fills/<str:fill_id>", orders.FillView.as_view()),
    path("balances", account.BalancesView.as_view()),
    path("positions", account.PositionsView.as_view()),
    path("ledger", account.LedgerView.as_view()),
    path("limits", account.LimitsView.as_view()),
    path("fees/mine", account.MyFeesView.as_view()),
]
