-- Hooks in the order in which a worker takes them: of the definitions whose code it has. Those of others may be many, where
-- nobody runs them any more.
create index hook_runs_definition_idx on hook_runs (definition_key, definition_version, id);
