-- The account that a counter of failed attempts belongs to, so that an operator can clear all counters of an account.
ALTER TABLE attempts ADD COLUMN user_key BIGINT;
CREATE INDEX attempts_by_user ON attempts (user_key) WHERE user_key IS NOT NULL;
-- The account of the operating system that ran a command.
ALTER TABLE events ADD COLUMN actor TEXT;
-- Finds the events since a time. Events are appended in the order of their times, more or less: such an index takes next to no
-- room, and a new event next to no time.
CREATE INDEX events_by_time ON events USING brin (at);
