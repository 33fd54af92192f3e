-- Version 2.

-- The trace that goes on with a delivery, as W3C writes it (55 characters); NULL where it is not traced.
ALTER TABLE delivery ADD COLUMN traceparent TEXT;
