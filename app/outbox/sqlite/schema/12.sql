-- Version 12. Under which name an event arrived. What an older Pinrelay took has none.

ALTER TABLE delivery ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE note ADD COLUMN name TEXT NOT NULL DEFAULT '';
