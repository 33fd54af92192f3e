"""What people and alerts learn of the flow: inventory, orders, reports, alerts, tracing."""
