-- What workers and schedulers alone know of themselves, written with their sign of life, so that whoever scrapes one API
-- process gets it of all of them, and no worker needs a port.

alter table workers add column metrics jsonb not null default '[]';
