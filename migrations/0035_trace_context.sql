-- Where a job belongs in the trace of who enqueued it (W3C Trace Context): its attempts go on from there, and name it to
-- whatever they call. Adding the columns rewrites no table, and who does not trace pays nothing for them.

alter table jobs add column traceparent text;
alter table jobs add column tracestate text;
-- `00-trace-span-flags`, as written by us.
alter table jobs add constraint jobs_traceparent_length check (char_length(traceparent) = 55);
alter table jobs add constraint jobs_tracestate_length check (char_length(tracestate) <= 512);
-- To find the trace of a finished job by.
alter table job_history add column traceparent text;
