-- Counts the refresh tokens of a grant, so that a token from after the moment that a backup was taken can be told from an
-- old one that came back. NULL is 0: a grant whose tokens were made before they were counted.
ALTER TABLE grants ADD COLUMN refresh_generation INTEGER;
