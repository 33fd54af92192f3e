-- Version 2: how the shop says that an order was placed.

ALTER TABLE delivery ADD COLUMN channel TEXT NOT NULL DEFAULT '';       -- such as pos; '' if no trusted event names it
ALTER TABLE dropped_event ADD COLUMN channel TEXT NOT NULL DEFAULT '';
