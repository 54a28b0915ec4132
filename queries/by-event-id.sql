-- One event with what it asked and got, and where it was read from. Replace the two dates and the id.
select event_time, recipient_account_id, aws_region, event_source, event_name, error_code, error_message, user_type,
       user_arn, user_access_key_id, session_creation_time, source_ip_address, user_agent, request_parameters,
       response_elements, additional_event_data, extra_json, event_id, integrity, source_key,
       source_index, source_sha256, source_digest_key
from trailproof
where event_date between '2026-02-28' and '2026-03-01'
  and event_id = 'b8b39791-89e0-449e-a6be-ad9a88a2aa3b'
