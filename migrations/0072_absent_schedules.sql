-- Since when the code with which workers start has no such schedule; null: the last that started had it, or it is none of
-- code. The version before neither sets nor reads it, and removes such a schedule.
alter table schedules add column absent_since timestamptz;
