"""The request's half of the flow: process received events and create their receipts."""
