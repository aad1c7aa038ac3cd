-- What else is known about the authorization of a code or grant, as a JSON object (`Circumstances` in the source). NULL where
-- nothing is known: rows of programs that do not know this column, which also leave it as it is when they change a row.
ALTER TABLE codes ADD COLUMN circumstances TEXT;
ALTER TABLE grants ADD COLUMN circumstances TEXT;
