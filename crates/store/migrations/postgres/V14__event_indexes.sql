-- Find the events of an application and those from a network address, the latest first.
CREATE INDEX events_by_client ON events (client_key, id) WHERE client_key IS NOT NULL;
CREATE INDEX events_by_address ON events (address, id);
