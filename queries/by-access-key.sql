-- What one access key did, oldest first. Replace the two dates and the key.
select event_time, recipient_account_id, aws_region, source_ip_address, event_source, event_name, error_code, user_arn,
       source_key, source_index
from trailproof
where event_date between '2026-02-28' and '2026-03-01'
  and user_access_key_id = 'ASIAORNZYWPU7OGOM6LD'
order by event_time, source_key, source_index
