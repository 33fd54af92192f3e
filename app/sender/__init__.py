"""The background's half of the flow: claim, batch, send, record; and the steps of retention beside it."""
