-- The account that a counter of failed attempts belongs to, so that an operator can clear all counters of an account.
ALTER TABLE attempts ADD COLUMN user INTEGER;
CREATE INDEX attempts_by_user ON attempts (user) WHERE user IS NOT NULL;
-- The account of the operating system that ran a command.
ALTER TABLE events ADD COLUMN actor TEXT;
-- Finds the events since a time.
CREATE INDEX events_by_time ON events (at);
