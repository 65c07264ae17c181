-- What groups of open dead letters are counted by, and their first and last, so that not a single letter has to be read.
lock table dead_letters in access exclusive mode;
create index dead_letters_grouped_idx on dead_letters (definition_key, error_code, moved_to_dlq_at) where redriven_at is null;
drop index dead_letters_open_idx;
alter index dead_letters_grouped_idx rename to dead_letters_open_idx;
