-- What root users did themselves. Replace the two dates.
select event_time, recipient_account_id, aws_region, source_ip_address, user_agent, event_source, event_name, error_code,
       user_access_key_id, source_key, source_index
from trailproof
where event_date between '2026-02-28' and '2026-03-01'
  and user_type = 'Root'
  and user_invoked_by is null
  and event_type <> 'AwsServiceEvent'
order by event_time, source_key, source_index
