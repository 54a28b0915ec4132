-- What one session did, whatever keys it had. Replace the two dates, the session's ARN, and the time that it began (as
-- spelled in session_creation_time).
select event_time, recipient_account_id, aws_region, source_ip_address, event_source, event_name, error_code,
       user_access_key_id, session_source_identity, source_key, source_index
from trailproof
where event_date between '2026-02-28' and '2026-03-01'
  and user_arn = 'arn:aws:sts::025000000044:assumed-role/web-frontend/i-0f4a1d43f85407d1e'
  and session_creation_time = '2026-03-01T01:07:31Z'
order by event_time, source_key, source_index
