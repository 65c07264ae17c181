-- A job may call events of its own by any name, also by one of the server's. Webhooks are told of the server's alone.
alter table events add column is_own boolean not null default false;
