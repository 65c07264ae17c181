-- Which video a job adds to, for whoever does it again.
create index video_additions_job_idx on video_additions (job_id);
