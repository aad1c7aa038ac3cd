-- 1 for a personal token that the operator made on the command line. Absent for all others, and for those of programs that
-- do not know this column.
ALTER TABLE personal_tokens ADD COLUMN by_operator BIGINT;
