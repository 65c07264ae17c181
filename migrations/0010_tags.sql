-- Tags to find jobs by, and metadata that clients keep with them. Adding them rewrites no table; the indexes hold tagged
-- jobs only, so who does not tag pays nothing.

alter table jobs add column tags text[] not null default '{}';
alter table jobs add column metadata jsonb not null default '{}';
alter table job_history add column tags text[] not null default '{}';
alter table job_history add column metadata jsonb not null default '{}';
alter table dead_letters add column tags text[] not null default '{}';
alter table dead_letters add column metadata jsonb not null default '{}';

create index jobs_tags_idx on jobs using gin (tags) where tags <> '{}';
create index job_history_tags_idx on job_history using gin (tags) where tags <> '{}';
