-- Who called what from one address. Replace the two dates and the address.
select event_time, recipient_account_id, aws_region, user_arn, user_access_key_id, event_source, event_name, error_code,
       user_agent, source_key, source_index
from trailproof
where event_date between '2026-02-28' and '2026-03-01'
  and source_ip_address = '203.0.113.130'
order by event_time, source_key, source_index
