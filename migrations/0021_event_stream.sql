-- Events and logs as one stream that can be followed and gone on with, and loses nothing.
--
-- Ids are given out before a transaction commits, so an event may appear after others with greater ids. Each row
-- therefore names its transaction: who has read under a snapshot of PostgreSQL finds what has come since, late
-- comers and all, as that which the snapshot does not see. Logs take their ids from the events' sequence, so that both
-- stand in one order. A row costs its writer about a microsecond more, mostly for the index (measured).

-- What is there already gets the id of this migration's transaction; no table is rewritten.
alter table events add column xid xid8 not null default pg_current_xact_id();
alter table logs add column xid xid8 not null default pg_current_xact_id();

create index events_xid_idx on events (xid);
create index logs_xid_idx on logs (xid);

select setval('events_id_seq', greatest((select last_value from events_id_seq), (select last_value from logs_id_seq)));
alter table logs alter column id drop identity;
alter table logs alter column id set default nextval('job_server.events_id_seq');
