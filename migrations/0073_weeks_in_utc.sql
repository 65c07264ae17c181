-- Weeks of seven days: where the session's zone changes its clock, seven of its days are an hour more or less.
alter function job_server.ensure_partitions(integer) set timezone to 'UTC';
