"""Views of the event flow for people and alerts: inventory, orders, reports, alerts, tracing."""
