-- Version 8. Who did what, and who has logged in.

CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at REAL NOT NULL,
  who TEXT NOT NULL,
  place TEXT NOT NULL,
  what TEXT NOT NULL,
  target TEXT NOT NULL,
  was TEXT NOT NULL,
  became TEXT NOT NULL
) STRICT;
CREATE INDEX audit_at ON audit (at);

CREATE TABLE session (
  digest TEXT PRIMARY KEY,  -- of the cookie
  who TEXT NOT NULL,
  seal TEXT NOT NULL,
  ends_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_ends ON session (ends_at);
